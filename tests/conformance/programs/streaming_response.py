"""A streamed answer: read to its end, and left by its reader after the first piece."""

import asyncio

from asgi import request
from probe import inside, unchanged
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tta_observe.web import TTAMiddleware

OBSERVED = {"tokens": "llm.stream", "look_up": "retriever.fetch"}
WORKFLOWS = {"answer": "answer"}

SPANS = """
answer: success
  look_up: success
  tokens: success
answer: cancelled
  look_up: success
  tokens: cancelled
"""
EDGES = """
answer -> look_up nested 2
look_up -> tokens sequential 2
"""


async def look_up(key):
    inside("look_up")
    await asyncio.sleep(0)
    return key


async def tokens(key):
    inside("tokens")
    yield key
    inside("tokens")
    await asyncio.sleep(60 if key == "slow" else 0)
    yield key.upper()


async def answer(key):
    inside("answer")
    found = await look_up(key)
    inside("answer")
    async for token in tokens(found):
        with unchanged("a yield, as the workflow sees it"):
            yield token
    inside("answer")


async def endpoint(asked):
    with unchanged("answer"):
        return StreamingResponse(answer(asked.path_params["key"]))


app = TTAMiddleware(Starlette(routes=[Route("/{key}", endpoint)]))


async def start():
    with unchanged("a streamed answer"):
        print(await request(app, "/quick", {}))
    with unchanged("a reader who leaves"):
        print(await request(app, "/slow", {}, leave_after=1))


def main():
    asyncio.run(start())
