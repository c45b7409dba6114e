"""Plain functions: a result, an exception, and one that calls another."""

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


def fetch(key: str, *, times: int = 1) -> str:
    """Look it up."""
    inside("fetch")
    return key * times


def parse(page):
    inside("parse")
    raise ValueError(page)


def summarise(page):
    inside("summarise")
    with unchanged("fetch"):
        return fetch(page).upper()


def review():
    inside("review")
    with unchanged("fetch"):
        page = fetch("ab", times=2)
    try:
        with unchanged("parse"):
            parse(page)
    except ValueError as error:
        failed = repr(error)
    with unchanged("summarise"):
        return page, failed, summarise(page)


def main():
    with unchanged("review"):
        print(review())
    print(inspect.signature(fetch), fetch.__name__, fetch.__doc__, inspect.isfunction(fetch))
