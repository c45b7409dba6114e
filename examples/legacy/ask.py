"""
A small program that was not written for tta_observe, and does not import it: it answers questions from a few notes.

Run it as it is, then observed; only ``pyproject.toml`` beside it says what to look at::

    python examples/legacy/ask.py "where is my parcel"
    tta-observe run --report examples/legacy/ask.py "where is my parcel"
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from helpdesk.checks import RefusedError, check_length, check_politeness
from helpdesk.model import complete
from helpdesk.search import Index

log = logging.getLogger("helpdesk")


async def answer(question: str, index: Index) -> str:
    """Look both places up at once, ask the model, check what it wrote."""
    notes, orders = await asyncio.gather(index.search_notes(question), index.search_orders(question))
    reply = await complete(question, [*notes, *orders])
    text: str = reply["choices"][0]["message"]["content"]
    await asyncio.gather(check_length(text), check_politeness(text))
    return text


async def answer_all(questions: list[str]) -> int:
    """Answer one question after the other; returns how many could not be answered."""
    index, refused = Index(), 0
    for question in questions:
        try:
            print(await answer(question, index))
        except RefusedError as error:
            log.warning("not sent: %s", error)
            refused += 1
    return refused


def main() -> int:
    """Read the command line; the exit code says whether every question was answered."""
    parser = argparse.ArgumentParser(description="Answer questions of customers.")
    parser.add_argument("questions", nargs="+", metavar="QUESTION")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, format="%(name)s: %(message)s")
    return 3 if asyncio.run(answer_all(options.questions)) else 0


if __name__ == "__main__":
    sys.exit(main())
