"""Functions with some of their arguments given: of a plain function and of a coroutine function."""

import asyncio
import functools

from probe import inside, unchanged

OBSERVED = {"doubled": "processor.double", "ask_shortly": "llm.complete"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  times: success
  times: error TypeError
  ask: success
"""
EDGES = """
review -> times nested
times -> times sequential
times -> ask sequential
"""


def times(number, value):
    inside("times")
    return value * number


async def ask(prompt, *, words):
    inside("ask")
    await asyncio.sleep(0)
    return prompt[:words]


doubled = functools.partial(times, 2)
ask_shortly = functools.partial(ask, words=3)


async def review():
    inside("review")
    with unchanged("doubled"):
        found = [doubled("ab")]
    try:
        with unchanged("doubled, failing"):
            doubled({})
    except TypeError as error:
        found.append(repr(error))
    with unchanged("ask_shortly"):
        return [*found, await ask_shortly("abcdef")]


def main():
    with unchanged("run"):
        print(asyncio.run(review()))
    print(doubled.func is times, doubled.args, isinstance(ask_shortly, functools.partial))
