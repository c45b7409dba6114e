"""Whether the telemetry of a lane arrives: how long to wait before the next attempt, and what is said about it."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from tta_observe._guard import LOGGER, quietly

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._export import ExportFailed
    from tta_observe._settings import Signal

_LONGEST_BACKOFF_S: Final = 30.0
_LONGEST_ASKED_S: Final = 60.0
"""What a receiver says about when to come again is believed up to here."""

_SAY_AGAIN_S: Final = 300.0


class Health:
    """
    One line when sending starts to fail, one each five minutes while it does, one when everything arrives again.

    Signals are told apart: receivers that take traces and no metrics are common, and are no outage of the traces.
    *target* says where it goes, which may turn out later: a store that cannot be written lies elsewhere. *lost* counts
    the spans that were dropped so far.
    """

    def __init__(
        self, target: Callable[[], str], lost: Callable[[], int] = lambda: 0, clock: Callable[[], float] = monotonic
    ) -> None:
        self.failures = 0
        self.reached = False
        """Whether anything was ever acknowledged."""
        self._target = target
        self._lost = lost
        self._clock = clock
        self._backoff_s: dict[Signal, float] = {}
        """Of each signal that does not get through at the moment."""
        self._asked_s = 0.0
        """What the receiver said about when to come again."""
        self._silent_until: dict[str, float] = {}
        self._lost_before: dict[str, int] = {}
        """What was lost when a trouble was first told of."""

    @property
    def backoff_s(self) -> float:
        """Seconds to wait before the next attempt; 0 when nothing is to be sent again."""
        return max(self._backoff_s.values(), default=0.0)

    def wait_s(self, longest_s: float = inf) -> float:
        """The same, but *longest_s* at most unless the receiver asked for more."""
        return max(min(self.backoff_s, longest_s), self._asked_s)

    def note(self, signal: Signal, failed: ExportFailed | None, *, last: bool) -> None:
        """A request ended: by :meth:`succeeded` or :meth:`failed`."""
        if failed is None:
            self.succeeded(signal, last=last)
        else:
            self.failed(signal, failed, last=last)

    def failed(self, signal: Signal, error: ExportFailed, *, last: bool) -> None:
        """A request failed; nothing but the first failure ever is said of the *last* ones, when the process ends."""
        self.failures += 1
        if error.retryable:
            self._backoff_s[signal] = min(_LONGEST_BACKOFF_S, self._backoff_s.get(signal, 0.0) * 2 or 1.0)
            self._asked_s = min(_LONGEST_ASKED_S, error.retry_after_s)
        if not last or self.failures == 1:
            self._say(error)

    def succeeded(self, signal: Signal, *, last: bool) -> None:
        """A request was acknowledged."""
        self.reached, self._asked_s = True, 0.0
        was_down = self._backoff_s.pop(signal, None) is not None
        if was_down and not self._backoff_s and self._silent_until.pop(_OUTAGE, None) is not None:
            if not last:
                quietly(LOGGER.warning, "telemetry reaches %s again%s", self._target(), self._lost_since(_OUTAGE))
            self._lost_before.pop(_OUTAGE, None)

    def _say(self, error: ExportFailed) -> None:
        message = _OUTAGE if error.retryable else _REFUSAL
        now = self._clock()
        if now < self._silent_until.get(message, now):
            return
        self._silent_until[message] = now + _SAY_AGAIN_S
        self._lost_before.setdefault(message, self._lost())
        lost, remedy = self._lost_since(message), error.remedy and f". {error.remedy}"
        quietly(LOGGER.warning, message, self._target(), error, lost, remedy)

    def _lost_since(self, message: str) -> str:
        lost = self._lost() - self._lost_before.get(message, 0)
        return f"; {lost:,} spans were lost" if lost else ""


_OUTAGE: Final = "telemetry does not reach %s (%s)%s; your program is not affected%s"
_REFUSAL: Final = "%s does not take the telemetry (%s): it is dropped and counted%s; your program is not affected%s"
