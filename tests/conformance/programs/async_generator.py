"""Asynchronous generators: taken to the end, sent to, failing; their consumer works between two items."""

import asyncio
import inspect

from probe import inside, unchanged

OBSERVED = {"pages": "retriever.fetch", "fetch": "tool.call", "parse": "processor.parse", "talk": "llm.complete"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  pages: success
    fetch: success
    fetch: success
  parse: success
  parse: success
  talk: error LookupError
"""
EDGES = """
review -> pages nested
pages -> fetch nested
fetch -> fetch sequential
review -> parse nested
parse -> parse sequential
parse -> talk sequential
pages -> talk sequential
"""


async def fetch(number):
    inside("fetch")
    await asyncio.sleep(0)
    return number * 10


async def parse(page):
    inside("parse")
    await asyncio.sleep(0)
    return page + 1


async def pages(count):
    inside("pages")
    for number in range(count):
        with unchanged("fetch, in a generator"):
            page = await fetch(number)
        with unchanged("a yield, as the generator sees it"):
            yield page
        inside("pages")


async def talk():
    inside("talk")
    answer = yield "who?"
    inside("talk")
    yield answer.upper()


async def consume():
    made = pages(2)
    while True:
        with unchanged("an item"):
            try:
                page = await anext(made)
            except StopAsyncIteration:
                return "all"
        with unchanged("parse, between two items"):
            await parse(page)


async def review():
    inside("review")
    with unchanged("consume"):
        said = [await consume()]
    with unchanged("talk"):
        talking = talk()
        said += [await anext(talking), await talking.asend("ann")]
        try:
            await talking.athrow(LookupError("gone"))
        except LookupError as error:
            said.append(repr(error))
    return said


async def start():
    with unchanged("review"):
        return await review()


def main():
    print(asyncio.run(start()))
    print(inspect.isasyncgenfunction(pages), inspect.signature(pages))
