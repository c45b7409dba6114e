"""Writing to a store: one transaction per batch, next to other processes that do the same."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tta_observe.local import upkeep
from tta_observe.local.schema import open_for_writing
from tta_observe.local.transactions import Patience, transaction
from tta_observe.local.upkeep import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tta_observe.local.records import PointRecord, ProcessRecord, Records, SeriesRecord

HEARTBEAT_NS: Final = 5_000_000_000
"""A process that has nothing to say says so after this long."""

_INSERT_PROCESS: Final = """
    INSERT OR IGNORE INTO processes (instance_id, pid, started_ns, service_name, service_version, environment, resource,
    heartbeat_ns) VALUES (?, ?, ?, ?, ?, ?, ?, 0)
"""
_FIND_PROCESS: Final = "SELECT id FROM processes WHERE instance_id = ? AND pid = ? AND started_ns = ?"
_BEAT: Final = """
    UPDATE processes SET heartbeat_ns = max(heartbeat_ns, ?), measured_ns = max(measured_ns, ?), ended_ns = NULL
    WHERE id = ?
"""
_END: Final = "UPDATE processes SET ended_ns = ? WHERE instance_id = ? AND pid = ? AND started_ns = ?"
_INSERT_SPAN: Final = "INSERT OR IGNORE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_SERIES: Final = """
    INSERT OR IGNORE INTO series (scope, instrument, kind, unit, start_ns, bounds, labels, process)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_FIND_SERIES: Final = """
    SELECT id FROM series
    WHERE scope = ? AND instrument = ? AND kind = ? AND unit = ? AND start_ns = ? AND bounds = ? AND labels = ?
    AND process = ?
"""
_INSERT_POINT: Final = "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)"
_TIDY_S: Final = 0.2

_State = tuple[float, int | None, str | None]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the file holds of one process: its row, its last sign of life, its series and what they stand at."""

    id: int
    heard_ns: int
    series: dict[SeriesRecord, int] = field(default_factory=dict)
    states: dict[SeriesRecord, _State] = field(default_factory=dict)


class Store:
    """
    A store opened for writing, by one thread at a time. Other processes may write to the same file.

    Raises:
        StoreRefused: what is at *path* is not a store, is newer than this package, or is a symbolic link.
        OSError, sqlite3.Error: it cannot be written, or not before *patience* is over.
    """

    def __init__(self, path: Path, patience: Patience, limits: Limits = DEFAULT_LIMITS) -> None:
        self._path = path
        self._limits = limits
        self._connection = open_for_writing(path, patience)
        self._file = _identity(path)
        self._known: dict[ProcessRecord, _Known] = {}
        self._tidied_ns = 0

    @property
    def moved(self) -> bool:
        """Whether the file was deleted or replaced, so that nobody would ever read what is written now."""
        return _identity(self._path) != self._file

    def write(self, records: Records, now_ns: int, patience: Patience) -> None:
        """
        Commit what is new in *records*, all or nothing; a heartbeat every 5 s when nothing is.

        Spans that are there already are left as they are, points of series that did not change are left out.

        Raises:
            sqlite3.Error: nothing was written.
        """
        known = self._known.get(records.process)
        heard_ns = known.heard_ns if known else 0
        quiet = abs(now_ns - heard_ns) < HEARTBEAT_NS  # abs: clocks are set back, too
        if quiet and not records.spans and not _unwritten(records.points, known):
            return
        with transaction(self._connection, patience):
            written = self._write(records, now_ns)
        self._known[records.process] = written  # nothing of this was true before the commit
        self._tidy(now_ns)

    def end(self, process: ProcessRecord, now_ns: int, patience: Patience) -> None:
        """
        Say that *process* ended, so that nobody waits for its heartbeat.

        Raises:
            sqlite3.Error: it could not be written.
        """
        with transaction(self._connection, patience):
            self._connection.execute(_END, (now_ns, *process[:3]))

    def close(self) -> None:
        """Let go of the file. A second call does nothing."""
        self._connection.close()

    def _write(self, records: Records, now_ns: int) -> _Known:
        known = self._claim(records, now_ns)
        self._connection.executemany(_INSERT_SPAN, ((*span, known.id) for span in records.spans))
        points = _unwritten(records.points, known)
        for point in points:
            if point.series not in known.series:
                known.series[point.series] = self._series(point.series, known.id)
            known.states[point.series] = point.state
        self._connection.executemany(
            _INSERT_POINT, ((known.series[point.series], point.time_ns, *point.state) for point in points)
        )
        return known

    def _claim(self, records: Records, now_ns: int) -> _Known:
        measured_ns = max((point.time_ns for point in records.points), default=0)
        known = self._known.get(records.process)
        if known and self._connection.execute(_BEAT, (now_ns, measured_ns, known.id)).rowcount:
            return _Known(known.id, now_ns, dict(known.series), dict(known.states))
        # New here, or forgotten by the retention of another process while this one was suspended.
        self._connection.execute(_INSERT_PROCESS, records.process)
        (row,) = self._connection.execute(_FIND_PROCESS, records.process[:3]).fetchone()
        self._connection.execute(_BEAT, (now_ns, measured_ns, row))
        return _Known(row, now_ns)

    def _series(self, series: SeriesRecord, process: int) -> int:
        self._connection.execute(_INSERT_SERIES, (*series, process))
        (row,) = self._connection.execute(_FIND_SERIES, (*series, process)).fetchone()
        return int(row)

    def _tidy(self, now_ns: int) -> None:
        """Whatever goes wrong here, the records are committed; the next ones try again."""
        with suppress(sqlite3.Error):
            due = abs(now_ns - self._tidied_ns) >= upkeep.EVERY_NS or upkeep.too_big(self._connection, self._limits)
            if due and upkeep.tidy(self._connection, self._limits, now_ns, Patience(_TIDY_S)):
                self._tidied_ns = now_ns


def _unwritten(points: Iterable[PointRecord], known: _Known | None) -> list[PointRecord]:
    """Those of *points* that differ from what their series stood at before."""
    states = dict(known.states) if known else {}
    new = []
    for point in points:
        if states.get(point.series) != point.state:
            states[point.series] = point.state
            new.append(point)
    return new


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
