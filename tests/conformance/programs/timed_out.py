"""Time limits: around a step from outside, and inside one."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"wait": "tool.call", "patient": "tool.call", "stream": "llm.stream", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  wait: cancelled
  patient: error TimeoutError
    wait: cancelled
  stream: error TimeoutError
  write: success
"""
EDGES = """
review -> wait nested
wait -> patient sequential
patient -> wait nested
patient -> stream sequential
stream -> write sequential
"""


async def wait():
    inside("wait")
    await asyncio.sleep(60)


async def patient():
    inside("patient")
    async with asyncio.timeout(0.01):
        await wait()


async def stream():
    inside("stream")
    yield 1
    async with asyncio.timeout(0.01):
        inside("stream")
        await asyncio.sleep(60)


async def read():
    async for _ in stream():
        pass


async def write():
    inside("write")
    return "written"


async def limited():
    async with asyncio.timeout(0.01):
        await wait()


async def review():
    inside("review")
    said = []
    for work in (limited, patient, read):
        with unchanged(work.__name__):
            try:
                await work()
            except TimeoutError as error:
                said.append((repr(error), repr(error.__cause__)))
    return said, await write()


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
