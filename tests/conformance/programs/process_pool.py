"""Processes of a pool, and what runs inside them: with propagate()."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from probe import inside, unchanged

from tta_observe import propagate

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "parse": "processor.parse", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
    parse: success
  search: error ValueError
  write: success
"""
# What ran in another process is no predecessor here: the pool brings back its result, not its context.
EDGES = """
review -> plan nested
plan -> search parallel 2
search -> parse nested
plan -> write sequential
"""


def plan():
    inside("plan")


def search(key):
    inside("search")
    if not key:
        raise ValueError("nothing to look for")
    with unchanged("parse, in a process"):
        return parse(key)


def parse(page):
    inside("parse")
    return page.upper()


def write():
    inside("write")
    return "written"


def idle():
    with unchanged("a worker"):
        pass


def review(pool):
    inside("review")
    plan()
    with unchanged("submit"):
        found = pool.submit(propagate(search), "ab"), pool.submit(propagate(search), "")
        return found[0].result(), repr(found[1].exception()), write()


def main():
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        pool.submit(idle).result()  # its process is older than the workflow, and has inherited nothing of it
        with unchanged("review"):
            print(review(pool))
        pool.submit(idle).result()
