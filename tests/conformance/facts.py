"""What was seen of a program that has ended: what it printed, what the store holds, what it noticed of itself."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

from rows import forest

_EDGES, _EXECUTIONS, _ACTIVE = "primitive.connection.count", "primitive.execution.count", "agent.workflows.active"

_LAST_POINTS = """
    SELECT series.instrument, series.labels, points.value FROM series JOIN points ON points.series = series.id
    WHERE points.time_ns = (SELECT max(time_ns) FROM points AS other WHERE other.series = series.id)
"""


@dataclass(frozen=True)
class Span:
    """One span of the store."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    attributes: dict

    @property
    def shown(self):
        """The primitive's name, and how it ended."""
        early = " closed early" if self.attributes.get("execution.closed_early") else ""
        ended = f"{self.attributes.get('execution.status')} {self.attributes.get('error.type', '')}".rstrip()
        return f"{self.attributes.get('primitive.name', self.name)}: {ended}{early}"


@dataclass(frozen=True)
class Facts:
    """Everything that the columns are about."""

    printed: str
    code: int
    said: str = ""
    spans: tuple[Span, ...] = ()
    points: tuple[tuple[str, dict, float], ...] = ()
    probes: tuple[dict, ...] = field(default=(), repr=False)

    def trees(self):
        """The spans with how each ended, by who runs inside whom; a parent that is not there makes a root."""
        return forest(list(self._lines(None, 0)))

    def _lines(self, parent, depth):
        known = {span.span_id for span in self.spans}
        for span in self.spans:
            if (span.parent_id if span.parent_id in known else None) == parent:
                yield depth, span.shown
                yield from self._lines(span.span_id, depth + 1)

    def edges(self):
        """How often each (source, target, connection type) was counted, in all processes together."""
        found = Counter()
        for labels, value in self._points_of(_EDGES):
            found[labels["source.primitive"], labels["target.primitive"], labels["connection.type"]] += value
        return found

    def executions(self):
        """How often what was counted to have ended how: texts as a span shows."""
        found = Counter()
        for labels, value in self._points_of(_EXECUTIONS):
            ended = f"{labels.get('execution.status')} {labels.get('error.type', '')}".rstrip()
            found[f"{labels.get('primitive.name')}: {ended}"] += value
        return found

    def active_workflows(self):
        """How many workflows are said to be running still."""
        return sum(value for _, value in self._points_of(_ACTIVE))

    def _points_of(self, instrument):
        return ((labels, value) for name, labels, value in self.points if name == instrument)


def stored(path):
    """The spans and the last point of every series in the store at *path*."""
    if not path.exists():
        return (), ()
    with closing(sqlite3.connect(path)) as store:
        spans = store.execute("SELECT name, trace_id, span_id, parent_id, start_ns, attributes FROM spans").fetchall()
        points = store.execute(_LAST_POINTS).fetchall()
    return (
        tuple(Span(*values, json.loads(attributes)) for *values, attributes in spans),
        tuple((name, json.loads(labels), value) for name, labels, value in points),
    )


def noticed(path):
    """What the probes wrote."""
    return tuple(map(json.loads, path.read_text(encoding="utf-8").splitlines())) if path.exists() else ()
