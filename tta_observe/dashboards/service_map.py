"""
The service map as five queries, for Grafana's node graph.

The panel takes field names literally, so ``id``, ``source``, ``target`` and ``title`` are made as labels. It fails as a
whole when an edge leads to a node that is not there, hence every end of a connection is a node, executed or not. It
also fails on a query named "edges" that has no answer, for it takes that for nodes without an id; hence "connections".
"""

from __future__ import annotations

from typing import Final

from tta_observe import semconv
from tta_observe.dashboards.panel import Query
from tta_observe.dashboards.promql import equals, rate, total
from tta_observe.instruments import CONNECTIONS, EXECUTIONS

ARCS: Final = (("success", "green"), ("errors", "red"), ("cancelled", "#808080"))
"""Parts of the ring around a node, by how executions ended, and their colours."""

_STATUS: Final = {"success": semconv.SUCCESS, "errors": semconv.ERROR, "cancelled": semconv.CANCELLED}


def _named(series: str, label: str, source: str) -> str:
    return f'label_replace({series}, "{label}", "$1", "{source}", "(.+)")'


def _executed(*matchers: str) -> str:
    return f"sum by (id) ({_named(rate(EXECUTIONS, *matchers), 'id', 'primitive_name')})"


def _ends() -> str:
    """Every primitive that a connection begins or ends at."""
    sides = [f"sum by (id) ({_named(rate(CONNECTIONS), 'id', side)})" for side in _SIDES]
    return f"({' or '.join(sides)})"


def _edges() -> str:
    connections = total(rate(CONNECTIONS), semconv.SOURCE_PRIMITIVE, semconv.TARGET_PRIMITIVE)
    for label, side in zip(("source", "target"), _SIDES, strict=True):
        connections = _named(connections, label, side)
    return f'label_join({connections}, "id", " -> ", "source", "target")'


def _nodes() -> str:
    return _named(f"{_executed()} or 0 * {_ends()}", "title", "id")


def _share(arc: str) -> str:
    """Which part of a node's executions ended in one way; 0 for a node that did not run."""
    executed = _executed()
    part = _executed(equals(semconv.EXECUTION_STATUS, _STATUS[arc]))
    return f"({part} or 0 * {executed}) / ({executed} > 0) or 0 * ({executed} or {_ends()})"


_SIDES: Final = ("source_primitive", "target_primitive")

QUERIES: Final = (
    Query("connections", _edges(), as_table=True),
    Query("nodes", _nodes(), as_table=True),
    *(Query(f"node_{arc}", _share(arc), as_table=True) for arc, _ in ARCS),
)
