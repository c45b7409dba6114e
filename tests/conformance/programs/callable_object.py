"""Objects that can be called, one of them asynchronously."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"double": "processor.double", "ask": "llm.complete"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  Times: success
  Times: error TypeError
  Asking: success
"""
EDGES = """
review -> Times nested
Times -> Times sequential
Times -> Asking sequential
"""


class Times:
    def __init__(self, number):
        self.number = number

    def __call__(self, value):
        inside("Times")
        return value * self.number


class Asking:
    words = 3

    async def __call__(self, prompt):
        inside("Asking")
        await asyncio.sleep(0)
        return prompt[: self.words]


double = Times(2)
ask = Asking()


async def review():
    inside("review")
    with unchanged("double"):
        found = [double("ab")]
    try:
        with unchanged("double, failing"):
            double({})
    except TypeError as error:
        found.append(repr(error))
    with unchanged("ask"):
        return [*found, await ask("abcdef")]


def main():
    with unchanged("run"):
        print(asyncio.run(review()))
    double.number = 3
    print(double.number, isinstance(double, Times), ask.words)
