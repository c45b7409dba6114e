"""A series is born at zero, and every point says when counting started."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from tta_observe._pipeline.zero import BornAtZero

MS = 1_000_000


class Metered:
    """A counter and its kin on real providers, collected through a BornAtZero whose clock the test holds."""

    def __init__(self, started_ns):
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], Resource({}), shutdown_on_exit=False)
        meter = provider.get_meter("ours")
        self.counter = meter.create_counter("count")
        self.gauge = meter.create_up_down_counter("active")
        self.histogram = meter.create_histogram("duration", explicit_bucket_boundaries_advisory=[1, 10])
        self.foreign = provider.get_meter("theirs").create_counter("foreign")
        self.zeros = BornAtZero(started_ns)

    def collect(self, now_ns, scope="ours", *, acknowledged=True):
        """What would be sent now: metric name to its points."""
        found = self.zeros.add(self.reader.get_metrics_data(), scope, now_ns)
        if acknowledged:
            self.zeros.acknowledged()
        return {
            metric.name: list(metric.data.data_points)
            for resource in found.resource_metrics
            for of_scope in resource.scope_metrics
            for metric in of_scope.metrics
        }


def values(points):
    return [point.count if hasattr(point, "bucket_counts") else point.value for point in points]


def test_first_point_of_a_counter_follows_its_zero_at_the_start_of_the_pipeline():
    """
    The first call ever would be invisible to ``rate()``: the series would begin at 1.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.counter.add(3, {"a": "x"})
    zero, point = metered.collect(2000 * MS)["count"]

    assert (0, 3) == (zero.value, point.value)
    assert {"a": "x"} == dict(zero.attributes) == dict(point.attributes)
    assert zero.time_unix_nano == zero.start_time_unix_nano == point.start_time_unix_nano == 999 * MS
    assert type(zero.value) is type(point.value)


def test_zero_of_a_histogram_is_empty_in_every_part():
    """
    A single run of a workflow must give a P95, so buckets, sum and count all have to rise from nothing.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.histogram.record(5)
    zero, point = metered.collect(2000 * MS)["duration"]

    assert (0, 0, [0, 0, 0]) == (zero.count, zero.sum, list(zero.bucket_counts))
    assert (1, 5, [0, 1, 0]) == (point.count, point.sum, list(point.bucket_counts))
    assert list(zero.explicit_bounds) == list(point.explicit_bounds)
    assert zero.time_unix_nano < point.time_unix_nano


def test_later_series_start_at_the_collection_before():
    """
    A zero in the distant past would spread the first calls over hours.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.counter.add(1, {"a": "x"})
    metered.collect(2000 * MS)
    metered.counter.add(1, {"a": "y"})
    points = metered.collect(3000 * MS)["count"]

    assert [1, 0, 1] == values(points)
    assert 2000 * MS == points[1].time_unix_nano
    assert {999 * MS} == {point.start_time_unix_nano for point in points}


def test_zero_is_repeated_until_a_request_with_it_was_acknowledged():
    """
    Requests get lost in just those minutes in which a receiver starts.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.counter.add(1)
    lost = [values(metered.collect(2000 * MS, acknowledged=False)["count"]) for _ in range(3)]
    arrived = values(metered.collect(5000 * MS)["count"])
    after = values(metered.collect(6000 * MS)["count"])

    assert ([[0, 1]] * 3, [0, 1], [1]) == (lost, arrived, after)


def test_series_born_in_a_lost_request_is_not_taken_for_arrived_by_the_next():
    """
    Only what the acknowledged request held has arrived.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.counter.add(1, {"a": "x"})
    first = metered.zeros.add(metered.reader.get_metrics_data(), "theirs", 2000 * MS)
    metered.zeros.acknowledged()  # of a request from which the scope was filtered out

    assert [] == [scope for resource in first.resource_metrics for scope in resource.scope_metrics]
    assert [0, 1] == values(metered.collect(3000 * MS)["count"])


def test_gauge_gets_no_zero_but_the_same_start():
    """
    What goes up and down has no birth; a zero of it would be a lie about the past.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.gauge.add(2)
    points = metered.collect(2000 * MS)["active"]

    assert [2] == values(points)
    assert 999 * MS == points[0].start_time_unix_nano


def test_foreign_scopes_are_left_out_only_when_a_scope_is_asked_for():
    """
    Our reader on an application's provider must not export the application's metrics a second time.
    """
    metered = Metered(started_ns=1000 * MS)
    metered.foreign.add(1)

    assert {} == metered.collect(2000 * MS)
    assert ["foreign"] == list(metered.collect(3000 * MS, scope=None))


@pytest.mark.parametrize("set_back_ns", [1, MS, 10**18])
def test_zero_precedes_its_point_also_when_the_clock_was_set_back(set_back_ns):
    """
    A zero after its own point would be a reset, counted twice.
    """
    metered = Metered(started_ns=2**62)  # a start in the far future
    metered.counter.add(1)
    zero, point = metered.collect(2**62 - set_back_ns)["count"]

    assert zero.time_unix_nano <= point.time_unix_nano - MS


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=12))
def test_whatever_is_lost_each_series_a_receiver_sees_begins_with_zero(requests):
    """
    Receivers see only what was acknowledged: in it, every series starts at 0 and its times never go back.
    """
    metered = Metered(started_ns=1000 * MS)
    seen = {}
    for number, (label, arrives) in enumerate(requests, start=2):
        metered.counter.add(1, {"a": label})
        points = metered.collect(number * 1000 * MS, acknowledged=arrives)["count"]
        for point in points if arrives else ():
            seen.setdefault(point.attributes["a"], []).append((point.time_unix_nano, point.value))

    assert all(points[0][1] == 0 and 1 <= points[1][1] for points in seen.values())
    assert all(points == sorted(points) for points in seen.values())
    assert all([0] == [value for _, value in points if value == 0] for points in seen.values())
