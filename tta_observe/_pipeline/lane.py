"""
One exporter's lane: a bounded queue of ended spans, a reader of metrics, and the one thread that sends both.

The calling thread appends to the queue and goes on; network, disk and encoding belong to the worker.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from tta_observe._export import Batch, Exporter, ExportFailed
from tta_observe._guard import LOGGER, guarded, quietly
from tta_observe._pipeline.zero import BornAtZero

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._settings import Signal

MAX_QUEUE: Final = 16_384
"""Ended spans that wait to be sent; past it new ones are dropped and counted."""

MAX_BATCH: Final = 512
"""Spans per request."""

_SEND_TIMEOUT_S: Final = 10.0
_LONGEST_BACKOFF_S: Final = 30.0
_NEVER_REACHED_S: Final = 0.3
"""What an exit waits for an endpoint that failed and never answered."""

_SAY_AGAIN_S: Final = 300.0


class _Processor(SpanProcessor):
    """Hands ended spans to a lane."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def on_end(self, span: ReadableSpan) -> None:
        self._lane.put(span)

    def shutdown(self) -> None:
        """The lane is ended by its pipeline, with a deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._lane.flush(timeout_millis / 1000)


class _Reader(MetricReader):
    """Holds the last collection of metrics for a lane."""

    latest: MetricsData | None = None

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        self.latest = metrics_data

    def take(self) -> MetricsData | None:
        """Collect now."""
        self.latest = None
        self.collect()
        return self.latest

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """The lane is ended by its pipeline, with a deadline."""


@dataclass(frozen=True, slots=True)
class LaneStats:
    """What became of the spans of one exporter: recorded = delivered + dropped by reason + waiting."""

    exporter: str
    target: str
    recorded: int
    delivered: int
    dropped: dict[str, int]
    waiting: int
    requests_failed: int


class Lane:
    """Queue, reader and worker of one exporter."""

    def __init__(
        self,
        exporter: Exporter,
        *,
        span_interval_s: float,
        metric_interval_s: float,
        scope: str | None,
        signals: frozenset[Signal],
    ) -> None:
        self.exporter = exporter
        self.signals = signals
        self.processor = _Processor(self)
        self.reader: _Reader | None = None
        self._scope = scope
        self._intervals = span_interval_s, metric_interval_s
        self._queue: deque[ReadableSpan] = deque()
        self._changed = threading.Condition()
        self._recorded = self._delivered = self._failures = 0
        self._dropped: Counter[str] = Counter()
        self._dropped_before_flush = 0
        self._asked = self._answered = 0
        self._answer = True
        self._stopping = False
        self._deadline: float | None = None
        self._reached = False
        self._backoff_s = 0.0
        self._silent_until: float | None = None
        self._zeros = BornAtZero(time_ns())
        self._thread = threading.Thread(target=self._run, name=f"tta-observe-{exporter.name}", daemon=True)

    def with_reader(self) -> MetricReader:
        """Make the reader that this lane collects metrics from; it is given to a MeterProvider."""
        self.reader = _Reader()
        return self.reader

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def put(self, span: ReadableSpan) -> None:
        """Queue an ended span; never blocks on anything but the queue's own lock."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._changed:
            if self._stopping:
                return
            self._recorded += 1
            if len(self._queue) >= MAX_QUEUE:
                self._dropped["queue_full"] += 1
                return
            self._queue.append(span)
            if len(self._queue) == MAX_BATCH:
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """
        Send everything recorded before this call; True only when all of it was acknowledged.

        Spans dropped since the last flush make it False once. Returns within *timeout_s* seconds.
        """
        with self._changed:
            self._asked += 1
            ticket = self._asked
            self._changed.notify_all()
            answered = self._changed.wait_for(
                lambda: self._answered >= ticket or not self._thread.is_alive(), timeout_s
            )
            lost, self._dropped_before_flush = self._dropped.total() - self._dropped_before_flush, self._dropped.total()
            return answered and self._answered >= ticket and self._answer and not lost

    def stop(self, deadline: float) -> None:
        """Ask the worker for a last attempt that ends before *deadline*, in monotonic seconds."""
        with self._changed:
            self._stopping = True
            never_reached = self._failures and not self._reached
            self._deadline = min(deadline, monotonic() + _NEVER_REACHED_S) if never_reached else deadline
            self._changed.notify_all()

    def join(self) -> bool:
        """Wait for the worker until the deadline of :meth:`stop`; True when all that was recorded was delivered."""
        deadline = self._deadline or monotonic()
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - monotonic()))
        quietly(self.exporter.close)
        with self._changed:
            self._dropped["shutdown"] += len(self._queue)
            self._queue.clear()
            return self._answer and not self._thread.is_alive() and self._dropped.total() == self._dropped_before_flush

    def stats(self) -> LaneStats:
        """What became of the spans so far, read at one moment."""
        with self._changed:
            return LaneStats(
                self.exporter.name,
                self.exporter.target,
                self._recorded,
                self._delivered,
                {reason: count for reason, count in self._dropped.items() if count},
                len(self._queue),
                self._failures,
            )

    def _run(self) -> None:
        # Our own calls of gRPC must not become spans of the application's instrumentation.
        otel_context.attach(otel_context.set_value("suppress_instrumentation", True))  # noqa: FBT003
        spans_s, metrics_s = self._intervals
        next_spans, next_metrics = monotonic() + spans_s, monotonic() + metrics_s
        stopping = False
        while not stopping:
            asked = self._wait(min(next_spans, next_metrics))
            now, stopping = monotonic(), self._stopping  # read once: what is queued before a stop gets its last cycle
            forced = asked > self._answered or stopping
            if now < next_spans and not forced and len(self._queue) < MAX_BATCH:
                continue
            with_metrics = forced or now >= next_metrics
            self._answer_flushes(asked, ok=self._cycle(with_metrics=with_metrics) is True)
            next_spans = monotonic() + max(spans_s, self._backoff_s)
            next_metrics = monotonic() + metrics_s if with_metrics else next_metrics
            next_metrics = max(next_metrics, monotonic() + self._backoff_s)

    def _wait(self, until: float) -> int:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopping
                    or self._asked > self._answered
                    or (len(self._queue) >= MAX_BATCH and not self._backoff_s)
                ),
                max(0.0, until - monotonic()),
            )
            return self._asked

    def _answer_flushes(self, asked: int, *, ok: bool) -> None:
        with self._changed:
            self._answer, self._answered = ok, asked
            self._changed.notify_all()

    @guarded
    def _cycle(self, *, with_metrics: bool) -> bool:
        """Send what is queued now, and the metrics; True when all of it was acknowledged."""
        waiting = len(self._queue)
        ok = True
        while ok and waiting > 0:
            size = min(MAX_BATCH, waiting, len(self._queue))
            waiting -= size
            ok = self._send_spans(size)
        return (self._send_metrics() if with_metrics else True) and ok

    def _send_spans(self, size: int) -> bool:
        spans = [self._queue[i] for i in range(size)]
        spoilt = -self.exporter.dropped
        failed = self._send(Batch(spans=spans))
        spoilt += self.exporter.dropped
        with self._changed:
            if failed is not None and failed.retryable:
                return False
            for _ in spans:
                self._queue.popleft()
            self._dropped["encode"] += spoilt
            if failed is None:
                self._delivered += size - spoilt
            else:
                self._dropped["export_failed"] += size - spoilt
        return failed is None

    def _send_metrics(self) -> bool:
        collected = self.reader.take() if self.reader is not None else None
        if collected is None:
            return self._send(Batch()) is None if self.exporter.name == "local" else True
        failed = self._send(Batch(metrics=self._zeros.add(collected, self._scope, time_ns())))
        if failed is None:
            self._zeros.acknowledged()
        return failed is None

    def _send(self, batch: Batch) -> ExportFailed | None:
        try:
            self.exporter.send(self.exporter.encode(batch), self._time_left())
        except ExportFailed as error:
            self._failed(error)
            return error
        self._succeeded()
        return None

    def _time_left(self) -> float:
        return _SEND_TIMEOUT_S if self._deadline is None else max(0.05, self._deadline - monotonic())

    def _failed(self, error: ExportFailed) -> None:
        self._failures += 1
        self._backoff_s = min(_LONGEST_BACKOFF_S, self._backoff_s * 2 or 1.0)
        if self._silent_until is None or monotonic() >= self._silent_until:
            self._silent_until = monotonic() + _SAY_AGAIN_S
            self._say("telemetry does not reach %s (%s); your program is not affected", self.exporter.target, error)

    def _succeeded(self) -> None:
        if self._silent_until is not None:
            self._say("telemetry reaches %s again", self.exporter.target)
        self._silent_until, self._backoff_s, self._reached = None, 0.0, True

    def _say(self, message: str, *args: object) -> None:
        log: Callable[..., None] = LOGGER.warning
        if not self._stopping or self._failures == 1:
            quietly(log, message, *args)
