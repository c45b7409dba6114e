"""Exception groups: of a task group with two that fail and one that is cancelled, taken apart by except*."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"search": "retriever.fetch", "wait": "tool.call", "both": "parallel.fetch", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  both: error ExceptionGroup
    search: error ValueError
    search: error KeyError
    wait: cancelled
  write: success
"""
EDGES = """
review -> both nested
both -> search nested 2
both -> wait nested
both -> write sequential
"""


async def search(error):
    inside("search")
    raise error


async def wait():
    inside("wait")
    await asyncio.sleep(60)


async def both():
    inside("both")
    async with asyncio.TaskGroup() as group:
        group.create_task(wait())
        group.create_task(search(ValueError("one")))
        group.create_task(search(KeyError("two")))


def write():
    inside("write")
    return "written"


async def review():
    inside("review")
    said = []
    with unchanged("both"):
        try:
            await both()
        except* ValueError as group:
            said.append(repr(group))
        except* KeyError as group:
            said.append(repr(group))
    return said, write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
