"""A task that is awaited after other work, and one that still runs when the next step begins."""

import asyncio

from probe import inside, unchanged

OBSERVED = {
    "plan": "router.plan",
    "search": "retriever.fetch",
    "ask": "llm.complete",
    "log": "tool.call",
    "write": "processor.write",
    "send": "tool.call",
}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
  ask: success
  log: success
  write: success
  send: success
"""
EDGES = """
review -> plan nested
plan -> search parallel
plan -> ask sequential
search -> write parallel
ask -> write sequential
write -> log parallel
write -> send sequential
"""


async def plan():
    inside("plan")


async def search():
    inside("search")
    await asyncio.sleep(0)
    return "found"


async def ask():
    inside("ask")
    await asyncio.sleep(0)
    return "asked"


async def write():
    inside("write")
    return "written"


async def log(sent):
    inside("log")
    await sent.wait()
    inside("log")


async def send():
    inside("send")
    return "sent"


async def review():
    inside("review")
    await plan()
    with unchanged("create_task"):
        searching = asyncio.create_task(search())
    said = [await ask(), await searching, await write()]
    sent = asyncio.Event()
    logging = asyncio.create_task(log(sent))
    await asyncio.sleep(0)
    with unchanged("send, beside a task"):
        said.append(await send())
    sent.set()
    await logging
    return said


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
