"""A process that starts anew and is handed the context of a workflow: with propagate()."""

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
    spawning = get_context("spawn")
    answers = spawning.SimpleQueue()
    with unchanged("spawn"):
        child = spawning.Process(target=propagate(search), args=("ab", answers))
        child.start()
        child.join()
    return answers.get(), child.exitcode, write()


def main():
    with unchanged("review"):
        print(review())
