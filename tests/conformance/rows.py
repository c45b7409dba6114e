"""The rows of the table: plain programs, what is observed of them, and what must be seen of it."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"

ROWS = (
    "sync",
    "async",
    "generator",
    "async generator",
    "method",
    "classmethod",
    "staticmethod",
    "partial",
    "callable object",
    "gather",
    "task group",
    "create task",
    "to thread",
    "executor",
    "instrumented threads",
    "process pool",
    "anyio",
    "fork",
    "spawn",
    "gunicorn preload",
    "asgi middleware",
    "streaming response",
    "cancelled",
    "timed out",
    "abandoned",
    "closed elsewhere",
    "exception groups",
    "recursion",
)
"""In the order of the table."""

Tree = tuple[str, tuple]
"""What a span shows, and the spans inside it: in alphabetical order, for those side by side begin in any."""


@dataclass(frozen=True)
class Row:
    """
    One program and its oracle, written by hand beside it.

    *observed* has the names of functions with type and action, *workflows* with the workflow that they are.
    """

    name: str
    source: str
    observed: dict[str, str]
    workflows: dict[str, str]
    spans: str
    connections: str

    def trees(self):
        """The expected spans with how each ended, by who runs inside whom."""
        return forest([(len(line) - len(line.lstrip()), line.strip()) for line in self.spans.strip().splitlines()])

    def edges(self):
        """How often each (source, target, connection type) must be counted."""
        found = Counter()
        for line in self.connections.strip().splitlines():
            source, _, rest = line.partition(" -> ")
            target, kind, *times = rest.split()
            found[source, target, kind] += int(times[0]) if times else 1
        return found


def read(name):
    """The row called *name*."""
    stem = name.replace(" ", "_")
    path = next(p for p in (PROGRAMS / f"{stem}.py", PROGRAMS / f"{stem}_.py") if p.exists())
    source = path.read_text(encoding="utf-8")
    said = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and node.targets[0].id in {"OBSERVED", "WORKFLOWS", "SPANS", "EDGES"}
    }
    return Row(name, source, said["OBSERVED"], said["WORKFLOWS"], said["SPANS"], said["EDGES"])


def forest(lines):
    """Lines of (indentation, text) as trees."""
    trees, rest = [], list(lines)
    while rest:
        depth, text = rest.pop(0)
        inner = []
        while rest and rest[0][0] > depth:
            inner.append(rest.pop(0))
        trees.append((text, forest(inner)))
    return tuple(sorted(trees))


def names_only(trees):
    """The same trees without how the spans ended."""
    return tuple(sorted((text.partition(":")[0], names_only(inner)) for text, inner in trees))


def flat(trees):
    """All that stands in *trees*, however deep."""
    for text, inner in trees:
        yield text
        yield from flat(inner)


def drawn(trees, depth=0):
    """*trees* as they are written in a row."""
    lines = (f"{'  ' * depth}{text}\n{drawn(inner, depth + 1)}" for text, inner in trees)
    return "".join(lines)
