"""One exporter's queue and worker: nothing is lost in silence, nothing holds up the program."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tta_observe import _guard
from tta_observe._export import ExportFailed
from tta_observe._pipeline.lane import MAX_BATCH, MAX_QUEUE, Lane

DOWN = ExportFailed("UNAVAILABLE", retryable=True)
REFUSED = ExportFailed("INVALID_ARGUMENT", retryable=False)


class Sink:
    """An exporter that keeps what it gets, and fails as the test says."""

    name = "sink"
    target = "the sink"

    def __init__(self):
        self.dropped = 0
        self.sent = []
        self.collections = 0
        self.attempts = []
        self.failure = None
        self.spoilt = frozenset()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = threading.Event()
        self.is_stubborn = False

    def encode(self, batch):
        names = [span.name for span in batch.spans]
        good = [name for name in names if name not in self.spoilt]
        self.dropped += len(names) - len(good)
        return good, batch.metrics is not None

    def send(self, encoded, timeout_s):
        names, has_metrics = encoded
        self.attempts.append((len(names), has_metrics))
        if not self.gate.wait(5.0 if self.is_stubborn else timeout_s):
            raise ExportFailed("DEADLINE_EXCEEDED", retryable=True)
        if self.closed.is_set() and not self.is_stubborn:
            raise ExportFailed("CANCELLED", retryable=True)
        failure = self.failure(names, has_metrics) if callable(self.failure) else self.failure
        if failure is not None:
            raise failure
        self.sent += names
        self.collections += has_metrics

    def close(self):
        self.closed.set()
        self.gate.set()


class Running:
    """A started lane with a tracer that fills it."""

    def __init__(self, sink, *, span_interval_s=60.0, metric_interval_s=60.0, metrics=False):
        self.sink = sink
        self.lane = Lane(
            sink,
            span_interval_s=span_interval_s,
            metric_interval_s=metric_interval_s,
            scope="ours",
            signals=frozenset({"TRACES", "METRICS"}),
        )
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.lane.processor)
        self._tracer = self.provider.get_tracer("ours")
        if metrics:
            self.meters = MeterProvider([self.lane.with_reader()], Resource({}), shutdown_on_exit=False)
            self.counter = self.meters.get_meter("ours").create_counter("count")

    def record(self, *names):
        for name in names:
            self._tracer.start_span(name).end()

    def ledger(self):
        stats = self.lane.stats()
        return stats.recorded, stats.delivered + sum(stats.dropped.values()) + stats.waiting


@contextmanager
def running(sink=None, **options):
    lane = Running(sink or Sink(), **options)
    lane.lane.start()
    try:
        yield lane
    finally:
        lane.sink.gate.set()
        lane.lane.stop(time.monotonic() + 1)
        lane.lane.join()


def eventually(condition, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def names(count, prefix="s"):
    return [f"{prefix}{i}" for i in range(count)]


def test_spans_are_sent_within_the_interval():
    """
    A killed process loses what was not sent yet: at most one interval.
    """
    with running(span_interval_s=0.05) as lane:
        lane.record("a", "b")

        assert eventually(lambda: ["a", "b"] == lane.sink.sent)


def test_full_batch_is_sent_without_waiting_for_the_interval():
    """
    A busy program would fill the queue within one interval.
    """
    with running() as lane:
        lane.record(*names(MAX_BATCH))

        assert eventually(lambda: MAX_BATCH == len(lane.sink.sent))


def test_flush_sends_spans_and_metrics_in_batches_and_says_true():
    """
    True is a promise: a test, a notebook or a Lambda function goes away after it.
    """
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.sink.gate.clear()
        lane.record(*names(2 * MAX_BATCH + 5))
        lane.sink.gate.set()

        assert lane.lane.flush(5.0)
        assert names(2 * MAX_BATCH + 5) == lane.sink.sent
        assert 1 == lane.sink.collections
        assert MAX_BATCH == max(size for size, _ in lane.sink.attempts)


def test_flush_with_nothing_to_send_is_true():
    """
    Nothing recorded is nothing lost.
    """
    with running() as lane:
        assert lane.lane.flush(1.0)
        assert [] == lane.sink.attempts


@pytest.mark.parametrize("failure", [DOWN, REFUSED], ids=["down", "refused"])
def test_flush_is_false_when_sending_fails(failure):
    """
    The stock SDK says True with nothing delivered.
    """
    with running() as lane:
        lane.sink.failure = failure
        lane.record("a")

        assert not lane.lane.flush(5.0)


def test_flush_returns_in_time_when_nobody_answers():
    """
    The caller said how long it can wait.
    """
    with running() as lane:
        lane.sink.gate.clear()
        lane.record("a")
        begun = time.monotonic()

        assert not lane.lane.flush(0.2)
        assert time.monotonic() - begun < 0.4


def test_flush_is_false_once_for_spans_that_were_dropped_and_true_after():
    """
    Everything recorded before the call includes what is gone; the next call is about what came later.
    """
    with running() as lane:
        lane.sink.failure = REFUSED
        lane.record("a")
        first = lane.lane.flush(5.0)
        lane.sink.failure = None
        lane.record("b")

        assert (False, True) == (first, lane.lane.flush(5.0))
        assert ["b"] == lane.sink.sent


def test_every_thread_that_waits_for_the_same_loss_hears_of_it():
    """
    Two callers of flush() must not share one False between them.
    """
    with running() as lane:
        lane.sink.failure = REFUSED
        lane.sink.gate.clear()
        lane.record("a")
        with ThreadPoolExecutor(6) as pool:
            answers = [pool.submit(lane.lane.flush, 5.0) for _ in range(6)]
            assert eventually(lambda: lane.lane._asked == 6)  # all of them wait before anything is lost
            lane.sink.gate.set()

            assert [False] * 6 == [answer.result() for answer in answers]


def test_flush_from_many_threads_while_others_record_is_always_true():
    """
    A healthy receiver must never make a caller believe that something was lost.
    """
    with running() as lane, ThreadPoolExecutor(8) as pool:
        recording = [pool.submit(lane.record, *names(200, prefix)) for prefix in "abcd"]
        answers = [pool.submit(lane.lane.flush, 5.0) for _ in range(20)]

        assert [True] * 20 == [answer.result() for answer in answers]
        assert [None] * 4 == [done.result() for done in recording]
        assert lane.lane.flush(5.0)
        assert 800 == len(set(lane.sink.sent))


def test_flush_works_inside_a_running_event_loop():
    """
    Agents are asyncio programs, and their authors call flush() at the end of main().
    """

    async def main(lane):
        lane.record("a")
        return lane.lane.flush(5.0)

    with running() as lane:
        assert asyncio.run(main(lane))
        assert ["a"] == lane.sink.sent


def test_queue_is_bounded_and_what_it_cannot_take_is_counted():
    """
    A dead collector must not eat the host's memory, nor lose spans without a trace of it.
    """
    with running() as lane:
        lane.sink.gate.clear()
        lane.record(*names(MAX_QUEUE + 100))
        stats = lane.lane.stats()

        assert (MAX_QUEUE + 100, MAX_QUEUE, {"queue_full": 100}) == (stats.recorded, stats.waiting, stats.dropped)


def test_batch_that_is_being_sent_is_in_flight_and_not_queued():
    """
    "Sent and not answered" is another question than "not sent", and a span is one or the other.
    """
    with running(span_interval_s=0.01) as lane:
        lane.sink.gate.clear()
        lane.record(*names(5))
        assert eventually(lambda: lane.sink.attempts)
        lane.record("a", "b")
        stats = lane.lane.stats()

        assert (7, 2, 5, 7) == (stats.recorded, stats.queued, stats.in_flight, stats.waiting)


@pytest.mark.swallowed
def test_worker_that_fails_in_a_way_nobody_thought_of_goes_on(monkeypatch):
    """
    A process that runs for weeks must not lose its telemetry for good over one bug of ours; it is counted.
    """
    with running(span_interval_s=0.01) as lane:
        monkeypatch.setattr(lane.lane, "_wait", lambda until: 1 / 0)
        lane.record("a")
        assert eventually(lambda: _guard.STATE.errors["Lane._work"])
        monkeypatch.undo()

        assert lane.lane.flush(5.0)
        assert ["a"] == lane.sink.sent


def test_worker_that_cannot_be_started_is_one_warning_and_takes_nothing(monkeypatch, caplog):
    """
    Containers limit threads: a queue that nobody empties would be memory for nothing.
    """

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    lane = Running(Sink())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    lane.lane.start()
    lane.record("a")
    lane.lane.stop(time.monotonic() + 1)

    assert ["exporter sink is left out: can't start new thread; your program runs on"] == [
        record.getMessage() for record in caplog.records
    ]
    assert (0, 0) == lane.ledger()
    assert [False, False] == [lane.lane.flush(1.0), lane.lane.join()]


def test_receiver_that_comes_back_is_noticed_within_five_seconds():
    """
    However long the outage was: a full queue loses spans every second.
    """
    with running(span_interval_s=0.01) as lane:
        for _ in range(10):
            lane.lane._health.failed("TRACES", DOWN, last=False)
        lane.record("a")
        assert not lane.lane.flush(0)
        begun = time.monotonic()

        assert eventually(lambda: ["a"] == lane.sink.sent)
        assert time.monotonic() - begun < 5


def test_metrics_that_are_too_large_arrive_in_parts():
    """
    Thousands of label sets take more than one message; refused as a whole they never arrive.
    """
    sent = []

    class Picky(Sink):
        def encode(self, batch):
            found = [] if batch.metrics is None else points_of(batch.metrics)
            if len(found) > 10:
                raise ExportFailed("too large", retryable=False, too_large=True)
            sent.extend(found)
            return super().encode(batch)

    with running(Picky(), metrics=True) as lane:
        for i in range(100):
            lane.counter.add(1, {"label": str(i)})

        assert lane.lane.flush(5.0)
        assert lane.lane.flush(5.0)
        zeros = [label for label, value in sent if value == 0]

        assert 100 == len(zeros) == len(set(zeros))
        assert 300 == len(sent)


def points_of(metrics):
    return [
        (point.attributes["label"], point.value)
        for resource in metrics.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]


def test_what_was_not_accepted_is_sent_again_in_order_and_once():
    """
    An outage loses nothing as long as the queue has room.
    """
    with running(span_interval_s=0.02) as lane:
        lane.sink.failure = DOWN
        lane.record("a", "b")
        assert eventually(lambda: lane.sink.attempts)
        lane.record("c")
        lane.sink.failure = None

        assert eventually(lambda: ["a", "b", "c"] == lane.sink.sent)
        assert lane.lane.flush(1.0)
        assert (3, 3, {}) == (lane.lane.stats().recorded, lane.lane.stats().delivered, lane.lane.stats().dropped)


def test_attempts_get_rarer_while_nobody_answers():
    """
    A receiver that comes back is not greeted by a stampede, and a host's CPU is not spent on nothing.
    """
    with running(span_interval_s=0.01) as lane:
        lane.sink.failure = DOWN
        lane.record(*names(MAX_BATCH + 1))
        time.sleep(0.5)

        assert 1 == len(lane.sink.attempts)


def test_refused_batch_does_not_hold_up_the_ones_behind_it():
    """
    One batch that a receiver will never take must not cost the rest of the run.
    """
    with running() as lane:
        lane.sink.failure = lambda names, _: REFUSED if "s0" in names else None
        lane.sink.gate.clear()
        lane.record(*names(3 * MAX_BATCH))
        lane.sink.gate.set()

        assert not lane.lane.flush(5.0)
        assert (2 * MAX_BATCH, {"export_failed": MAX_BATCH}) == (len(lane.sink.sent), lane.lane.stats().dropped)


def test_partly_rejected_batch_is_counted_exactly():
    """
    The receiver says how many it did not take; the others have arrived.
    """
    with running() as lane:
        lane.sink.failure = ExportFailed("2 rejected", retryable=False, rejected=2)
        lane.record(*names(5))

        assert not lane.lane.flush(5.0)
        assert (3, {"export_failed": 2}) == (lane.lane.stats().delivered, lane.lane.stats().dropped)


def test_receiver_that_rejects_more_than_it_got_does_not_break_the_ledger():
    """
    Numbers from outside are claims.
    """
    with running() as lane:
        lane.sink.failure = ExportFailed("99 rejected", retryable=False, rejected=99)
        lane.record("a")
        lane.lane.flush(5.0)

        assert (0, {"export_failed": 1}) == (lane.lane.stats().delivered, lane.lane.stats().dropped)


def test_batch_over_the_limit_of_the_receiver_is_cut_until_it_fits():
    """
    600 spans with 8 KiB of text each are more than a gRPC server takes; sent again as they are they never arrive.
    """
    too_large = ExportFailed("RESOURCE_EXHAUSTED", retryable=False, too_large=True)
    with running() as lane:
        lane.sink.failure = lambda names, _: too_large if len(names) > 100 else None
        lane.record(*names(300))

        assert lane.lane.flush(5.0)
        assert names(300) == lane.sink.sent
        assert 0 == lane.lane.stats().requests_failed


def test_span_that_is_too_large_alone_is_dropped_and_its_siblings_arrive():
    """
    It will never be smaller.
    """
    too_large = ExportFailed("RESOURCE_EXHAUSTED", retryable=False, too_large=True)
    with running() as lane:
        lane.sink.failure = lambda names, _: too_large if "s3" in names else None
        lane.record(*names(8))

        assert not lane.lane.flush(5.0)
        assert [name for name in names(8) if name != "s3"] == lane.sink.sent
        assert {"too_large": 1} == lane.lane.stats().dropped


def test_span_that_cannot_be_encoded_is_counted_and_its_siblings_arrive():
    """
    One bad value from some library must not cost a batch.
    """
    with running() as lane:
        lane.sink.spoilt = frozenset({"s1"})
        lane.record(*names(3))

        assert not lane.lane.flush(5.0)
        assert (["s0", "s2"], {"encode": 1}) == (lane.sink.sent, lane.lane.stats().dropped)


@pytest.mark.swallowed
def test_exporter_that_raises_the_unexpected_costs_one_batch_and_not_the_worker(caplog):
    """
    A bug in an exporter must not end the telemetry of a process that runs for weeks.
    """
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.sink.failure = ZeroDivisionError("a bug")
        lane.record("a")
        first = lane.lane.flush(5.0)
        lane.sink.failure = None
        lane.record("b")

        assert (False, True) == (first, lane.lane.flush(5.0))
        assert (["b"], {"export_failed": 1}) == (lane.sink.sent, lane.lane.stats().dropped)
        assert "Traceback" not in caplog.text


def test_outage_is_one_line_and_its_end_another(caplog):
    """
    The log of a host is not ours: the stock exporter writes 29,000 lines a day into it.
    """
    with running(span_interval_s=0.01, metric_interval_s=0.01, metrics=True) as lane:
        lane.counter.add(1)
        lane.sink.failure = DOWN
        for _ in range(5):
            lane.record("a")
            lane.lane.flush(1.0)
        failing = [record.getMessage() for record in caplog.records]
        lane.sink.failure = None
        assert lane.lane.flush(1.0)
        recovered = [record.getMessage() for record in caplog.records][1:]

    assert ["telemetry does not reach the sink (UNAVAILABLE); your program is not affected"] == failing
    assert ["telemetry reaches the sink again"] == recovered
    assert {"tta_observe"} == {record.name for record in caplog.records}
    assert {logging.WARNING} == {record.levelno for record in caplog.records}


def test_receiver_of_traces_that_takes_no_metrics_is_one_line_and_no_outage(caplog):
    """
    Jaeger and Tempo are such: telling it at every collection, and of a recovery in between, would fill the log.
    """
    unimplemented = ExportFailed("UNIMPLEMENTED", retryable=False)
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.sink.failure = lambda _, has_metrics: unimplemented if has_metrics else None
        for _ in range(5):
            lane.record("a")
            lane.lane.flush(1.0)

    assert 5 == len(lane.sink.sent)
    assert 1 == len(caplog.records)
    assert "the sink does not take the telemetry (UNIMPLEMENTED)" in caplog.text


def test_own_requests_are_marked_so_that_nobody_traces_them():
    """
    An instrumented gRPC client would make a span of each export, which would be exported, and so on.
    """
    seen = []

    def look(_names, _has_metrics):
        keys = ("suppress_instrumentation", otel_context._SUPPRESS_INSTRUMENTATION_KEY)
        seen.extend(otel_context.get_value(key) for key in keys)

    with running() as lane:
        lane.sink.failure = look
        lane.record("a")
        lane.lane.flush(1.0)

    assert [True, True] == seen
    assert otel_context.get_value("suppress_instrumentation") is None


def test_unsampled_spans_are_not_queued():
    """
    They were sampled out to save just that.
    """
    with running() as lane:
        unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        unsampled.add_span_processor(lane.lane.processor)
        unsampled.get_tracer("x").start_span("a").end()

        assert 0 == lane.lane.stats().recorded


def test_worker_sleeps_between_collections():
    """
    Metrics fall due between two sendings of spans: waiting for the next of those must not burn a core.
    """
    with running(span_interval_s=1.0, metric_interval_s=0.2, metrics=True) as lane:
        lane.counter.add(1)
        before = time.process_time()
        time.sleep(1.1)
        spent = time.process_time() - before

    assert 3 <= lane.sink.collections <= 7
    assert spent < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_ledger_balances_at_every_moment(seed):
    """
    Drops are only honest when recorded = delivered + dropped + waiting holds whenever somebody looks.
    """
    chance = random.Random(seed)

    def fate(names, _has_metrics):
        return chance.choice(
            [None, None, DOWN, REFUSED, ExportFailed("x", retryable=False, rejected=chance.randint(0, len(names)))]
        )

    sink = Sink()
    sink.failure = fate
    sink.spoilt = frozenset({"b7", "c7"})
    seen = set()
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with running(sink, span_interval_s=0.001) as lane, ThreadPoolExecutor(6) as pool:
            recording = [pool.submit(lane.record, *names(1500, prefix)) for prefix in "abcd"]
            flushing = pool.submit(lambda: [lane.lane.flush(0.05) for _ in range(20)])
            while not all(done.done() for done in [*recording, flushing]):
                recorded, accounted = lane.ledger()
                seen.add(recorded == accounted)
        recorded, accounted = lane.ledger()
    finally:
        sys.setswitchinterval(switching)
    delivered = Counter(sink.sent)

    assert {True} == seen
    assert 6000 == recorded == accounted
    assert lane.lane.stats().delivered >= len(delivered)
    assert {1} == set(delivered.values())


def test_shutdown_sends_what_is_left_and_closes_the_exporter():
    """
    The last spans of a run are the ones that say why it ended.
    """
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.record("a")
        lane.lane.stop(time.monotonic() + 2)

        assert lane.lane.join()
        assert (["a"], 1, True) == (lane.sink.sent, lane.sink.collections, lane.sink.closed.is_set())


def test_shutdown_ends_at_its_deadline_and_counts_what_is_lost(caplog):
    """
    A deploy must not hang on its telemetry, and stats() tells what that cost.
    """
    with running() as lane:
        lane.sink.gate.clear()
        lane.record(*names(5))
        begun = time.monotonic()
        lane.lane.stop(begun + 0.4)

        assert not lane.lane.join()
        assert time.monotonic() - begun < 0.6
        assert ({"shutdown": 5}, 0) == (lane.lane.stats().dropped, lane.lane.stats().waiting)
        assert not lane.lane._thread.is_alive()
    assert 1 == len(caplog.records)


def test_shutdown_interrupts_a_request_that_began_before_it():
    """
    A request may take ten seconds while the program runs; its end does not wait for that.
    """
    with running(span_interval_s=0.01) as lane:
        lane.sink.gate.clear()
        lane.record(*names(5))
        assert eventually(lambda: lane.sink.attempts)
        begun = time.monotonic()
        lane.lane.stop(begun + 0.3)

        assert not lane.lane.join()
        assert time.monotonic() - begun < 0.6
        assert eventually(lambda: not lane.lane._thread.is_alive())
        assert (5, 5) == lane.ledger()


def test_answer_that_comes_after_the_end_changes_nothing():
    """
    What was counted as lost stays counted so, or the ledger would be wrong in the other direction.
    """
    with running() as lane:
        lane.sink.is_stubborn = True
        lane.sink.gate.clear()
        lane.record(*names(5))
        lane.lane.stop(time.monotonic() + 0.1)
        threading.Timer(0.3, lane.sink.gate.set).start()

        assert not lane.lane.join()
        lane.lane._thread.join(2)
        assert ({"shutdown": 5}, 0) == (lane.lane.stats().dropped, lane.lane.stats().delivered)
        assert (5, 5) == lane.ledger()


def test_shutdown_waits_briefly_for_an_endpoint_that_never_answered():
    """
    Most developers have no collector running, and end their program often.
    """
    with running(span_interval_s=0.01) as lane:
        lane.sink.failure = DOWN
        lane.record("a")
        assert eventually(lambda: lane.lane.stats().requests_failed)
        lane.sink.failure = None
        lane.sink.gate.clear()
        begun = time.monotonic()
        lane.lane.stop(begun + 5)
        lane.lane.join()

        assert time.monotonic() - begun < 0.5


def test_shutdown_gives_a_receiver_that_answered_before_the_whole_time():
    """
    A receiver that restarts just now gets its chance.
    """
    with running(span_interval_s=0.01) as lane:
        lane.record("a")
        assert eventually(lambda: lane.sink.sent)
        lane.sink.failure = DOWN
        lane.record("b")
        assert eventually(lambda: lane.lane.stats().requests_failed)
        lane.sink.failure = None
        lane.sink.gate.clear()
        threading.Timer(0.6, lane.sink.gate.set).start()
        lane.lane.stop(time.monotonic() + 5)

        assert lane.lane.join()
        assert ["a", "b"] == lane.sink.sent


def test_shutdown_twice_and_from_several_threads_gives_one_answer():
    """
    An exit hook, a framework's hook and a signal handler may all call it.
    """
    with running() as lane:
        lane.record("a")

        def end():
            lane.lane.stop(time.monotonic() + 2)
            return lane.lane.join()

        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(end) for _ in range(4)]

        assert [True] * 5 == [end(), *(answer.result() for answer in answers)]
        assert ["a"] == lane.sink.sent


@pytest.mark.parametrize("arrives", [True, False])
def test_flush_after_shutdown_returns_at_once_and_still_tells_the_truth(arrives):
    """
    What was lost stays lost; a worker that is gone is not waited for.
    """
    with running() as lane:
        lane.sink.failure = None if arrives else REFUSED
        lane.record("a")
        lane.lane.stop(time.monotonic() + 2)
        lane.lane.join()
        begun = time.monotonic()

        assert [arrives] * 2 == [lane.lane.flush(5.0), lane.lane.flush(5.0)]
        assert time.monotonic() - begun < 0.5


def test_flush_without_a_worker_does_not_wait():
    """
    Threads cannot always be started, and do not survive a fork.
    """
    lane = Running(Sink())
    lane.record("a")
    begun = time.monotonic()

    assert not lane.lane.flush(5.0)
    assert time.monotonic() - begun < 0.5


def test_application_that_flushes_its_own_provider_waits_two_seconds_at_most_for_us():
    """
    Its own exporters come after ours in the same call, and 30 s is the default.
    """
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.sink.gate.clear()
        lane.record("a")
        begun = time.monotonic()

        assert not lane.provider.force_flush()
        assert time.monotonic() - begun < 2.3


def test_application_may_flush_its_own_provider_after_our_shutdown():
    """
    Processors cannot be taken off a provider; a stopped one must not make its flush fail for ever.
    """
    with running(metrics=True) as lane:
        lane.sink.failure = REFUSED
        lane.record("a")
        lane.lane.stop(time.monotonic() + 1)
        lane.lane.join()
        lane.record("b")

        assert lane.provider.force_flush()
        assert lane.meters.force_flush()
        assert 1 == lane.lane.stats().recorded


def test_application_that_shuts_down_its_providers_does_not_end_ours():
    """
    Order at exit is anybody's guess: what our last cycle collects must still be there.
    """
    with running(metrics=True) as lane:
        lane.counter.add(1)
        lane.record("a")
        lane.provider.shutdown()
        lane.meters.shutdown()

        assert lane.lane.flush(5.0)
        assert (["a"], 1) == (lane.sink.sent, lane.sink.collections)
