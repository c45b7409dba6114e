"""A batch that is too large for one request, as two."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricsData

from tta_observe._export import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.metrics.export import Metric, ResourceMetrics, ScopeMetrics

    _Placed = tuple[ResourceMetrics, ScopeMetrics, Metric]


def halves(batch: Batch) -> tuple[Batch, Batch] | None:
    """The two halves of *batch*, in order, which holds spans or metrics; None when it cannot be divided."""
    middle = len(batch.spans) // 2
    if middle:
        return Batch(spans=batch.spans[:middle]), Batch(spans=batch.spans[middle:])
    found = _halved(list(_placed(batch.metrics))) if batch.metrics is not None else None
    return found and (_together(found[0]), _together(found[1]))


def _halved(placed: list[_Placed]) -> tuple[list[_Placed], list[_Placed]] | None:
    middle = len(placed) // 2
    if middle:
        return placed[:middle], placed[middle:]
    points = len(placed[0][2].data.data_points) // 2 if placed else 0
    return ([_some(placed[0], slice(points))], [_some(placed[0], slice(points, None))]) if points else None


def _some(placed: _Placed, which: slice) -> _Placed:
    resource, scope, metric = placed
    data = replace(metric.data, data_points=metric.data.data_points[which])  # type: ignore[arg-type]
    return resource, scope, replace(metric, data=data)


def _placed(metrics: MetricsData) -> Iterator[_Placed]:
    for resource in metrics.resource_metrics:
        for scope in resource.scope_metrics:
            yield from ((resource, scope, metric) for metric in scope.metrics)


def _together(placed: Iterable[_Placed]) -> Batch:
    # By resource and scope as before: of two that are equal the encoder would keep one.
    resources: list[ResourceMetrics] = []
    for resource, of_resource in groupby(placed, itemgetter(0)):
        scopes = [
            replace(scope, metrics=[metric for *_, metric in of_scope])
            for scope, of_scope in groupby(of_resource, itemgetter(1))
        ]
        resources.append(replace(resource, scope_metrics=scopes))
    return Batch(metrics=MetricsData(resources))
