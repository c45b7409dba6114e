"""The table as text: a row for each program, a column for each question, one half for each way of running it."""

from __future__ import annotations

import textwrap

GREEN, RED = "ok", "FAIL"


def table(outcomes, ways, columns):
    """The table, and below it what is wrong in the cells that are not green."""
    width = max(len(outcome.name) for outcome in outcomes)
    head = "  ".join(columns)
    lines = [
        _line("", (f"{way:<{len(head)}}" for way in ways), width),
        _line("", (head for _ in ways), width),
        *(_line(outcome.name, (_half(outcome.wrong[way]) for way in ways), width) for outcome in outcomes),
    ]
    details = [text for outcome in outcomes for text in _details(outcome)]
    return "\n".join([*lines, "", *details, _end(outcomes)])


def _half(cells):
    return "  ".join(f"{RED if problems else GREEN:<{len(column)}}" for column, problems in cells.items())


def _line(name, halves, width):
    return "    ".join([f"{name:<{width}}", *halves]).rstrip()


def _details(outcome):
    """What is wrong, each said once with all the cells that it is wrong in."""
    found = {}
    for way, columns in outcome.wrong.items():
        for column, problems in columns.items():
            if problems:
                found.setdefault("\n".join(problems), []).append(f"{way}: {column}")
    for problems, cells in found.items():
        yield f"{outcome.name}, {', '.join(cells)}"
        yield textwrap.indent(problems, "    ") + "\n"


def _end(outcomes):
    cells = [not problems for o in outcomes for columns in o.wrong.values() for problems in columns.values()]
    return f"{sum(cells)} of {len(cells)} cells are green, in {sum(o.seconds for o in outcomes):.0f} s of work"
