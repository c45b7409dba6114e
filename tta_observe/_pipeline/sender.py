"""One attempt at a time: what the worker of a lane does with what it has, and what it writes down about it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from tta_observe._export import Batch, Exporter, ExportFailed
from tta_observe._guard import swallow
from tta_observe._pipeline import quiet
from tta_observe._pipeline.halves import halves
from tta_observe._pipeline.health import Health
from tta_observe._pipeline.zero import BornAtZero

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from tta_observe._pipeline.ledger import Ledger
    from tta_observe._settings import Signal

_SEND_TIMEOUT_S: Final = 10.0
_SLACK_S: Final = 0.15
"""The last request ends so long before the deadline, so that the worker is gone when the interpreter goes."""


class Sender:
    """Sends the spans of *ledger*, and metrics; used by one thread."""

    def __init__(self, exporter: Exporter, ledger: Ledger, started_ns: int) -> None:
        self.deadline: float | None = None
        """When all has to be over, in monotonic seconds; None while the program runs."""
        self.health = Health(lambda: exporter.target, lambda: ledger.lost)
        self._exporter = exporter
        self._ledger = ledger
        self._zeros = BornAtZero(started_ns)

    def spans(self) -> bool:
        """Send what waits now; True when all of it was acknowledged."""
        ok, waiting = True, self._ledger.waiting
        while waiting > 0 and (spans := self._ledger.take()):
            failed = self._send("TRACES", Batch(spans=spans))
            ok, waiting = ok and failed is None, waiting - len(spans)
            if failed is not None and failed.retryable:
                self._ledger.put_back()
                break
        return ok

    def metrics(self, collected: MetricsData, scope: str | None, now_ns: int) -> bool:
        """Send what was *collected*; True when it was acknowledged."""
        return self._send("METRICS", Batch(metrics=self._zeros.add(collected, scope, now_ns))) is None

    def sign_of_life(self) -> bool:
        """Send nothing, which tells the store that this process is alive."""
        return self._send("METRICS", Batch()) is None

    def _send(self, signal: Signal, batch: Batch) -> ExportFailed | None:
        """Send *batch*, in parts where it is too large for one request, and count what became of it."""
        spoilt = -self._exporter.dropped
        failed = self._attempt(batch)
        spoilt += self._exporter.dropped
        parts = halves(batch) if failed is not None and failed.too_large else None
        if parts is not None:
            return self._send_parts(signal, parts)
        self.health.note(signal, failed, last=self.deadline is not None)
        if signal == "TRACES":
            self._settle(len(batch.spans), spoilt, failed)
        elif failed is None and batch.metrics is not None:
            self._zeros.acknowledged(batch.metrics)
        return failed

    def _send_parts(self, signal: Signal, parts: tuple[Batch, Batch]) -> ExportFailed | None:
        first = self._send(signal, parts[0])
        # A point must not arrive before its zero, and what comes again must come in order.
        if first is not None and (first.retryable or (signal == "METRICS" and not first.too_large)):
            return first
        second = self._send(signal, parts[1])
        return second if second is not None and second.retryable else first or second

    def _settle(self, size: int, spoilt: int, failed: ExportFailed | None) -> None:
        """Count what became of the first *size* spans in flight, unless they are to be sent again."""
        if failed is not None and failed.retryable:
            return
        kept = size - spoilt
        lost = 0 if failed is None else kept if failed.rejected is None else min(failed.rejected, kept)
        reason = "too_large" if failed is not None and failed.too_large else "export_failed"
        self._ledger.settle(kept - lost, {"encode": spoilt, reason: lost})

    def _attempt(self, batch: Batch) -> ExportFailed | None:
        try:
            encoded = self._exporter.encode(batch)
            with quiet.request():
                self._exporter.send(encoded, self._time_left())
        except ExportFailed as error:
            return error
        except Exception as error:  # noqa: BLE001 - one batch that an exporter stumbles over must not hold up the rest
            swallow(f"{type(self._exporter).__name__}.send", error)
            return ExportFailed(type(error).__name__, retryable=False)
        return None

    def _time_left(self) -> float:
        return _SEND_TIMEOUT_S if self.deadline is None else max(0.05, self.deadline - _SLACK_S - monotonic())
