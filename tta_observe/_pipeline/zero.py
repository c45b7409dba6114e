"""
Born at zero: a series whose first sample is 1 is invisible to ``rate()``.

So a copy of each new cumulative point with value 0, at the time of the collection before, is sent along, until a
request that holds it was acknowledged. Every cumulative point carries the start of the pipeline as its start time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import Histogram, MetricsData, Sum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import Metric, ScopeMetrics

_MILLISECOND: Final = 1_000_000

_Key = tuple[str, str, frozenset[Any]]


class BornAtZero:
    """Adds the zeros of one exporter's metrics, and remembers which have arrived."""

    def __init__(self, started_ns: int) -> None:
        # A millisecond early: the zero of a point that is collected at once must not lie before its own start.
        self._started = self._previous = started_ns - _MILLISECOND
        self._arrived: set[_Key] = set()
        self._sent: set[_Key] = set()

    def add(self, metrics: MetricsData, scope: str | None, now_ns: int) -> MetricsData:
        """*metrics* with the zeros in front; only those of *scope*, when it is given."""
        self._sent = set()
        found = MetricsData(
            [
                replace(
                    resource,
                    scope_metrics=[self._scope(s) for s in resource.scope_metrics if scope in (None, s.scope.name)],
                )
                for resource in metrics.resource_metrics
            ]
        )
        self._previous = now_ns
        return found

    def acknowledged(self, part: MetricsData | None = None) -> None:
        """The last result of :meth:`add` has arrived, or that *part* of it."""
        if self._sent:
            self._arrived |= self._sent if part is None else self._sent.intersection(_keys(part))

    def _scope(self, scope: ScopeMetrics) -> ScopeMetrics:
        return replace(scope, metrics=[self._metric(scope.scope.name, metric) for metric in scope.metrics])

    def _metric(self, scope: str, metric: Metric) -> Metric:
        data = metric.data
        if not isinstance(data, (Sum, Histogram)):
            return metric
        with_zeros = isinstance(data, Histogram) or data.is_monotonic
        series = (scope, metric.name)
        points: list[Any] = [
            made for point in data.data_points for made in self._points(series, point, with_zeros=with_zeros)
        ]
        return replace(metric, data=replace(data, data_points=points))  # type: ignore[arg-type]

    def _points(self, series: tuple[str, str], point: Any, *, with_zeros: bool) -> Iterator[Any]:
        dated = replace(point, start_time_unix_nano=self._started)
        key = _key(*series, point)
        if with_zeros and key not in self._arrived:
            self._sent.add(key)
            yield zeroed(dated, min(self._previous, dated.time_unix_nano - _MILLISECOND))
        yield dated


def _keys(metrics: MetricsData) -> Iterator[_Key]:
    for resource in metrics.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from (_key(scope.scope.name, metric.name, point) for point in metric.data.data_points)


def _key(scope: str, metric: str, point: Any) -> _Key:
    return scope, metric, frozenset(point.attributes.items())


def zeroed(point: Any, time_ns: int) -> Any:
    """A copy of *point*, of a number or a histogram, before anything was measured."""
    if hasattr(point, "bucket_counts"):
        empty = [0] * len(point.bucket_counts)
        return replace(point, time_unix_nano=time_ns, count=0, sum=0.0, bucket_counts=empty, min=0, max=0, exemplars=[])
    return replace(point, time_unix_nano=time_ns, value=type(point.value)(0), exemplars=[])
