"""
How much each series rose within a window of time.

A counter tells what it stands at. What it rose by is what it stood at when the window ended, less what it stood at when
the window began; a restarted process begins new series. A series that began within the window stood at 0 before. One
that is older, and of which nothing is known from before the window, rises from the first that is known of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from tta_observe import semconv
from tta_observe.local.histograms import Histogram, merged
from tta_observe.local.records import from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe.instruments import InstrumentSpec
    from tta_observe.local.reader import StoreReader
    from tta_observe.local.rows import Window

# Processes that measured nothing since the window began are left out first: a store holds many of them.
_INCREASES: Final = """
    SELECT series.labels, series.bounds,
        coalesce(at_end.value, 0), coalesce(at_start.value, 0), at_end.buckets, at_start.buckets
    FROM processes
    JOIN series ON series.process = processes.id AND series.scope = :scope AND series.instrument = :instrument
    JOIN points AS at_end ON at_end.series = series.id AND at_end.time_ns = (
        SELECT max(time_ns) FROM points WHERE points.series = series.id AND time_ns <= :end_ns
    )
    LEFT JOIN points AS at_start ON at_start.series = series.id AND at_start.time_ns = coalesce(
        (SELECT max(time_ns) FROM points WHERE points.series = series.id AND time_ns <= :start_ns),
        CASE WHEN series.start_ns < :start_ns THEN
            (SELECT min(time_ns) FROM points WHERE points.series = series.id)
        END
    )
    WHERE processes.measured_ns > :start_ns
"""


Labels = Mapping[str, str]
_Row = tuple[str, str, float, float, str, str]
_Key = TypeVar("_Key", bound=Hashable)


def increases(
    store: StoreReader, instrument: InstrumentSpec, window: Window, key: Callable[[Labels], _Key | None]
) -> dict[_Key, float]:
    """
    How much the counter *instrument* rose within *window*, added up by *key* of the labels.

    Series without a key are left out. Never below 0; one that did not rise is 0.
    """
    found: defaultdict[_Key, float] = defaultdict(int)
    for labels, _, at_end, at_start, _, _ in _rows(store, instrument, window):
        group = key(_labels(labels))
        if group is not None:
            found[group] += max(0, at_end - at_start)
    return dict(found)


def total(store: StoreReader, instrument: InstrumentSpec, window: Window) -> float:
    """How much the counter *instrument* rose within *window*, over all its series."""
    return sum(increases(store, instrument, window, lambda _: "all").values())


def distributions(
    store: StoreReader, instrument: InstrumentSpec, window: Window, key: Callable[[Labels], _Key | None]
) -> dict[_Key, Histogram]:
    """What the histogram *instrument* recorded within *window*, merged by *key*; series without a key are left out."""
    found: defaultdict[_Key, list[Histogram]] = defaultdict(list)
    for labels, bounds, at_end, at_start, after, before in _rows(store, instrument, window):
        group = key(_labels(labels))
        if group is not None:
            risen = Histogram(_numbers(bounds), _risen(after, before), max(0.0, at_end - at_start))
            found[group].append(risen)
    return {group: merged(histograms) for group, histograms in found.items()}


def labelled(*names: str) -> Callable[[Labels], tuple[str | None, ...]]:
    """Make a key of the labels *names*; one that was left out is None."""
    return lambda labels: tuple(labels.get(name) for name in names)


def _rows(store: StoreReader, instrument: InstrumentSpec, window: Window) -> list[_Row]:
    return store.rows(
        _INCREASES,
        {
            "scope": semconv.SCOPE,
            "instrument": instrument.name,
            "start_ns": window.start_ns,
            "end_ns": window.end_ns,
        },
    )


def _risen(after: str, before: str | None) -> tuple[int, ...]:
    if before is None:
        return _numbers(after)
    return tuple(max(0, there - here) for there, here in zip(_numbers(after), _numbers(before), strict=True))


@lru_cache(maxsize=4096)
def _labels(text: str) -> Labels:
    return {key: str(value) for key, value in from_json(text).items()}


@lru_cache(maxsize=64)
def _numbers(text: str) -> tuple[int, ...]:
    return tuple(from_json(text))
