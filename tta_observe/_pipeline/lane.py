"""
One exporter's lane: a bounded queue of ended spans, a reader of metrics, and the one thread that sends both.

The calling thread appends to the queue and goes on; network, disk and encoding belong to the worker.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from itertools import islice
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final

from tta_observe._export import Batch, Exporter, ExportFailed
from tta_observe._guard import guarded, quietly, swallow
from tta_observe._pipeline.health import Health
from tta_observe._pipeline.intake import LaneStats, Processor, Reader, suppress_instrumentation
from tta_observe._pipeline.zero import BornAtZero

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import ReadableSpan

    from tta_observe._settings import Signal

MAX_QUEUE: Final = 16_384
"""Ended spans that wait to be sent; past it new ones are dropped and counted."""

MAX_BATCH: Final = 512
"""Spans per request."""

_SEND_TIMEOUT_S: Final = 10.0
_NEVER_REACHED_S: Final = 0.3
"""What an exit waits for an endpoint that failed and never answered."""

_SLACK_S: Final = 0.15
"""The last request ends so long before the deadline, so that the worker is gone when the interpreter goes."""

_FORCE_FLUSH_S: Final = 2.0
"""Longest that a flush of the application's own provider waits for our part."""


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
        self.processor = Processor(self)
        self.reader: Reader | None = None
        self._scope = scope
        self._intervals = span_interval_s, metric_interval_s
        self._queue: deque[ReadableSpan] = deque()
        self._changed = threading.Condition()
        self._recorded = self._delivered = 0
        self._dropped: Counter[str] = Counter()
        self._dropped_before_flush = 0
        self._asked = self._answered = 0
        self._answer = True
        self._stopping = self._finished = self._closed = self._complete = False
        self._deadline: float | None = None
        self._health = Health(exporter.target)
        self._zeros = BornAtZero(time_ns())
        self._thread = threading.Thread(target=self._run, name=f"tta-observe-{exporter.name}", daemon=True)

    def with_reader(self) -> MetricReader:
        """Make the reader that this lane collects metrics from; it is given to a MeterProvider."""
        self.reader = Reader(self)
        return self.reader

    def give_up_reader(self) -> MetricReader | None:
        """Return the reader, the first time that it is asked for: it can be taken off its MeterProvider once."""
        with self._changed:
            reader, self.reader = self.reader, None
            return reader

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

        Spans dropped since the last flush make it False once. Returns within *timeout_s* seconds; after :meth:`join`
        at once, with what that returned.
        """
        return self.answer(self.ask(), timeout_s)

    def ask(self) -> tuple[int, int]:
        """Begin a :meth:`flush`, of several lanes at once; the result is for :meth:`answer`."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            return self._asked, self._dropped_before_flush

    def answer(self, asked: tuple[int, int], timeout_s: float) -> bool:
        """Wait for what :meth:`ask` began."""
        ticket, known = asked
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= ticket or not self._is_running(), timeout_s)
            if self._closed:
                return self._complete
            self._dropped_before_flush = self._dropped.total()
            return self._answered >= ticket and self._answer and self._dropped_before_flush == known

    def flush_for_application(self, timeout_ms: float) -> bool:
        """Flush as a part of the application's own pipeline, whose other parts must not wait for ours."""
        return self._stopping or self.flush(min(timeout_ms / 1000, _FORCE_FLUSH_S))

    def stop(self, deadline: float) -> None:
        """Ask the worker for a last attempt that ends before *deadline*, in monotonic seconds."""
        with self._changed:
            self._stopping = True
            never_reached = self._health.failures and not self._health.reached
            earliest = min(deadline, monotonic() + _NEVER_REACHED_S) if never_reached else deadline
            self._deadline = min(earliest, self._deadline or earliest)
            self._changed.notify_all()

    def join(self) -> bool:
        """Wait for the worker until the deadline of :meth:`stop`; True when all that was recorded was delivered."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, (self._deadline or 0.0) - monotonic()))
        late = self._thread.is_alive()
        if self._close(late=late) and late:
            self._health.failed("TRACES", ExportFailed("no answer", retryable=True), last=True)
        quietly(self.exporter.close)
        if late:
            self._thread.join(_SLACK_S)  # its request was interrupted: let it end before the interpreter does
        return self._complete

    def abandon(self) -> None:
        """Take nothing any more, in a process that was forked; the lock may be held by a thread that is not here."""
        self._changed = threading.Condition()
        self._stopping = self._closed = self._finished = True
        self._queue.clear()

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
                self._health.failures,
            )

    def _is_running(self) -> bool:
        # Not alive without having finished: never started, or this process is a fork.
        return self._thread.is_alive() and not self._finished

    def _close(self, *, late: bool) -> bool:
        """Count what is left as lost; False when that was done before."""
        with self._changed:
            if self._closed:
                return False
            self._closed = True
            known = self._dropped.total() == self._dropped_before_flush
            self._complete = self._answer and known and not late and not self._queue
            self._dropped["shutdown"] += len(self._queue)
            self._queue.clear()
            self._changed.notify_all()
            return True

    def _run(self) -> None:
        suppress_instrumentation()
        try:
            self._work()
        finally:
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _work(self) -> None:
        spans_s, metrics_s = self._intervals
        next_spans, next_metrics = monotonic() + spans_s, monotonic() + metrics_s
        stopping = False
        while not stopping:
            asked = self._wait(min(next_spans, next_metrics))
            stopping = self._stopping  # read once: what is queued before a stop gets its last cycle
            with_metrics = stopping or asked > self._answered or monotonic() >= next_metrics
            self._answered_with(self._cycle(with_metrics=with_metrics) is True, asked)
            now, backoff_s = monotonic(), self._health.backoff_s
            next_spans = now + max(spans_s, backoff_s)
            next_metrics = max(now + metrics_s if with_metrics else next_metrics, now + backoff_s)

    def _wait(self, until: float) -> int:
        with self._changed:
            self._changed.wait_for(self._is_wanted, max(0.0, until - monotonic()))
            return self._asked

    def _is_wanted(self) -> bool:
        full = len(self._queue) >= MAX_BATCH and not self._health.backoff_s
        return self._stopping or self._asked > self._answered or full

    def _answered_with(self, ok: bool, asked: int) -> None:  # noqa: FBT001
        with self._changed:
            self._answer, self._answered = ok, asked
            self._changed.notify_all()

    @guarded
    def _cycle(self, *, with_metrics: bool) -> bool:
        """Send what is queued now, and the metrics; True when all of it was acknowledged."""
        ok, waiting, most = True, len(self._queue), MAX_BATCH
        while waiting > 0 and not self._closed:
            size = min(most, waiting)
            failed = self._send_spans(size)
            if failed is not None and _may_be_halved(failed, size):
                most = size // 2
                continue
            ok = ok and failed is None
            if failed is not None and failed.retryable:
                break
            waiting -= size
        return (self._send_metrics() if with_metrics else True) and ok

    def _send_spans(self, size: int) -> ExportFailed | None:
        with self._changed:
            spans = list(islice(self._queue, size))
        spoilt = -self.exporter.dropped
        failed = self._send("TRACES", Batch(spans=spans))
        spoilt += self.exporter.dropped
        if failed is None or not (failed.retryable or _may_be_halved(failed, size)):
            self._settle(len(spans), spoilt, failed)
        return failed

    def _settle(self, size: int, spoilt: int, failed: ExportFailed | None) -> None:
        """Take the first *size* spans out of the queue and count what became of them."""
        with self._changed:
            if self._closed:  # they were counted as lost when the deadline had passed
                return
            for _ in range(size):
                self._queue.popleft()
            kept = size - spoilt
            lost = 0 if failed is None else kept if failed.rejected is None else min(failed.rejected, kept)
            self._dropped["encode"] += spoilt
            self._dropped["too_large" if failed is not None and failed.too_large else "export_failed"] += lost
            self._delivered += kept - lost

    def _send_metrics(self) -> bool:
        reader = self.reader
        collected = reader.take() if reader is not None and not self._closed else None
        if collected is None:
            return self._send("METRICS", Batch()) is None if self.exporter.name == "local" else True
        failed = self._send("METRICS", Batch(metrics=self._zeros.add(collected, self._scope, time_ns())))
        if failed is None:
            self._zeros.acknowledged()
        return failed is None

    def _send(self, signal: Signal, batch: Batch) -> ExportFailed | None:
        failed = self._attempt(batch)
        if failed is None:
            self._health.succeeded(signal, last=self._stopping)
        elif not _may_be_halved(failed, len(batch.spans)):
            self._health.failed(signal, failed, last=self._stopping)
        return failed

    def _attempt(self, batch: Batch) -> ExportFailed | None:
        try:
            self.exporter.send(self.exporter.encode(batch), self._time_left())
        except ExportFailed as error:
            return error
        except Exception as error:  # noqa: BLE001 - one batch that an exporter stumbles over must not hold up the rest
            swallow(f"{type(self.exporter).__name__}.send", error)
            return ExportFailed(type(error).__name__, retryable=False)
        return None

    def _time_left(self) -> float:
        return _SEND_TIMEOUT_S if self._deadline is None else max(0.05, self._deadline - _SLACK_S - monotonic())


def _may_be_halved(failed: ExportFailed, size: int) -> bool:
    return failed.too_large and size > 1
