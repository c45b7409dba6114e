"""anyio: a task group, worker threads, and a cancel scope that ends one of them."""

import anyio
from anyio import to_thread
from probe import inside, unchanged

OBSERVED = {
    "plan": "router.plan",
    "search": "retriever.fetch",
    "ask": "llm.complete",
    "wait": "tool.call",
    "write": "processor.write",
}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
  ask: success
  write: success
  wait: cancelled
  write: success
"""
EDGES = """
review -> plan nested
plan -> search parallel
plan -> ask parallel
search -> write parallel
ask -> write parallel
write -> wait sequential
wait -> write sequential
"""


def plan():
    inside("plan")


async def search(found):
    inside("search")
    await anyio.sleep(0.005)
    found.append("found")


def ask():
    inside("ask")
    return "asked"


async def in_thread(found):
    with unchanged("a worker thread"):
        found.append(await to_thread.run_sync(ask))


async def wait():
    inside("wait")
    await anyio.sleep_forever()


def write(found):
    inside("write")
    return sorted(found)


async def review():
    inside("review")
    plan()
    found = []
    with unchanged("the group"):
        async with anyio.create_task_group() as group:
            group.start_soon(search, found)
            group.start_soon(in_thread, found)
    said = [write(found)]
    with unchanged("the scope"), anyio.move_on_after(0.02) as scope:
        await wait()
    return [*said, scope.cancelled_caught, write([])]


async def start():
    with unchanged("review"):
        print(await review())


def main():
    anyio.run(start)
