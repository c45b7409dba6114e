"""A process that is forked in the middle of a workflow works in it, and ends none of what its parent has open."""

import os
import sys
from multiprocessing import get_context

from probe import inside, unchanged

OBSERVED = {"plan": "router.plan", "search": "retriever.fetch", "parse": "processor.parse", "write": "processor.write"}
WORKFLOWS = {"review": "review"}

SPANS = """
review: success
  plan: success
  search: success
    parse: success
  write: success
"""
# What ran in another process is no predecessor here.
EDGES = """
review -> plan nested
plan -> search parallel
search -> parse nested
plan -> write sequential
"""


def plan():
    inside("plan")


def search(key, answers):
    inside("search")
    with unchanged("parse, in a child"):
        answers.put(parse(key))


def parse(page):
    inside("parse")
    return page.upper()


def write():
    inside("write")
    return "written"


def review():
    inside("review")
    plan()
    forking = get_context("fork")
    answers = forking.SimpleQueue()
    with unchanged("fork"):
        child = forking.Process(target=search, args=("ab", answers))
        child.start()
        child.join()
    with unchanged("a child that leaves"):
        left = leave()
    return answers.get(), child.exitcode, left, write()


def leave():
    child = os.fork()
    if not child:
        sys.exit(7)  # through everything that its parent has open
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    with unchanged("review"):
        print(review())
