"""The table as text: a row for each program, a column for each question, one half for each way of running it."""

from __future__ import annotations

import textwrap

GREEN, RED = "ok", "FAIL"


def table(outcomes, ways, columns):
    """The table, and below it what is wrong in the cells that are not green."""
    width = max(len(outcome.name) for outcome in outcomes)
    head = "".join(f"  {column:<10}" for column in columns)
    lines = [
        (" " * width + "".join(f"  {way:<{len(head) - 2}}" for way in ways)).rstrip(),
        (f"{'':<{width}}" + head * len(ways)).rstrip(),
        *(_row(outcome, ways, width) for outcome in outcomes),
    ]
    details = [text for outcome in outcomes for text in _details(outcome)]
    return "\n".join([*lines, "", *details, _end(outcomes)])


def _row(outcome, ways, width):
    cells = (cell for way in ways for cell in outcome.wrong[way].values())
    return (f"{outcome.name:<{width}}" + "".join(f"  {RED if cell else GREEN:<10}" for cell in cells)).rstrip()


def _details(outcome):
    for way, columns in outcome.wrong.items():
        for column, problems in columns.items():
            if problems:
                yield f"{outcome.name}, {way}, {column}:"
                yield textwrap.indent("\n".join(problems), "    ") + "\n"


def _end(outcomes):
    cells = [not problems for o in outcomes for columns in o.wrong.values() for problems in columns.values()]
    return f"{sum(cells)} of {len(cells)} cells are green, in {sum(o.seconds for o in outcomes):.0f} s of work"
