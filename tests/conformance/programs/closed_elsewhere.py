"""Generators that are closed by another task or thread than the one that has begun to read them."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"pages": "retriever.fetch", "stream": "llm.stream", "fetch": "tool.call", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  pages: success closed early
    fetch: success
    fetch: success
  stream: success closed early
    fetch: success
    fetch: success
  write: success
"""
# What has ended in another task or thread is joined by what comes next.
EDGES = """
review -> pages nested
pages -> fetch nested
fetch -> fetch parallel 2
pages -> stream parallel
stream -> fetch nested
stream -> write parallel
"""


def fetch(number):
    inside("fetch")
    return number * 10


def pages():
    inside("pages")
    try:
        yield fetch(1)
    finally:
        inside("pages")
        with unchanged("fetch, while it is closed elsewhere"):
            fetch(2)


async def stream():
    inside("stream")
    try:
        yield fetch(3)
    finally:
        inside("stream")
        with unchanged("fetch, while it is closed elsewhere"):
            fetch(4)


async def write():
    inside("write")
    return "written"


def close(reading):
    with unchanged("close, in a thread"):
        reading.close()


async def aclose(reading):
    with unchanged("aclose, in a task"):
        await reading.aclose()


async def review():
    inside("review")
    reading = pages()
    with unchanged("a generator"):
        found = [next(reading)]
        await asyncio.to_thread(close, reading)
    streaming = stream()
    with unchanged("an asynchronous generator"):
        found.append(await anext(streaming))
        await asyncio.create_task(aclose(streaming))
    return found, await write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
