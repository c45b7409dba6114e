"""Tasks that are cancelled while they wait: the caller's own, and one that cleans up."""

import asyncio

from probe import inside, unchanged

OBSERVED = {
    "wait": "tool.call",
    "hold": "tool.call",
    "tidy": "tool.call",
    "stream": "llm.stream",
    "write": "processor.write",
}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  wait: cancelled
  write: success
  hold: cancelled
    tidy: success
  write: success
  stream: cancelled
  write: success
"""
EDGES = """
review -> wait nested
wait -> write parallel
write -> hold parallel
hold -> tidy nested
hold -> write parallel
write -> stream parallel
stream -> write parallel
"""


async def wait():
    inside("wait")
    await asyncio.sleep(60)


async def hold():
    inside("hold")
    try:
        await asyncio.sleep(60)
    finally:
        with unchanged("tidy, while it is cancelled"):
            await tidy()


async def tidy():
    inside("tidy")
    await asyncio.sleep(0)


async def stream():
    inside("stream")
    yield 1
    inside("stream")
    await asyncio.sleep(60)


async def read():
    with unchanged("a stream that is cancelled"):
        async for _ in stream():
            pass


async def write():
    inside("write")


async def review():
    inside("review")
    said = []
    for work in (wait, hold, read):
        with unchanged(work.__name__):
            running = asyncio.create_task(work())
            await asyncio.sleep(0.01)
            running.cancel("enough")
            try:
                await running
            except asyncio.CancelledError as error:
                said.append(repr(error))
        await write()
    return said


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
