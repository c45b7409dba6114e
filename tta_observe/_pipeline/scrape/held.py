"""
Born at zero, for those who come and fetch: a new series is shown as 0 until its zero has been seen.

A scraper takes what it sees first for the start of a series, so ``rate()`` would never know of the first error.
"""

from __future__ import annotations

import threading
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERVAL_S: Final = 15.0
"""Whoever scrapes at least so often sees the zero of every series, however many others scrape."""

JITTER_S: Final = 0.5
"""How far one interval may be off."""


class HeldAtZero:
    """
    Which series are still shown as 0. Times are monotonic seconds, keys are hashes of series.

    A series is held for an interval after the first scrape that showed it, less the jitter: the same scraper comes
    back for the number, and not a third time for nothing. Others came before that scrape and come again within the
    interval, too; the one that came just before it is late by the jitter at most, and is waited for.
    """

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._latest = -inf
        self._lock = threading.Lock()

    def holds(self, key: int, now_s: float) -> bool:
        """Whether the series is shown as 0 in a scrape at *now_s*."""
        return now_s < self._until.get(key, inf)

    def is_new(self, key: int) -> bool:
        """Whether no scrape that showed the series has arrived."""
        return key not in self._until

    def arrived(self, new: Iterable[int], now_s: float) -> None:
        """A scrape that began at *now_s*, and showed the series *new* for the first time, was answered."""
        with self._lock:
            until = max(now_s - JITTER_S, self._latest + JITTER_S) + INTERVAL_S
            for key in new:
                self._until.setdefault(key, until)
            self._latest = max(now_s, self._latest)
