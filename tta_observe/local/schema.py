"""The tables, their version, and opening a file that holds them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tta_observe.local.errors import StoreError, StoreMissing, StoreRefused
from tta_observe.local.paths import SIDECARS, on_network, prepare
from tta_observe.local.transactions import Patience, patiently, primary_code, transaction

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID: Final = 0x7474616F
"""``ttao``: tells a store from any other SQLite file."""

MIGRATIONS: Final = (
    (
        """
        CREATE TABLE processes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: a writer may still hold the id of a deleted row
            instance_id TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started_ns INTEGER NOT NULL,
            service_name TEXT NOT NULL,
            service_version TEXT,
            environment TEXT,
            resource TEXT NOT NULL,
            heartbeat_ns INTEGER NOT NULL,
            measured_ns INTEGER NOT NULL DEFAULT 0,  -- its newest point
            ended_ns INTEGER,
            UNIQUE (instance_id, pid, started_ns)
        )
        """,
        """
        CREATE TABLE spans (
            trace_id TEXT NOT NULL,
            span_id TEXT NOT NULL,
            parent_id TEXT,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            start_ns INTEGER NOT NULL,
            duration_ns INTEGER NOT NULL,
            status TEXT NOT NULL,
            status_message TEXT,
            type TEXT,
            scope TEXT NOT NULL,
            attributes TEXT NOT NULL,
            events TEXT NOT NULL,
            links TEXT NOT NULL,
            process INTEGER NOT NULL,
            PRIMARY KEY (trace_id, span_id)
        )
        """,
        "CREATE INDEX spans_by_start ON spans (start_ns)",
        "CREATE INDEX runs_by_start ON spans (start_ns) WHERE type = 'workflow'",
        """
        CREATE TABLE series (
            id INTEGER PRIMARY KEY,
            process INTEGER NOT NULL,
            scope TEXT NOT NULL,
            instrument TEXT NOT NULL,
            kind TEXT NOT NULL,
            unit TEXT NOT NULL,
            start_ns INTEGER NOT NULL,
            bounds TEXT NOT NULL,
            labels TEXT NOT NULL,
            UNIQUE (process, scope, instrument, kind, unit, start_ns, bounds, labels)
        )
        """,
        "CREATE INDEX series_by_instrument ON series (scope, instrument, process)",
        """
        CREATE TABLE points (
            series INTEGER NOT NULL,
            time_ns INTEGER NOT NULL,
            value,  -- no type: whole numbers stay whole
            recorded INTEGER,
            buckets TEXT,
            PRIMARY KEY (series, time_ns)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE upkeep (
            task TEXT PRIMARY KEY,
            done_ns INTEGER NOT NULL DEFAULT 0,
            until_ns INTEGER NOT NULL DEFAULT 0,
            cursor INTEGER NOT NULL DEFAULT 0
        )
        """,
    ),
)
"""One entry per version: what it adds to the one before. Never edited once released."""

VERSION: Final = len(MIGRATIONS)
"""The version this package writes."""


_READING_S: Final = 2.0
_ELSEWHERE: Final = "It was left as it is; set TTA_OBSERVE_STORE or --store to another file."


def open_for_writing(path: Path, patience: Patience) -> sqlite3.Connection:
    """
    Open the store at *path*, made or brought up to date where needed.

    Raises:
        StoreRefused: what is there is not a store, is newer than this package, or is a symbolic link.
        OSError, sqlite3.Error: it cannot be written, or not in time.
    """
    prepare(path)
    if path.stat().st_size:
        _open_to_look(path, patience).close()
    connection = _connect(path, "mode=rw")
    try:
        _set_up(connection, patience, network=on_network(path.parent))
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """
    Open the store at *path* without changing or adding any file.

    Raises:
        StoreMissing: there is none, or nothing was written to it yet.
        StoreRefused: what is there is not a store, or is newer than this package.
        StoreError: it cannot be read.
    """
    try:
        empty = not path.stat().st_size
    except FileNotFoundError:
        raise StoreMissing(path, f"There is no store at {path}. Run a program that uses tta_observe first.") from None
    except OSError as error:
        raise StoreError(path, f"{path} cannot be read: {error.strerror}.") from error
    if empty:
        raise StoreMissing(path, f"Nothing was written to {path} yet.")
    try:
        return _open_to_look(path, Patience(_READING_S))
    except sqlite3.Error as error:
        raise StoreError(path, f"{path} cannot be read: {error}.") from error


def _open_to_look(path: Path, patience: Patience) -> sqlite3.Connection:
    connection = _connect(path, _read_only(path), timeout_s=_READING_S)
    try:
        _refuse_others(connection, path, patience)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_only(path: Path) -> str:
    """
    How to open *path* so that no file is added.

    Where the store has a WAL, a reader needs it and would make one that is missing. When there is none, nobody has the
    store open, so what the file says is all there is to know.
    """
    used = any(path.with_name(path.name + suffix).exists() for suffix in SIDECARS)
    return "mode=ro" if used or on_network(path.parent) else "mode=ro&immutable=1"


def _connect(path: Path, options: str, timeout_s: float = 0) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?{options}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,  # transactions are opened where one can see them
        check_same_thread=False,  # the callers see to it that there is one at a time
    )


def _refuse_others(connection: sqlite3.Connection, path: Path, patience: Patience) -> None:
    try:
        owner = _pragma(connection, "application_id", patience)
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_NOTADB:
            raise
        raise StoreRefused(path, f"{path} is not a SQLite file. {_ELSEWHERE}") from error
    version = _pragma(connection, "user_version", patience)
    if owner != APPLICATION_ID:
        raise StoreRefused(path, f"{path} is a SQLite file of another program. {_ELSEWHERE}")
    if version > VERSION:
        raise StoreRefused(
            path, f"{path} has version {version} of the store, this package knows {VERSION}. Upgrade it. {_ELSEWHERE}"
        )


def _set_up(connection: sqlite3.Connection, patience: Patience, *, network: bool) -> None:
    patiently(connection, f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}", patience)
    patiently(connection, f"PRAGMA journal_size_limit = {16 * 2**20}", patience)
    if network:  # the shared memory of a WAL does not work there
        patiently(connection, "PRAGMA journal_mode = TRUNCATE", patience)
    _migrate(connection, patience)
    if not network:  # after the tables, so that the file itself says what it is, even when its WAL is lost
        patiently(connection, "PRAGMA journal_mode = WAL", patience)


def _migrate(connection: sqlite3.Connection, patience: Patience) -> None:
    if _pragma(connection, "user_version", patience) == VERSION:
        return
    # In an empty file auto_vacuum has an effect only as the very first thing that is written. By itself it would write
    # a file without a name of its owner, and another process that looks at it would refuse it.
    with transaction(connection, patience, first="PRAGMA auto_vacuum = INCREMENTAL"):
        done = _pragma(connection, "user_version", patience)  # another process may have been faster
        for statements in MIGRATIONS[done:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(connection: sqlite3.Connection, name: str, patience: Patience) -> int:
    return int(patiently(connection, f"PRAGMA {name}", patience).fetchone()[0])
