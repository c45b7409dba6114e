"""Coroutine functions, one after the other and one inside another."""

import asyncio
import inspect

from probe import inside, unchanged

OBSERVED = {"fetch": "retriever.fetch", "parse": "processor.parse", "summarise": "llm.complete"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  fetch: success
  parse: error ValueError
  summarise: success
    fetch: success
"""
EDGES = """
review -> fetch nested
fetch -> parse sequential
parse -> summarise sequential
summarise -> fetch nested
"""


async def fetch(key: str, *, times: int = 1) -> str:
    """Look it up."""
    inside("fetch")
    await asyncio.sleep(0)
    inside("fetch")
    return key * times


async def parse(page):
    inside("parse")
    await asyncio.sleep(0)
    raise ValueError(page)


async def summarise(page):
    inside("summarise")
    with unchanged("fetch"):
        return (await fetch(page)).upper()


async def review():
    inside("review")
    with unchanged("fetch"):
        page = await fetch("ab", times=2)
    try:
        with unchanged("parse"):
            await parse(page)
    except ValueError as error:
        failed = repr(error)
    with unchanged("summarise"):
        return page, failed, await summarise(page)


async def start():
    with unchanged("review"):
        return await review()


def main():
    with unchanged("run"):
        print(asyncio.run(start()))
    print(inspect.signature(fetch), fetch.__name__, fetch.__doc__, inspect.iscoroutinefunction(fetch))
