"""The ledgers of the pipeline as metrics, so that what is lost shows where everything else is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    Sum,
)

from tta_observe import semconv
from tta_observe.instruments import SPANS_EXPORTED, SPANS_WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tta_observe._pipeline.intake import LaneStats
    from tta_observe.instruments import InstrumentSpec

_Counts = list[tuple[str, str, int]]
"""Exporter, outcome, spans."""


def with_accounts(metrics: MetricsData, rows: Iterable[LaneStats], now_ns: int) -> MetricsData:
    """
    *metrics* with what became of the spans of every exporter; as they are where nothing of ours is in them.

    They do not go through a meter: the application's provider, which may collect for ours, has no part in this.
    """
    recorded = [row for row in rows if row.recorded]
    added = _metrics(recorded, now_ns) if recorded else []
    return replace(metrics, resource_metrics=[_with(resource, added) for resource in metrics.resource_metrics])


def _with(resource: ResourceMetrics, added: list[Metric]) -> ResourceMetrics:
    # Beside the others of our scope: of two scopes that are equal the encoder would keep one.
    return replace(
        resource,
        scope_metrics=[
            replace(scope, metrics=[*scope.metrics, *added]) if scope.scope.name == semconv.SCOPE else scope
            for scope in resource.scope_metrics
        ],
    )


def _metrics(rows: Sequence[LaneStats], now_ns: int) -> list[Metric]:
    ended: _Counts = [(row.exporter, semconv.DELIVERED, row.delivered) for row in rows]
    ended += [(row.exporter, reason, count) for row in rows for reason, count in row.dropped.items()]
    waiting: _Counts = [(row.exporter, semconv.QUEUED, row.queued) for row in rows]
    waiting += [(row.exporter, semconv.IN_FLIGHT, row.in_flight) for row in rows]
    return [_metric(SPANS_EXPORTED, ended, now_ns), _metric(SPANS_WAITING, waiting, now_ns)]


def _metric(spec: InstrumentSpec, counts: _Counts, now_ns: int) -> Metric:
    points = [
        NumberDataPoint({semconv.EXPORTER: exporter, semconv.OUTCOME: outcome}, now_ns, now_ns, count)
        for exporter, outcome, count in counts
    ]
    data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=spec.kind == "counter")
    return Metric(spec.name, spec.description, spec.unit, data)
