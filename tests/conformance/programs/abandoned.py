"""Generators that nobody reads to the end: let go of, and kept until the loop ends."""

import asyncio
import gc

from probe import inside, unchanged

OBSERVED = {"pages": "retriever.fetch", "stream": "llm.stream", "fetch": "tool.call", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  pages: success closed early
    fetch: success
  stream: success closed early
    fetch: success
  stream: success closed early
    fetch: success
  write: success
  write: success
"""
# The loop closes a forgotten asynchronous generator in a task of its own: what follows it joins that task.
EDGES = """
review -> pages nested
pages -> fetch nested
pages -> stream sequential
stream -> fetch nested 2
stream -> write parallel
write -> stream sequential
write -> write sequential
"""

kept = []


def fetch(number):
    inside("fetch")
    return number * 10


def pages():
    inside("pages")
    yield fetch(1)
    yield fetch(2)


async def stream():
    inside("stream")
    yield fetch(3)
    yield fetch(4)


def first():
    for page in pages():
        return page
    return None


async def first_token():
    async for token in stream():
        return token
    return None


async def begun():
    streaming = stream()
    kept.append(streaming)
    return await anext(streaming)


async def write():
    inside("write")
    return "written"


async def review():
    inside("review")
    with unchanged("a generator"):
        found = [first()]
        gc.collect()
    with unchanged("an asynchronous generator"):
        found.append(await first_token())
        gc.collect()
        await asyncio.sleep(0.01)
    with unchanged("one that is kept"):
        found += [await write(), await begun()]
    return found, await write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
