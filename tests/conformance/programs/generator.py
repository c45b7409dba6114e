"""Generators: taken to the end, sent to, failing; their consumer works between two items."""

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


def fetch(number):
    inside("fetch")
    return number * 10


def parse(page):
    inside("parse")
    return page + 1


def pages(count):
    inside("pages")
    for number in range(count):
        with unchanged("fetch, in a generator"):
            page = fetch(number)
        with unchanged("a yield, as the generator sees it"):
            yield page
        inside("pages")
    return "all"


def talk():
    inside("talk")
    answer = yield "who?"
    inside("talk")
    try:
        yield answer.upper()
    except LookupError:
        inside("talk")
        raise


def consume():
    made = pages(2)
    while True:
        with unchanged("an item"):
            try:
                page = next(made)
            except StopIteration as end:
                return end.value
        with unchanged("parse, between two items"):
            parse(page)


def review():
    inside("review")
    with unchanged("consume"):
        said = [consume()]
    with unchanged("talk"):
        talking = talk()
        said += [next(talking), talking.send("ann")]
        try:
            talking.throw(LookupError("gone"))
        except LookupError as error:
            said.append(repr(error))
    return said


def main():
    with unchanged("review"):
        print(review())
    print(inspect.isgeneratorfunction(pages), inspect.signature(pages))
