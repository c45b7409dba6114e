"""Two branches side by side, each with two steps, and what comes after both."""

import asyncio

from probe import inside, unchanged

OBSERVED = {
    "plan": "router.plan",
    "search": "retriever.fetch",
    "rank": "processor.rank",
    "ask": "llm.complete",
    "check": "validator.check",
    "write": "processor.write",
}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
  rank: success
  ask: success
  check: error ValueError
  write: success
"""
EDGES = """
review -> plan nested
plan -> search parallel
plan -> ask parallel
search -> rank sequential
ask -> check sequential
rank -> write parallel
check -> write parallel
"""


async def plan():
    inside("plan")


async def search():
    inside("search")
    await asyncio.sleep(0.01)
    inside("search")


async def rank():
    inside("rank")
    await asyncio.sleep(0.01)


async def ask():
    inside("ask")
    await asyncio.sleep(0.015)
    inside("ask")


async def check():
    inside("check")
    await asyncio.sleep(0)
    raise ValueError("too short")


async def write():
    inside("write")
    return "written"


async def one():
    with unchanged("search and rank"):
        await search()
        await rank()
    return 1


async def other():
    with unchanged("ask and check"):
        await ask()
        await check()


async def review():
    inside("review")
    await plan()
    with unchanged("gather"):
        found = await asyncio.gather(one(), other(), return_exceptions=True)
    return found, await write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
