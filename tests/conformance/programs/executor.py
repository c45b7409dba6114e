"""A pool of threads that is older than the workflow: submit, map and run_in_executor, with propagate()."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from probe import inside, unchanged

from tta_observe import propagate

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "rank": "processor.rank", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
  write: success
  rank: success
  rank: success
  write: success
  search: success
  plan: success
"""
EDGES = """
review -> plan nested
plan -> search parallel
search -> write parallel
write -> rank parallel 2
rank -> write parallel 2
write -> search parallel
search -> plan parallel
"""

both = threading.Barrier(2, timeout=10)


def plan():
    inside("plan")


def search(key):
    inside("search")
    return key * 2


def rank(number):
    inside("rank")
    both.wait()
    inside("rank")
    return number + 1


def write():
    inside("write")
    return "written"


def idle(_):
    with unchanged("a worker that was used before"):
        both.wait()


async def review(pool):
    inside("review")
    plan()
    with unchanged("submit"):
        found = [pool.submit(propagate(search), "ab").result(), write()]
    with unchanged("map"):
        found += [*pool.map(propagate(rank), range(2)), write()]
    with unchanged("run_in_executor"):
        found.append(await asyncio.get_running_loop().run_in_executor(pool, propagate(search), "cd"))
    plan()
    return found


async def start(pool):
    with unchanged("review"):
        print(await review(pool))


def main():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(idle, range(2)))
        asyncio.run(start(pool))
        list(pool.map(idle, range(2)))
