"""How long there was traffic: what figures per second and per hour are divided by."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTIONS

if TYPE_CHECKING:
    from tta_observe.local.reader import StoreReader
    from tta_observe.local.rows import Window

_SECOND_NS: Final = 1_000_000_000

IDLE_NS: Final = 120 * _SECOND_NS
"""A longer pause than this is idleness. Steady traffic leaves samples up to two minutes apart, once thinned out."""

LEAD_NS: Final = 10 * _SECOND_NS
"""How long a burst is taken to have lasted before its first sample: what it consists of takes time before it ends."""

_SAMPLES: Final = """
    SELECT DISTINCT points.time_ns FROM processes
    JOIN series ON series.process = processes.id
        AND series.scope = :scope AND series.instrument IN (:executions, :active)
    JOIN points ON points.series = series.id
    WHERE processes.measured_ns > :start_ns AND points.time_ns > :start_ns AND points.time_ns <= :end_ns
"""
_STARTS: Final = """
    SELECT DISTINCT series.start_ns FROM processes
    JOIN series ON series.process = processes.id
        AND series.scope = :scope AND series.instrument IN (:executions, :active)
    WHERE processes.measured_ns > :start_ns AND series.start_ns > :start_ns AND series.start_ns <= :end_ns
"""


def traffic_seconds(store: StoreReader, window: Window) -> float:
    """
    How many seconds of *window* saw traffic: at least 1, or 0 when there was none.

    There is a sample whenever an execution ended, or a workflow began or ended; at a measured process it begins.
    Pauses of up to two minutes between samples are traffic, all of a longer one but its last ten seconds is not: a demo
    of 8 s lasts 8 s, and a service that slept for 55 minutes is measured by the five in which it ran.
    """
    asked = {
        "scope": semconv.SCOPE,
        "executions": EXECUTIONS.name,
        "active": ACTIVE_WORKFLOWS.name,
        "start_ns": window.start_ns,
        "end_ns": window.end_ns,
    }
    samples = {time_ns for (time_ns,) in store.rows(_SAMPLES, asked)}
    starts = {time_ns for (time_ns,) in store.rows(_STARTS, asked)}
    return _busy_ns(window.start_ns, samples, starts) / _SECOND_NS if samples else 0.0


def _busy_ns(window_ns: int, samples: set[int], starts: set[int]) -> int:
    times = sorted(samples | starts)
    if times[0] not in starts:  # what came before belongs to a time before the window, or to a pause
        times.insert(0, window_ns)
    return max(_SECOND_NS, sum(_counted_ns(after - before) for before, after in pairwise(times)))


def _counted_ns(pause_ns: int) -> int:
    return pause_ns if pause_ns <= IDLE_NS else LEAD_NS
