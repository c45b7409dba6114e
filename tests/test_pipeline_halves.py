"""A batch that is too large for one request, as two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from tta_observe._export import Batch
from tta_observe._pipeline.halves import halves


def collected(*counts):
    """Metrics of several scopes: as many points each as *counts* says."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource({"service.name": "s"}), shutdown_on_exit=False)
    for number, count in enumerate(counts):
        counter = provider.get_meter(f"scope {number % 2}").create_counter(f"count.{number}")
        for label in range(count):
            counter.add(label + 1, {"label": str(label)})
    return reader.get_metrics_data() or MetricsData([])


def points(metrics):
    """What a receiver sees, in order."""
    return [
        (scope.scope.name, metric.name, point.attributes[0].value.string_value, point.as_int)
        for resource in encode_metrics(metrics).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.sum.data_points
    ]


@pytest.mark.parametrize("count", [2, 3, 512])
def test_halves_of_spans_are_those_spans_in_order(count):
    """
    What is counted as delivered is counted from the front.
    """
    first, second = halves(Batch(spans=list(range(count))))

    assert list(range(count)) == [*first.spans, *second.spans]
    assert abs(len(first.spans) - len(second.spans)) <= 1


@pytest.mark.parametrize("batch", [Batch(), Batch(spans=[1]), Batch(metrics=MetricsData([]))], ids=["", "span", "none"])
def test_what_has_one_part_has_no_halves(batch):
    """
    Halving for ever would hang the worker.
    """
    assert halves(batch) is None


@given(st.lists(st.integers(1, 5), max_size=6))
def test_parts_of_metrics_are_those_metrics_in_order_down_to_the_single_point(counts):
    """
    No point may be lost, doubled or put before its zero, and the encoder keeps one of two scopes that are equal.
    """
    metrics = collected(*counts)
    parts, whole = [Batch(metrics=metrics)] if counts else [], []
    while parts:
        part = parts.pop(0)
        divided = halves(part)
        if divided is None:
            whole += points(part.metrics)
        else:
            assert points(part.metrics) == [p for half in divided for p in points(half.metrics)]
            parts[:0] = divided

    assert points(metrics) == whole
