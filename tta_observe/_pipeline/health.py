"""Whether the telemetry of a lane arrives: how long to wait before the next attempt, and what is said about it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from tta_observe._guard import LOGGER, quietly

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._export import ExportFailed
    from tta_observe._settings import Signal

_LONGEST_BACKOFF_S: Final = 30.0
_SAY_AGAIN_S: Final = 300.0


class Health:
    """
    One line when sending starts to fail, one each five minutes while it does, one when everything arrives again.

    Signals are told apart: receivers that take traces and no metrics are common, and are no outage of the traces.
    """

    def __init__(self, target: str, clock: Callable[[], float] = monotonic) -> None:
        self.failures = 0
        self.reached = False
        """Whether anything was ever acknowledged."""
        self._target = target
        self._clock = clock
        self._backoff_s: dict[Signal, float] = {}
        """Of each signal that does not get through at the moment."""
        self._silent_until: dict[str, float] = {}

    @property
    def backoff_s(self) -> float:
        """Seconds to wait before the next attempt; 0 when nothing is to be sent again."""
        return max(self._backoff_s.values(), default=0.0)

    def failed(self, signal: Signal, error: ExportFailed, *, last: bool) -> None:
        """A request failed; nothing but the first failure ever is said of the *last* ones, when the process ends."""
        self.failures += 1
        if error.retryable:
            self._backoff_s[signal] = min(_LONGEST_BACKOFF_S, self._backoff_s.get(signal, 0.0) * 2 or 1.0)
        if not last or self.failures == 1:
            self._say(error)

    def succeeded(self, signal: Signal, *, last: bool) -> None:
        """A request was acknowledged."""
        self.reached = True
        was_down = self._backoff_s.pop(signal, None) is not None
        if was_down and not self._backoff_s and self._silent_until.pop(_OUTAGE, None) is not None and not last:
            quietly(LOGGER.warning, "telemetry reaches %s again", self._target)

    def _say(self, error: ExportFailed) -> None:
        message = _OUTAGE if error.retryable else _REFUSAL
        now = self._clock()
        if now >= self._silent_until.get(message, now):
            self._silent_until[message] = now + _SAY_AGAIN_S
            quietly(LOGGER.warning, message, self._target, error)


_OUTAGE: Final = "telemetry does not reach %s (%s); your program is not affected"
_REFUSAL: Final = "%s does not take the telemetry (%s): it is dropped and counted; your program is not affected"
