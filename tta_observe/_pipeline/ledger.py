"""
The spans of one lane: a bounded queue, and what became of every span that was ever put into it.

recorded = delivered + dropped by reason + queued + in flight, whenever somebody looks: one lock holds it all.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from tta_observe._guard import guarded
from tta_observe._pipeline.sizing import Measured, measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import ReadableSpan

MAX_QUEUE: Final = 16_384
"""Ended spans that wait to be sent; past it new ones are dropped and counted."""

MAX_QUEUE_BYTES: Final = 13 * 1024 * 1024
"""What their contents may take together: 600 pages of 20 kB that a burst reads fit, whatever the receiver does."""

MAX_BATCH: Final = 512
"""Spans per request."""

MAX_BATCH_BYTES: Final = 7 * 1024 * 1024 // 2
"""Largest request: receivers of gRPC refuse messages over 4 MiB unless they were told otherwise."""

_measured = guarded(measured)


class Accounts(NamedTuple):
    """What became of the spans, read at one moment."""

    recorded: int
    delivered: int
    dropped: dict[str, int]
    queued: int
    in_flight: int
    truncated: int


class Ledger:
    """Spans that wait, in the order in which they ended; the first of them may be in flight."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        """To be told of what waits; its lock guards everything here."""
        self._waiting: deque[Measured] = deque()
        self._bytes = self._in_flight = 0
        self._recorded = self._delivered = self._truncated = 0
        self._dropped: Counter[str] = Counter()
        self._takes_more = self._is_counted = True

    @property
    def lost(self) -> int:
        """Spans dropped so far, for whatever reason."""
        return self._dropped.total()

    @property
    def waiting(self) -> int:
        """Spans that are queued or in flight."""
        return len(self._waiting)

    @property
    def has_batch(self) -> bool:
        """Whether there is enough for a request that nobody has to wait for."""
        return len(self._waiting) >= MAX_BATCH or self._bytes >= MAX_BATCH_BYTES

    def put(self, span: ReadableSpan) -> None:
        """Queue an ended span, unless there is no room; blocks on nothing but the ledger's own lock."""
        found = _measured(span)  # outside the lock, as it may be a span of anybody's
        with self.changed:
            if not self._takes_more:
                return
            self._recorded += 1
            if found is None:
                self._dropped["encode"] += 1
            elif len(self._waiting) >= MAX_QUEUE or self._bytes + found.size > MAX_QUEUE_BYTES:
                self._dropped["queue_full"] += 1
            else:
                self._append(found)

    def take(self) -> list[ReadableSpan]:
        """Put the next batch in flight; to be followed by :meth:`settle` or :meth:`put_back`."""
        found: list[ReadableSpan] = []
        with self.changed:
            room = MAX_BATCH_BYTES
            for waiting in islice(self._waiting, MAX_BATCH):
                room -= waiting.size
                if found and room < 0:
                    break
                found.append(waiting.span)
            self._in_flight = len(found)
        return found

    def settle(self, delivered: int, dropped: Mapping[str, int]) -> None:
        """Write down what became of the first of those in flight."""
        with self.changed:
            if not self._is_counted:  # they were counted as lost when the deadline had passed
                return
            for _ in range(delivered + sum(dropped.values())):
                self._bytes -= self._waiting.popleft().size
                self._in_flight -= 1
            self._delivered += delivered
            self._dropped.update(dropped)

    def put_back(self) -> None:
        """What is in flight comes again later."""
        with self.changed:
            self._in_flight = 0

    def close(self) -> None:
        """Take nothing more; what waits may still be sent."""
        with self.changed:
            self._takes_more = False

    def give_up(self) -> None:
        """Count what waits as lost."""
        with self.changed:
            self._takes_more = self._is_counted = False
            self._dropped["shutdown"] += len(self._waiting)
            self._forget()

    def abandon(self) -> None:
        """Forget what waits, in a process that was forked; the lock may be held by a thread that is not here."""
        self.changed = threading.Condition()
        self._takes_more = self._is_counted = False
        self._forget()

    def accounts(self) -> Accounts:
        """What became of the spans so far."""
        with self.changed:
            return Accounts(
                self._recorded,
                self._delivered,
                {reason: count for reason, count in self._dropped.items() if count},
                len(self._waiting) - self._in_flight,
                self._in_flight,
                self._truncated,
            )

    def _append(self, found: Measured) -> None:
        had_batch = self.has_batch
        self._waiting.append(found)
        self._bytes += found.size
        self._truncated += found.is_cut
        if self.has_batch and not had_batch:
            self.changed.notify_all()

    def _forget(self) -> None:
        self._waiting.clear()
        self._bytes = self._in_flight = 0
