"""Waiting for a lock that another process holds, and giving up in time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PAUSES_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02)


class Patience:
    """
    How long to wait for others, in seconds from now; shorter when *hurry* is set meanwhile.

    SQLite's own busy handler can not be interrupted, so the waiting is done here.
    """

    def __init__(self, seconds: float, hurry: Event | None = None) -> None:
        self._deadline = time.monotonic() + seconds
        self._hurry = hurry or Event()

    @property
    def over(self) -> bool:
        """Whether it is time to give up."""
        return self._hurry.is_set() or time.monotonic() >= self._deadline

    def pause(self, attempt: int) -> None:
        """Wait a little, longer at each *attempt*, from 0."""
        self._hurry.wait(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])


def primary_code(error: sqlite3.Error) -> int:
    """What kind of error SQLite reported, or 0 when it was not SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def patiently(connection: sqlite3.Connection, statement: str, patience: Patience) -> sqlite3.Cursor:
    """
    Run *statement*, again and again while another process holds the lock.

    Raises:
        sqlite3.OperationalError: it still does when *patience* is over.
    """
    attempt = 0
    while True:
        try:
            return connection.execute(statement)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _BUSY or patience.over:
                raise
        patience.pause(attempt)
        attempt += 1


@contextmanager
def transaction(connection: sqlite3.Connection, patience: Patience, *, first: str | None = None) -> Iterator[None]:
    """
    All or nothing, with the right to write taken at once, so that it never has to be given back half way.

    *first* is a statement that writes, and that takes this right in place of ``BEGIN IMMEDIATE``.

    Raises:
        sqlite3.OperationalError: others kept the lock until *patience* was over.
    """
    patiently(connection, "BEGIN" if first else "BEGIN IMMEDIATE", patience)
    try:
        if first:
            patiently(connection, first, patience)
        yield
        patiently(connection, "COMMIT", patience)  # waits for readers where there is no WAL
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
