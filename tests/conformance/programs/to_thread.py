"""Plain functions in worker threads, awaited one by one and side by side."""

import asyncio
import threading

from probe import inside, unchanged

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "parse": "processor.parse", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
    parse: success
  search: success
    parse: success
  write: success
"""
EDGES = """
review -> plan nested
plan -> search parallel 2
search -> parse nested 2
search -> write parallel 2
"""

both = threading.Barrier(2, timeout=10)


def plan():
    inside("plan")


def search(number):
    inside("search")
    both.wait()
    with unchanged("parse, in a thread"):
        return parse(number), threading.current_thread() is threading.main_thread()


def parse(number):
    inside("parse")
    return number + 1


def write():
    inside("write")
    return "written"


async def review():
    inside("review")
    plan()
    with unchanged("to_thread"):
        found = await asyncio.gather(asyncio.to_thread(search, 1), asyncio.to_thread(search, 2))
    return found, write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
