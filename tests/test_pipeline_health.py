"""When to try again, and what to say about it."""

from __future__ import annotations

import pytest

from tta_observe._export import ExportFailed
from tta_observe._pipeline.health import Health

DOWN = ExportFailed("UNAVAILABLE", retryable=True)
REFUSED = ExportFailed("UNAUTHENTICATED", retryable=False)


@pytest.fixture(name="now")
def _now():
    """Seconds on the clock of the test."""
    return [1000.0]


@pytest.fixture(name="health")
def _health(now):
    return Health(lambda: "there:4317", clock=lambda: now[0])


def lines(caplog):
    return [record.getMessage().split(";")[0] for record in caplog.records]


def test_waits_double_up_to_half_a_minute_and_end_with_the_first_success(health):
    """
    Long outages cost little, and the end of one is noticed within half a minute.
    """
    waits = []
    for _ in range(7):
        health.failed("TRACES", DOWN, last=False)
        waits.append(health.backoff_s)
    health.succeeded("TRACES", last=False)

    assert [1, 2, 4, 8, 16, 30, 30] == waits
    assert 0 == health.backoff_s


def test_nothing_is_waited_for_after_a_refusal(health):
    """
    What was refused is gone: the next batch is another question.
    """
    health.failed("TRACES", REFUSED, last=False)

    assert 0 == health.backoff_s


def test_long_outage_is_told_every_five_minutes(health, now, caplog):
    """
    Often enough to be found, rarely enough to be kept.
    """
    for second in range(0, 601, 10):
        now[0] = 1000.0 + second
        health.failed("TRACES", DOWN, last=False)
        health.failed("METRICS", DOWN, last=False)

    assert ["telemetry does not reach there:4317 (UNAVAILABLE)"] * 3 == lines(caplog)


def test_recovery_is_told_once_and_only_when_every_signal_is_back(health, caplog):
    """
    "Again" while half of it is still lost would be false.
    """
    health.failed("TRACES", DOWN, last=False)
    health.failed("METRICS", DOWN, last=False)
    said = []
    for signal in ("TRACES", "TRACES", "METRICS", "METRICS"):
        health.succeeded(signal, last=False)
        said.append(len(caplog.records))

    assert [1, 1, 2, 2] == said
    assert ["telemetry does not reach there:4317 (UNAVAILABLE)", "telemetry reaches there:4317 again"] == lines(caplog)


def test_refusals_between_successes_are_one_line_in_five_minutes(health, now, caplog):
    """
    One span in each batch that a receiver does not like is no news every second.
    """
    for second in range(299):
        now[0] = 1000.0 + second
        health.failed("TRACES", REFUSED, last=False)
        health.succeeded("TRACES", last=False)

    assert ["there:4317 does not take the telemetry (UNAUTHENTICATED): it is dropped and counted"] == lines(caplog)


@pytest.mark.parametrize("earlier", [0, 1])
def test_end_of_the_process_adds_no_second_line(health, caplog, earlier):
    """
    The last lines on a screen are the program's own.
    """
    for _ in range(earlier):
        health.failed("TRACES", DOWN, last=False)
    health.failed("TRACES", DOWN, last=True)
    health.failed("METRICS", REFUSED, last=True)
    health.succeeded("TRACES", last=True)

    assert 1 == len(caplog.records)


def test_reached_means_that_something_was_acknowledged(health):
    """
    It decides how long an exit waits.
    """
    health.failed("TRACES", DOWN, last=False)
    before = health.reached
    health.succeeded("METRICS", last=False)
    health.failed("TRACES", DOWN, last=False)

    assert (False, True, 2) == (before, health.reached, health.failures)


def test_what_was_lost_stands_in_the_line_after_five_minutes_and_in_the_one_about_recovery(now, caplog):
    """
    Whoever reads the log wants to know what the outage has cost.
    """
    lost = [10]
    health = Health(lambda: "there:4317", lambda: lost[0], clock=lambda: now[0])
    health.failed("TRACES", DOWN, last=False)
    lost[0], now[0] = 1210, now[0] + 301
    health.failed("TRACES", DOWN, last=False)
    lost[0] = 1500
    health.succeeded("TRACES", last=False)
    health.failed("TRACES", DOWN, last=False)
    health.succeeded("TRACES", last=False)

    assert [
        "telemetry does not reach there:4317 (UNAVAILABLE); your program is not affected",
        "telemetry does not reach there:4317 (UNAVAILABLE); 1,200 spans were lost; your program is not affected",
        "telemetry reaches there:4317 again; 1,490 spans were lost",
        "telemetry does not reach there:4317 (UNAVAILABLE); your program is not affected",
        "telemetry reaches there:4317 again",
    ] == [record.getMessage() for record in caplog.records]


def test_remedy_stands_in_the_line(health, caplog):
    """
    A line that only complains is a line that somebody has to ask about.
    """
    health.failed("TRACES", ExportFailed("UNAVAILABLE", retryable=True, remedy="Start a collector"), last=False)

    assert caplog.records[0].getMessage().endswith("your program is not affected. Start a collector")


@pytest.mark.parametrize(("asked", "expected"), [(0, 2), (7, 7), (10_000, 60)])
def test_receiver_decides_when_it_is_asked_again_within_bounds(health, asked, expected):
    """
    A collector that sheds load knows best; one that says "tomorrow" would lose us a day.
    """
    health.failed("TRACES", DOWN, last=False)
    health.failed("TRACES", ExportFailed("UNAVAILABLE", retryable=True, retry_after_s=asked), last=False)
    waits = health.wait_s(longest_s=3.0)
    health.succeeded("TRACES", last=False)

    assert (expected, 0) == (waits, health.wait_s())


def test_wait_may_be_bounded(health):
    """
    Spans that wait are lost when the queue is full: they are tried again sooner than metrics, which lose nothing.
    """
    for _ in range(7):
        health.failed("TRACES", DOWN, last=False)

    assert (3, 30) == (health.wait_s(longest_s=3), health.wait_s())
