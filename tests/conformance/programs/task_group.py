"""Branches in a task group, and what comes after it."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "ask": "llm.complete", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
  search: success
  ask: success
  write: success
"""
EDGES = """
review -> plan nested
plan -> search parallel 2
plan -> ask parallel
search -> write parallel 2
ask -> write parallel
"""


async def plan():
    inside("plan")


async def search(number):
    inside("search")
    await asyncio.sleep(0.005 * number)
    inside("search")
    return number


async def ask():
    inside("ask")
    await asyncio.sleep(0)
    return "asked"


async def write():
    inside("write")
    return "written"


async def review():
    inside("review")
    await plan()
    with unchanged("the group"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(search(1)), group.create_task(search(2)), group.create_task(ask())]
    return [task.result() for task in tasks], await write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
