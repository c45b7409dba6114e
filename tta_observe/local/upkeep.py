"""
What keeps a store small: older points are thinned out, old rows deleted, free pages given back.

Every step is one short transaction that any writer may take, so several writers share the work and none holds the
others up. A step that finds nothing to do says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tta_observe.local.transactions import Patience, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

_SECOND_NS: Final = 1_000_000_000

EVERY_NS: Final = 60 * _SECOND_NS
"""How often a store is tidied."""

_SERIES_AT_ONCE: Final = 16
_SPANS_AT_ONCE: Final = 1000
_PAGES_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What a store may grow to; whichever is reached first."""

    max_age_s: float = 7 * 24 * 3600
    max_bytes: int = 2**30


DEFAULT_LIMITS: Final = Limits()
"""Seven days, 1 GiB."""


class Tier(NamedTuple):
    """After *age_s* one point per *step_s* is kept."""

    name: str
    age_s: int
    step_s: int


TIERS: Final = (Tier("10s", 600, 10), Tier("1min", 6 * 3600, 60))
"""How points are thinned out."""

# A step is left open at its start and closed at its end: the last point of a step is what the series stood at when the
# step ended, so an increase between two ends of steps stays what it was. The first point of a series is its birth.
_THIN_OUT: Final = """
    DELETE FROM points WHERE series = :series AND time_ns > :done AND time_ns <= :until
    AND time_ns > (SELECT min(time_ns) FROM points WHERE series = :series)
    AND EXISTS (
        SELECT 1 FROM points AS later WHERE later.series = :series AND later.time_ns > points.time_ns
        AND later.time_ns <= ((points.time_ns - 1) / :step + 1) * :step
    )
"""
_SERIES_TO_THIN_OUT: Final = """
    SELECT series.id FROM series JOIN processes ON processes.id = series.process
    WHERE series.id > ? AND processes.measured_ns > ? ORDER BY series.id LIMIT ?
"""

# What a series stood at when the retained time begins is kept: without it everything before would seem to happen then.
_SERIES_TO_TRIM: Final = """
    SELECT keep_ns, id FROM (
        SELECT id, (SELECT max(time_ns) FROM points WHERE points.series = series.id AND time_ns <= :cutoff) AS keep_ns
        FROM series
    ) AS old WHERE keep_ns > (SELECT min(time_ns) FROM points WHERE series = old.id) LIMIT :limit
"""
_DEAD_SERIES: Final = """
    SELECT series.id FROM processes JOIN series ON series.process = processes.id
    WHERE processes.heartbeat_ns < ? LIMIT ?
"""
_OLD_SPANS: Final = """
    DELETE FROM spans WHERE rowid IN (SELECT rowid FROM spans WHERE start_ns < ? ORDER BY start_ns LIMIT ?)
"""
# The first point of each series does not count: it is the one that is kept.
_OLDEST: Final = """
    SELECT min(
        coalesce((SELECT min(start_ns) FROM spans), :now),
        coalesce((SELECT min(heartbeat_ns) FROM processes), :now),
        coalesce((
            SELECT min((
                SELECT min(time_ns) FROM points WHERE points.series = series.id
                AND time_ns > (SELECT min(time_ns) FROM points WHERE points.series = series.id)
            )) FROM series
        ), :now)
    )
"""


def tidy(connection: sqlite3.Connection, limits: Limits, now_ns: int, patience: Patience) -> bool:
    """
    Do what is due, as far as *patience* reaches. True when nothing is left to do.

    Raises:
        sqlite3.Error: another process holds the lock, or the disk failed; what was done stays done.
    """
    return (
        _forget(connection, now_ns - int(limits.max_age_s * _SECOND_NS), patience)
        and _shrink(connection, limits, now_ns, patience)
        and all(_repeat(partial(_thin_out, connection, tier, now_ns, patience), patience) for tier in TIERS)
        and _repeat(partial(_give_back, connection), patience)
    )


def too_big(connection: sqlite3.Connection, limits: Limits) -> bool:
    """Whether the rows take more than *limits* allows; free pages do not count, they are used before the file grows."""
    return used_bytes(connection) > limits.max_bytes


def used_bytes(connection: sqlite3.Connection) -> int:
    """How much of the file is in use."""
    pages, free = _number(connection, "PRAGMA page_count"), _number(connection, "PRAGMA freelist_count")
    return (pages - free) * _number(connection, "PRAGMA page_size")


def _repeat(step: Callable[[], bool], patience: Patience) -> bool:
    """Take *step* until it finds nothing more to do; False when *patience* was over before."""
    while step():
        if patience.over:
            return False
    return True


def _thin_out(connection: sqlite3.Connection, tier: Tier, now_ns: int, patience: Patience) -> bool:
    step_ns = tier.step_s * _SECOND_NS
    with transaction(connection, patience):
        done_ns, until_ns, cursor = _progress(connection, tier)
        if not cursor:
            until_ns = (now_ns - tier.age_s * _SECOND_NS) // step_ns * step_ns  # whole steps only
        if until_ns <= done_ns:
            return False
        found = connection.execute(_SERIES_TO_THIN_OUT, (cursor, done_ns, _SERIES_AT_ONCE)).fetchall()
        limits = {"done": done_ns, "until": until_ns, "step": step_ns}
        connection.executemany(_THIN_OUT, ({"series": series, **limits} for (series,) in found))
        more = len(found) == _SERIES_AT_ONCE
        progress = (done_ns, until_ns, found[-1][0]) if more else (until_ns, 0, 0)
        connection.execute("INSERT OR REPLACE INTO upkeep VALUES (?, ?, ?, ?)", (tier.name, *progress))
    return more


def _progress(connection: sqlite3.Connection, tier: Tier) -> tuple[int, int, int]:
    row = connection.execute("SELECT done_ns, until_ns, cursor FROM upkeep WHERE task = ?", (tier.name,)).fetchone()
    return row or (0, 0, 0)


def _forget(connection: sqlite3.Connection, cutoff_ns: int, patience: Patience) -> bool:
    """Delete what is older than *cutoff_ns*; False when *patience* was over before."""
    steps = (_forget_spans, _forget_series, _trim)
    return all(_repeat(partial(step, connection, cutoff_ns, patience), patience) for step in steps)


def _forget_spans(connection: sqlite3.Connection, cutoff_ns: int, patience: Patience) -> bool:
    with transaction(connection, patience):
        return connection.execute(_OLD_SPANS, (cutoff_ns, _SPANS_AT_ONCE)).rowcount == _SPANS_AT_ONCE


def _forget_series(connection: sqlite3.Connection, cutoff_ns: int, patience: Patience) -> bool:
    with transaction(connection, patience):
        dead = connection.execute(_DEAD_SERIES, (cutoff_ns, _SERIES_AT_ONCE)).fetchall()
        connection.executemany("DELETE FROM points WHERE series = ?", dead)
        connection.executemany("DELETE FROM series WHERE id = ?", dead)
        if not dead:
            connection.execute("DELETE FROM processes WHERE heartbeat_ns < ?", (cutoff_ns,))
    return bool(dead)


def _trim(connection: sqlite3.Connection, cutoff_ns: int, patience: Patience) -> bool:
    with transaction(connection, patience):
        found = connection.execute(_SERIES_TO_TRIM, {"cutoff": cutoff_ns, "limit": _SERIES_AT_ONCE}).fetchall()
        connection.executemany("DELETE FROM points WHERE time_ns < ? AND series = ?", found)
    return bool(found)


def _shrink(connection: sqlite3.Connection, limits: Limits, now_ns: int, patience: Patience) -> bool:
    """Delete the oldest tenth of the time until there is room; False when *patience* was over before."""
    if not too_big(connection, limits):
        return True
    room = Limits(max_bytes=limits.max_bytes * 9 // 10)  # not one batch at a time from now on
    age_ns = now_ns - _number(connection, _OLDEST, {"now": now_ns})
    while age_ns > 0 and too_big(connection, room):
        age_ns = age_ns * 9 // 10 if age_ns > _SECOND_NS else 0
        if not _forget(connection, now_ns - age_ns, patience):
            return False
    return True


def _give_back(connection: sqlite3.Connection) -> bool:
    """Give free pages back to the file system, but for a tenth of the file that is going to be used anyway."""
    free, pages = _number(connection, "PRAGMA freelist_count"), _number(connection, "PRAGMA page_count")
    if free <= max(_PAGES_AT_ONCE, pages // 10):
        return False
    connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")  # execute() would stop after one page
    return True


def _number(connection: sqlite3.Connection, statement: str, parameters: dict[str, int] | tuple[()] = ()) -> int:
    return int(connection.execute(statement, parameters).fetchone()[0])
