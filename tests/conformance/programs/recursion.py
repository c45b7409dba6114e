"""Functions that call themselves: plain, asynchronous, and a generator inside itself."""

import asyncio

from probe import inside, unchanged

OBSERVED = {"walk": "function.walk", "descend": "function.descend", "leaves": "function.list"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  walk: success
    walk: success
      walk: error ValueError
  descend: success
    descend: success
      descend: success
  leaves: success
    leaves: success
      leaves: success
"""
EDGES = """
review -> walk nested
walk -> walk nested 2
walk -> descend sequential
descend -> descend nested 2
descend -> leaves sequential
leaves -> leaves nested 2
"""


def walk(depth):
    inside("walk")
    if not depth:
        raise ValueError("the end")
    with unchanged("walk, inside walk"):
        try:
            return walk(depth - 1)
        except ValueError as error:
            return repr(error)


async def descend(depth):
    inside("descend")
    await asyncio.sleep(0)
    with unchanged("descend, inside descend"):
        return [depth, *(await descend(depth - 1) if depth else [])]


def leaves(depth):
    inside("leaves")
    yield depth
    inside("leaves")
    if depth:
        yield from leaves(depth - 1)
    inside("leaves")


async def review():
    inside("review")
    with unchanged("all three"):
        return walk(2), await descend(2), list(leaves(2))


async def start():
    with unchanged("review"):
        print(await review())


def main():
    asyncio.run(start())
