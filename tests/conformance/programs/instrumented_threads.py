"""Threads that know nothing of us: OpenTelemetry's own instrumentation for threads hands them its context."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from probe import inside, unchanged

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "parse": "processor.parse", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
    parse: success
  write: success
  search: success
    parse: success
  search: success
    parse: success
  write: success
"""
# OpenTelemetry's context is as old as the span in it: it knows the parent, and not what has run in it since.
EDGES = """
review -> plan nested
review -> search nested 3
search -> parse nested 3
search -> write parallel 3
plan -> write sequential
write -> write sequential
"""

both = threading.Barrier(2, timeout=10)


def plan():
    inside("plan")


def search(key):
    inside("search")
    with unchanged("parse, in a thread"):
        return parse(key)


def search_both(key):
    both.wait()
    with unchanged("search, in a worker"):
        return search(key)


def parse(key):
    inside("parse")
    return key.upper()


def write():
    inside("write")
    return "written"


def idle(_):
    with unchanged("a worker"):
        both.wait()


async def review(pool):
    inside("review")
    plan()
    with unchanged("a thread"):
        thread = threading.Thread(target=search, args=("ab",))
        thread.start()
        thread.join()
    found = [write()]
    with unchanged("run_in_executor and submit"):
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(pool, search_both, "cd"), asyncio.wrap_future(pool.submit(search_both, "ef"))
        found += await asyncio.gather(*running)
    return found, write()


async def start(pool):
    with unchanged("review"):
        print(await review(pool))


def main():
    ThreadingInstrumentor().instrument()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(idle, range(2)))
        asyncio.run(start(pool))
        list(pool.map(idle, range(2)))
