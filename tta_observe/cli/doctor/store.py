"""The local store: is it there, can it be written, and when was something measured last. Changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.cli.doctor import ledgers
from tta_observe.cli.doctor.attempts import PATIENCE_S, within
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.words import a_while, clock, count, plain_text
from tta_observe.instruments import CONTEXT_LOST
from tta_observe.local import exports, queries
from tta_observe.local.errors import StoreError, StoreMissing
from tta_observe.local.increases import increases
from tta_observe.local.paths import store_path
from tta_observe.local.reader import StoreReader
from tta_observe.local.rows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tta_observe._settings import Settings
    from tta_observe.cli.doctor.findings import Finding
    from tta_observe.local.rows import LedgerRow

STORE: Final = Group("Local store")

_LOW_BYTES: Final = 50 * 2**20
_DAY_NS: Final = 24 * 3600 * 1_000_000_000
_MOST_NAMES: Final = 5
_AHEAD_S: Final = 5.0
"""A measurement this far ahead of the clock was made by another clock."""

_MOST_PROCESSES: Final = 5
"""Whose ledgers are shown."""

_TRY: Final = "Call tta_observe.configure() in your program, or try:\n  tta-observe demo"
_PROPAGATE: Final = """\
Hand over propagate(...) of what runs in the other thread, whichever of these starts it; the log names the line:
  pool.submit(tta_observe.propagate(work), ...)
  threading.Thread(target=tta_observe.propagate(work))
  loop.run_in_executor(None, tta_observe.propagate(work), ...)
Where threads are meant to be apart from the workflows that start them:
  TTA_OBSERVE_LOST_CONTEXT=off"""
_ELSEWHERE: Final = "Name a file that you own:\n  TTA_OBSERVE_STORE=telemetry.db"


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What was seen on disk, at *now_ns*."""

    path: Path
    now_ns: int
    size_bytes: int | None = None
    free_bytes: int | None = None
    obstacle: str | None = None
    """Why it cannot be written; None when it can."""
    unreadable: str | None = None
    """Why it cannot be read; None when it can, or is not there yet."""
    last_ns: int | None = None
    """The newest measurement; None when there is none."""
    live: int = 0
    """Processes that write to it now."""
    ledgers: tuple[LedgerRow, ...] = ()
    """What became of the spans of the latest processes."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Executions of the last day that lost their context, by primitive."""


def check(settings: Settings) -> list[Finding]:
    """Look at the store, if anything goes there."""
    if not any("local" in exporters for exporters in settings.exporters.values()):
        return [STORE.ok("store", "not used: the telemetry goes elsewhere")]
    try:
        path = store_path(settings.store)
        return list(judge(within(2 * PATIENCE_S, lambda: gather(path, time.time_ns()))))
    except RuntimeError:
        return [STORE.problem("path", "there is no home directory to keep it in", _ELSEWHERE)]
    except TimeoutError:
        return [STORE.problem("path", f"{plain_text(path)}: the file system does not answer", _ELSEWHERE)]


def gather(path: Path, now_ns: int) -> StoreFacts:
    """Look at the store at *path* without changing it."""
    size = path.stat().st_size if _is_there(path) else None
    facts = StoreFacts(path, now_ns, size, _free(path), _obstacle(path))
    try:
        with StoreReader(path) as store:
            last_ns = queries.last_measurement(store)
            live = sum(process.alive for process in queries.processes(store, now_ns))
            told = exports.ledgers(store, now_ns, now_ns - queries.SILENT_NS, _MOST_PROCESSES)
            lost = _lost(store, Window(now_ns - _DAY_NS, now_ns))
    except StoreMissing:
        return facts
    except StoreError as error:
        return replace(facts, unreadable=str(error))
    return replace(facts, last_ns=last_ns, live=live, ledgers=told, lost=lost)


def judge(facts: StoreFacts) -> Iterator[Finding]:
    """Say whether telemetry can get in, and whether any did."""
    size = "no file yet" if facts.size_bytes is None else _bytes(facts.size_bytes)
    yield STORE.ok("path", f"{plain_text(facts.path)} ({size})")
    if facts.unreadable is not None:
        yield STORE.problem("content", plain_text(facts.unreadable), _ELSEWHERE)
    if facts.obstacle is not None:
        yield STORE.problem("writable", f"no: {plain_text(facts.obstacle)}", _ELSEWHERE)
    if facts.free_bytes is not None and facts.free_bytes < _LOW_BYTES:
        yield STORE.problem("disk", f"{_bytes(facts.free_bytes)} left", "Make room on the disk, or " + _ELSEWHERE)
    if facts.unreadable is None:
        yield _measured(facts)
    yield from ledgers.judge(STORE, facts.ledgers)
    if facts.lost:
        yield STORE.warning("lost context", _told(facts.lost), _PROPAGATE)


def _measured(facts: StoreFacts) -> Finding:
    if facts.last_ns is None:
        return STORE.warning("measurements", "none yet", _TRY)
    age_s = (facts.now_ns - facts.last_ns) / 1e9
    live = f"live processes: {count(facts.live)}"
    if age_s < -_AHEAD_S:
        found = f"the last is {a_while(-age_s)} ahead of this clock, {live}"
        return STORE.warning("measurements", found, "Set the clocks right, e.g. timedatectl set-ntp true")
    return STORE.ok("measurements", f"the last {a_while(max(age_s, 0))} ago, {clock(facts.last_ns)}, {live}")


def _lost(store: StoreReader, window: Window) -> dict[str, int]:
    found = increases(store, CONTEXT_LOST, window, lambda labels: labels.get(semconv.PRIMITIVE_NAME, queries.UNKNOWN))
    return {name: round(times) for name, times in found.items() if times}


def _told(lost: Mapping[str, int]) -> str:
    """The most frequent first."""
    names = sorted(lost, key=lambda name: (-lost[name], name))
    shown = [f"{plain_text(name)} {count(lost[name])}" for name in names[:_MOST_NAMES]]
    more = [f"{count(len(names) - _MOST_NAMES)} more"] if len(names) > _MOST_NAMES else []
    return f"workflows had run in other threads without it, in the last day: {', '.join([*shown, *more])}"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory on the way that may not be entered
        return False


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(_nearest(path)).free
    except OSError:
        return None


def _nearest(path: Path) -> Path:
    """The directory that is there already, in which *path* or its directories would be made."""
    return next(parent for parent in path.parents if _is_there(parent) or parent == parent.parent)


def _obstacle(path: Path) -> str | None:
    """The same rules as when the store is opened for writing, which would make or change it."""
    for each in (path, path.parent):
        if each.is_symlink():
            return f"{each} is a symbolic link"
    if not _is_there(path):
        directory = _nearest(path)
        return None if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK) else f"{directory} is closed"
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is not a regular file"
    if hasattr(os, "geteuid") and os.geteuid() not in (0, found.st_uid):
        return f"{path} belongs to another user"
    return None if os.access(path, os.R_OK | os.W_OK) else f"{path} cannot be written"


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
