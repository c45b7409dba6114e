"""What became of the spans that live processes gave to their exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.instruments import SPANS_EXPORTED, SPANS_WAITING
from tta_observe.local.records import from_json
from tta_observe.local.rows import ExportRow

if TYPE_CHECKING:
    from tta_observe.local.reader import StoreReader

_LATEST: Final = """
    SELECT series.labels, sum((
        SELECT value FROM points WHERE points.series = series.id AND time_ns <= :now_ns ORDER BY time_ns DESC LIMIT 1
    ))
    FROM processes JOIN series ON series.process = processes.id
    WHERE processes.ended_ns IS NULL AND processes.heartbeat_ns > :alive_ns
    AND series.scope = :scope AND series.instrument IN (:ended, :waiting)
    GROUP BY series.labels
"""


def exports(store: StoreReader, now_ns: int, alive_ns: int) -> tuple[ExportRow, ...]:
    """One row an exporter, over the processes that gave a sign of life after *alive_ns*."""
    names = {"ended": SPANS_EXPORTED.name, "waiting": SPANS_WAITING.name, "scope": semconv.SCOPE}
    found: dict[str, dict[str, int]] = {}
    for text, count in store.rows(_LATEST, {"now_ns": now_ns, "alive_ns": alive_ns, **names}):
        labels = from_json(text)
        found.setdefault(str(labels.get(semconv.EXPORTER)), {})[str(labels.get(semconv.OUTCOME))] = round(count or 0)
    return tuple(_row(exporter, outcomes) for exporter, outcomes in sorted(found.items()))


def _row(exporter: str, outcomes: dict[str, int]) -> ExportRow:
    delivered = outcomes.pop(semconv.DELIVERED, 0)
    waiting = outcomes.pop(semconv.QUEUED, 0) + outcomes.pop(semconv.IN_FLIGHT, 0)
    return ExportRow(exporter, delivered, waiting, {reason: count for reason, count in outcomes.items() if count})
