"""A Starlette application behind the middleware: a request of a caller, one of nobody, one that lies."""

import asyncio

from asgi import request
from probe import inside, unchanged
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tta_observe import inject_context
from tta_observe.web import TTAMiddleware

OBSERVED = {"call": "tool.call", "look_up": "retriever.fetch"}
WORKFLOWS = {"ask": "ask", "answer": "answer"}

SPANS = """
ask: success
  call: success
    answer: success
      look_up: success
answer: success
  look_up: success
answer: success
  look_up: success
"""
EDGES = """
ask -> call nested
call -> answer remote
answer -> look_up nested 3
"""


async def look_up(key):
    inside("look_up")
    await asyncio.sleep(0)
    return key.upper()


async def answer(key):
    inside("answer")
    return await look_up(key)


async def endpoint(asked):
    with unchanged("answer"):
        return PlainTextResponse(await answer(asked.path_params["key"]))


app = TTAMiddleware(Starlette(routes=[Route("/{key}", endpoint)]))


async def call(key):
    inside("call")
    with unchanged("a request"):
        return await request(app, f"/{key}", inject_context({}))


async def ask():
    inside("ask")
    return await call("a")


async def start():
    with unchanged("ask"):
        print(await ask())
    with unchanged("a request of nobody"):
        print(await request(app, "/b", {}))
    with unchanged("a request that lies"):
        print(
            await request(app, "/c", {"traceparent": "00-" + "z" * 32 + "-1-01", "baggage": "tta.primitive=%ff" * 99})
        )


def main():
    asyncio.run(start())
