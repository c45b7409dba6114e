"""
One exporter's lane: a bounded queue of ended spans, a reader of metrics, and the one thread that sends both.

The calling thread appends to the queue and goes on; network, disk and encoding belong to the worker.
"""

from __future__ import annotations

import threading
from random import uniform
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final

from tta_observe._export import Exporter, ExportFailed
from tta_observe._guard import LOGGER, guarded, quietly, swallow
from tta_observe._pipeline.accounts import with_accounts
from tta_observe._pipeline.intake import LaneStats, Processor, Reader, suppress_instrumentation
from tta_observe._pipeline.ledger import MAX_BATCH, MAX_QUEUE, Ledger
from tta_observe._pipeline.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import ReadableSpan

    from tta_observe._pipeline.outlet import Outlet
    from tta_observe._settings import Signal

__all__ = ["MAX_BATCH", "MAX_QUEUE", "Lane"]

_NEVER_REACHED_S: Final = 0.3
"""What an exit waits for an endpoint that failed and never answered."""

_LAST_S: Final = 0.15
"""What a request that was interrupted at the deadline gets to end, before the interpreter does."""

_FORCE_FLUSH_S: Final = 2.0
"""Longest that a flush of the application's own provider waits for our part."""

_SPANS_WAIT_S: Final = 3.0
"""
Longest back-off of spans: a full queue loses them, and a receiver that comes back is to be noticed within 5 s.

Metrics wait longer, they are cumulative and lose nothing.
"""

_JITTER: Final = 1.25
"""Processes that lost their receiver together do not come back together: each waits up to so much longer."""

_RESTART_S: Final = 1.0
"""A worker that failed in a way that nobody thought of goes on after so long."""


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
        self.beside: Sequence[Outlet] = (self,)
        self._has_collected = False
        self._scope = scope
        self._intervals = span_interval_s, metric_interval_s
        self._ledger = Ledger()
        self._lost_before_flush = 0
        self._asked = self._answered = 0
        self._answer = True
        self._stopping = self._finished = self._closed = self._complete = False
        self._sender = Sender(exporter, self._ledger, time_ns())
        self._health = self._sender.health
        self._thread = threading.Thread(target=self._run, name=f"tta-observe-{exporter.name}", daemon=True)

    def with_reader(self) -> MetricReader:
        """Make the reader that this lane collects metrics from; it is given to a MeterProvider."""
        self.reader = Reader(self)
        return self.reader

    def give_up_reader(self) -> MetricReader | None:
        """Return the reader, the first time that it is asked for: it can be taken off its MeterProvider once."""
        with self._ledger.changed:
            reader, self.reader = self.reader, None
            return reader

    def start(self) -> None:
        """Start the worker; without one, nothing is taken in."""
        try:
            self._thread.start()
        except RuntimeError as error:  # containers limit threads, and a process that ends starts none
            self._ledger.close()
            self._stopping = self._finished = self._closed = True
            quietly(LOGGER.warning, "exporter %s is left out: %s; your program runs on", self.exporter.name, error)

    def put(self, span: ReadableSpan) -> None:
        """Queue an ended span."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._ledger.put(span)

    def flush(self, timeout_s: float) -> bool:
        """
        Send everything recorded before this call; True only when all of it was acknowledged.

        Spans dropped since the last flush make it False once. Returns within *timeout_s* seconds; after :meth:`join`
        at once, with what that returned.
        """
        return self.answer(self.ask(), timeout_s)

    def ask(self) -> tuple[int, int]:
        """Begin a :meth:`flush`, of several lanes at once; the result is for :meth:`answer`."""
        with self._ledger.changed:
            self._asked += 1
            self._ledger.changed.notify_all()
            return self._asked, self._lost_before_flush

    def answer(self, asked: tuple[int, int], timeout_s: float) -> bool:
        """Wait for what :meth:`ask` began."""
        ticket, known = asked
        with self._ledger.changed:
            self._ledger.changed.wait_for(lambda: self._answered >= ticket or not self._is_running(), timeout_s)
            if self._closed:
                return self._complete
            self._lost_before_flush = self._ledger.lost
            return self._answered >= ticket and self._answer and self._lost_before_flush == known

    def flush_for_application(self, timeout_ms: float) -> bool:
        """Flush as a part of the application's own pipeline, whose other parts must not wait for ours."""
        return self._stopping or self.flush(min(timeout_ms / 1000, _FORCE_FLUSH_S))

    def stop(self, deadline: float) -> None:
        """Ask the worker for a last attempt that ends before *deadline*, in monotonic seconds."""
        with self._ledger.changed:
            self._stopping = True
            self._ledger.close()
            never_reached = self._health.failures and not self._health.reached
            earliest = min(deadline, monotonic() + _NEVER_REACHED_S) if never_reached else deadline
            self._sender.deadline = min(earliest, self._sender.deadline or earliest)
            self._ledger.changed.notify_all()

    def join(self) -> bool:
        """Wait for the worker until the deadline of :meth:`stop`; True when all that was recorded was delivered."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, (self._sender.deadline or 0.0) - monotonic()))
        late = self._thread.is_alive()
        if self._close(late=late) and late:
            self._health.failed("TRACES", ExportFailed("no answer", retryable=True), last=True)
        quietly(self.exporter.close)
        if late:
            self._thread.join(_LAST_S)
        return self._complete

    def abandon(self) -> None:
        """Take nothing any more, in a process that was forked."""
        self._stopping = self._closed = self._finished = True
        self._ledger.abandon()

    def stats(self) -> LaneStats:
        """What became of the spans so far, read at one moment."""
        found = self._ledger.accounts()
        return LaneStats(
            self.exporter.name,
            self.exporter.target,
            found.recorded,
            found.delivered,
            found.dropped,
            found.queued + found.in_flight,
            self._health.failures,
            found.in_flight,
            found.truncated,
        )

    def _is_running(self) -> bool:
        # Not alive without having finished: never started, or this process is a fork.
        return self._thread.is_alive() and not self._finished

    def _close(self, *, late: bool) -> bool:
        """Count what is left as lost; False when that was done before."""
        with self._ledger.changed:
            if self._closed:
                return False
            self._closed = True
            known = self._ledger.lost == self._lost_before_flush
            self._complete = self._answer and known and not late and not self._ledger.waiting
            self._ledger.give_up()
            self._ledger.changed.notify_all()
            return True

    def _run(self) -> None:
        suppress_instrumentation()
        try:
            while not self._worked():
                with self._ledger.changed:
                    self._ledger.changed.wait_for(lambda: self._stopping, _RESTART_S)
        finally:
            with self._ledger.changed:
                self._finished = True
                self._ledger.changed.notify_all()

    def _worked(self) -> bool:
        """Work until the end; False when it came too early."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the telemetry of weeks must not end with one bug
            swallow("Lane._work", error)
            return self._stopping
        return True

    def _work(self) -> None:
        spans_s, metrics_s = self._intervals
        next_spans, next_metrics = monotonic() + spans_s, monotonic() + metrics_s
        stopping = False
        while not stopping:
            asked = self._wait(min(next_spans, next_metrics))
            stopping = self._stopping  # read once: what is queued before a stop gets its last cycle
            with_metrics = stopping or asked > self._answered or monotonic() >= next_metrics
            self._answered_with(self._cycle(with_metrics=with_metrics) is True, asked)
            now, jitter = monotonic(), uniform(1, _JITTER)  # noqa: S311 - no secret
            next_spans = now + max(spans_s, jitter * self._health.wait_s(_SPANS_WAIT_S))
            next_metrics = max(now + metrics_s if with_metrics else next_metrics, now + jitter * self._health.wait_s())

    def _wait(self, until: float) -> int:
        with self._ledger.changed:
            self._ledger.changed.wait_for(self._is_wanted, max(0.0, until - monotonic()))
            return self._asked

    def _is_wanted(self) -> bool:
        full = self._ledger.has_batch and not self._health.backoff_s
        return self._stopping or self._asked > self._answered or full

    def _answered_with(self, ok: bool, asked: int) -> None:  # noqa: FBT001
        with self._ledger.changed:
            self._answer, self._answered = ok, asked
            self._ledger.changed.notify_all()

    @guarded
    def _cycle(self, *, with_metrics: bool) -> bool:
        """Send what is queued now, and the metrics; True when all of it was acknowledged."""
        ok = self._sender.spans()
        return (self._send_metrics() if with_metrics else True) and ok

    def _send_metrics(self) -> bool:
        reader = self.reader
        collected = reader.take() if reader is not None and not self._closed else None
        if collected is None:
            return self._sender.sign_of_life() if self.exporter.name == "local" else True
        now_ns = time_ns()
        if self._has_collected:  # a run of one collection is told by flush() and stats()
            collected = with_accounts(collected, [lane.stats() for lane in self.beside], now_ns)
        self._has_collected = True
        return self._sender.metrics(collected, self._scope, now_ns)
