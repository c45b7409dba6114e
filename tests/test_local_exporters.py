import math
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_store import MORNING, SECOND, App
from opentelemetry.sdk.metrics import Counter as CounterType
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from tta_observe import semconv
from tta_observe._export import Batch, ExportFailed
from tta_observe.instruments import ACTIVE_WORKFLOWS, CACHE_HITS, EXECUTION_DURATION
from tta_observe.local import queries
from tta_observe.local.exporters import LocalExporter
from tta_observe.local.reader import StoreReader
from tta_observe.local.records import from_json

SHOP = Resource({semconv.SERVICE_NAME: "shop", semconv.SERVICE_INSTANCE_ID: "i-1", semconv.SERVICE_VERSION: "1.2"})
MEMORY = {semconv.CACHE_TYPE: "memory"}


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(name="exporter")
def _exporter(path):
    exporter = LocalExporter(path, SHOP)
    yield exporter
    exporter.close()


@pytest.fixture(name="app")
def _app(path):
    app = App(path)
    yield app
    app.exporter.close()


def context(trace=7, span=9):
    """Where a span belongs."""
    return SpanContext(trace, span, is_remote=False)


def ended(name="s", *, span_id=9, attributes=None, start_ns=MORNING, end_ns=MORNING + 1, **more):
    """A span as the SDK hands it over."""
    return ReadableSpan(
        name, context(span=span_id), resource=SHOP, attributes=attributes, start_time=start_ns, end_time=end_ns, **more
    )


def rows(path, sql):
    """What is in the file."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return connection.execute(sql).fetchall()


def send(exporter, *, spans=(), metrics=None, timeout_s=5):
    """One turn of the worker."""
    exporter.send(exporter.encode(Batch(spans, metrics)), timeout_s)


def test_span_is_written_with_all_that_it_says(exporter, path):
    """
    The page shows what the program recorded, and nothing else is left of it.
    """
    span = ended(
        "primitive.llm.ask",
        parent=context(span=5),
        attributes={semconv.PRIMITIVE_TYPE: "llm", "n": 1},
        events=[Event("retry", {"attempt": 2}, MORNING + 5)],
        links=[Link(context(1, 2), {"why": "batch"})],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, "too slow"),
        end_ns=MORNING + 250,
        instrumentation_scope=InstrumentationScope("tta_observe"),
    )
    send(exporter, spans=[span])
    (row,) = rows(
        path,
        "SELECT trace_id, span_id, parent_id, name, kind, start_ns, duration_ns, status, status_message, type, scope"
        " FROM spans",
    )
    ((attributes, events, links),) = rows(path, "SELECT attributes, events, links FROM spans")

    assert (
        "0" * 31 + "7",
        "0" * 15 + "9",
        "0" * 15 + "5",
        "primitive.llm.ask",
        "CLIENT",
        MORNING,
        250,
        "ERROR",
        "too slow",
        "llm",
        "tta_observe",
    ) == row
    assert {semconv.PRIMITIVE_TYPE: "llm", "n": 1} == from_json(attributes)
    assert (("retry", MORNING + 5, {"attempt": 2}),) == from_json(events)
    assert (("0" * 31 + "1", "0" * 15 + "2", {"why": "batch"}),) == from_json(links)


def test_process_is_written_with_its_resource(exporter, path):
    """
    Who emitted, which version of it, and which of its instances.
    """
    send(exporter, spans=[ended()])
    ((name, version, instance, pid, resource_json),) = rows(
        path, "SELECT service_name, service_version, instance_id, pid, resource FROM processes"
    )

    assert ("shop", "1.2", "i-1", os.getpid()) == (name, version, instance, pid)
    assert dict(SHOP.attributes) == from_json(resource_json)


_LEGAL = st.one_of(
    st.text(st.characters(exclude_categories=[])),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.lists(st.text(st.characters(exclude_categories=[]))).map(tuple),
)


@settings(max_examples=40)
@given(
    st.text(),
    st.dictionaries(st.text(min_size=1).filter(lambda key: not key.startswith("$")), _LEGAL, max_size=5),
    st.integers(0, 2**62),
    st.integers(0, 2**61),
)
def test_spans_come_back_as_they_were(name, attributes, start_ns, duration_ns):
    """
    Whatever a program calls its spans and puts on them.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        exporter = LocalExporter(path, SHOP, clock=lambda: start_ns)  # or retention would take it for an old one
        send(exporter, spans=[ended(name, attributes=attributes, start_ns=start_ns, end_ns=start_ns + duration_ns)])
        exporter.close()
        ((found, text, *times),) = rows(path, "SELECT name, attributes, start_ns, duration_ns FROM spans")

    assert (name, attributes, [start_ns, duration_ns]) == (found, from_json(text), times)
    assert 0 == exporter.dropped


@pytest.mark.parametrize(
    "hostile",
    [
        ended(span_id=1, attributes={"client": object()}),
        ended(span_id=1, start_ns=None),
        ended(span_id=1, start_ns=2**70, end_ns=2**70),
        ReadableSpan("no context", None, resource=SHOP, start_time=1, end_time=2),
        None,
    ],
)
def test_hostile_span_is_dropped_and_its_siblings_survive(exporter, path, hostile):
    """
    One span of a library that misbehaves must not take 511 others with it.
    """
    send(exporter, spans=[ended("first", span_id=2), hostile, ended("last", span_id=3)])

    assert [("first",), ("last",)] == rows(path, "SELECT name FROM spans ORDER BY span_id")
    assert 1 == exporter.dropped


@pytest.mark.parametrize("value", [math.nan, -math.inf, "\ud800", b"\x00\xff", "\x00", 2**100])
def test_odd_values_are_kept(exporter, path, value):
    """
    JSON knows none of them. The span that carries one is the one to look at.
    """
    send(exporter, spans=[ended("odd\ud800", attributes={"value": value})])
    ((name, text),) = rows(path, "SELECT name, attributes FROM spans")

    assert "odd?" == name
    assert repr(value) == repr(from_json(text)["value"])
    assert 0 == exporter.dropped


def test_span_that_ends_before_it_starts_takes_no_time(exporter, path):
    """
    Clocks are set back.
    """
    send(exporter, spans=[ended(start_ns=MORNING, end_ns=MORNING - 5)])

    assert [(0,)] == rows(path, "SELECT duration_ns FROM spans")


def test_every_kind_of_metric_is_written(app, path):
    """
    An application's own metrics are stored beside ours.
    """
    meter = app.meters.get_meter("theirs")
    meter.create_gauge("temperature", "Cel").set(21.5)
    app.record(CACHE_HITS, 3, MEMORY)
    app.record(ACTIVE_WORKFLOWS, 2, {})
    app.record(EXECUTION_DURATION, 30.0, {})
    app.tick()

    assert [
        ("agent.workflows.active", "up_down_counter", "{workflow}", "{}", 2, None),
        ("cache.hits", "counter", "{hit}", '{"cache.type":"memory"}', 3, None),
        ("primitive.execution.duration", "histogram", "ms", "{}", 30.0, 1),
        ("temperature", "gauge", "Cel", "{}", 21.5, None),
    ] == rows(
        path,
        "SELECT instrument, kind, unit, labels, value, recorded FROM points JOIN series ON series.id = series"
        " WHERE value ORDER BY instrument",
    )
    ((bounds, buckets),) = rows(
        path, "SELECT bounds, buckets FROM points JOIN series ON series.id = series WHERE kind = 'histogram' AND value"
    )
    assert EXECUTION_DURATION.buckets == from_json(bounds)
    assert (0, 0, 0, 0, 0, 1, *[0] * 8) == from_json(buckets)


def test_order_of_labels_does_not_matter(app, path):
    """
    The same label set from two places in the code is one series.
    """
    app.record(CACHE_HITS, 1, {"a": "1", "b": "2"})
    app.record(CACHE_HITS, 1, {"b": "2", "a": "1"})
    app.tick()

    assert [(1, 2)] == rows(path, "SELECT count(DISTINCT series), max(value) FROM points")


def test_metrics_without_a_form_are_dropped_and_counted(exporter):
    """
    Differences and exponential buckets need another arithmetic: no figure rather than a wrong one.
    """
    views = [View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation())]
    reader = InMemoryMetricReader({CounterType: AggregationTemporality.DELTA})
    meters = MeterProvider([reader], SHOP, views=views, shutdown_on_exit=False)
    meter = meters.get_meter("theirs")
    meter.create_histogram("h").record(1)
    meter.create_counter("delta").add(1)
    meter.create_up_down_counter("fine").add(1)

    assert 1 == len(exporter.encode(Batch(metrics=reader.get_metrics_data())).points)
    assert 2 == exporter.dropped
    meters.shutdown()


def test_number_past_64_bits_is_kept_about(app, path):
    """
    SQLite has no larger whole numbers; the batch matters more than the last digit.
    """
    app.record(CACHE_HITS, 2**70, MEMORY)
    app.tick()

    assert [(float(2**70),)] == rows(path, "SELECT max(value) FROM points")


def test_unchanged_series_are_not_written_again(app, path):
    """
    A thousand series every second would be 86 million rows a day.
    """
    app.record(CACHE_HITS, 1, MEMORY)
    for _ in range(20):
        app.tick()

    assert [(0,), (1,)] == rows(path, "SELECT value FROM points ORDER BY time_ns")


def test_first_resource_that_is_seen_names_the_process(path):
    """
    An exporter that is made by hand needs no more than a path.
    """
    exporter = LocalExporter(path)
    exporter.send(exporter.encode(Batch()), 5)
    assert [] == rows(path, "SELECT * FROM processes")
    send(exporter, spans=[replace_resource(ended(), Resource({}))])
    exporter.close()

    ((name, instance),) = rows(path, "SELECT service_name, instance_id FROM processes")
    assert "unknown_service" == name
    assert 36 == len(instance)


def replace_resource(span, its):
    """*span*, emitted by another."""
    span._resource = its
    return span


def test_locked_store_may_be_free_later(exporter, path):
    """
    The batch is kept and sent again; the program has not lost anything.
    """
    send(exporter)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ExportFailed, match="locked") as caught:
            send(exporter, spans=[ended()], timeout_s=0.05)
    send(exporter, spans=[ended()])

    assert caught.value.retryable
    assert [(1,)] == rows(path, "SELECT count(*) FROM spans")


def test_store_that_is_none_is_refused_for_good(path):
    """
    Sending again would not make a store of it.
    """
    path.write_text("my thesis")
    exporter = LocalExporter(path, SHOP)
    with pytest.raises(ExportFailed, match="is not a SQLite file") as caught:
        send(exporter, spans=[ended()])
    exporter.close()

    assert not caught.value.retryable
    assert "my thesis" == path.read_text()


def test_directory_that_cannot_be_made_may_be_there_later(tmp_path):
    """
    A home that is mounted late.
    """
    (tmp_path / "home").touch()
    exporter = LocalExporter(tmp_path / "home" / "store.db", SHOP)
    with pytest.raises(ExportFailed) as caught:
        send(exporter, spans=[ended()])
    assert caught.value.retryable
    (tmp_path / "home").unlink()
    send(exporter, spans=[ended()])
    exporter.close()

    assert [(1,)] == rows(tmp_path / "home" / "store.db", "SELECT count(*) FROM spans")


def test_full_disk_loses_nothing_that_was_acknowledged(path):
    """
    Disks fill up. What was written stays readable, the rest is sent when there is room.
    """
    exporter = LocalExporter(path, SHOP)
    send(exporter, spans=[ended("first", span_id=1)])
    big = [ended("big", span_id=number + 2, attributes={"text": "x" * 8000}) for number in range(100)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(ExportFailed) as caught:
            send(exporter, spans=big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [("first",)] == rows(path, "SELECT name FROM spans")
    send(exporter, spans=big)
    exporter.close()

    assert caught.value.retryable
    assert [(101,)] == rows(path, "SELECT count(*) FROM spans")
    assert [("ok",)] == rows(path, "PRAGMA integrity_check")


def test_deleted_store_is_made_again(app, path):
    """
    ``rm -r ~/.local/state/tta_observe`` while a server runs: it goes on, with what it measures from then on.
    """
    app.record(CACHE_HITS, 1, MEMORY)
    app.tick()
    for file in path.parent.glob("store.db*"):
        file.unlink()
    app.record(CACHE_HITS, 1, MEMORY)
    app.tick()

    assert [(2,)] == rows(path, "SELECT value FROM points")


def test_close_marks_the_end(app, path):
    """
    After a clean exit nobody waits for a heartbeat.
    """
    app.record(ACTIVE_WORKFLOWS, 1, {})
    app.tick()
    app.exporter.close()
    app.exporter.close()

    assert [(app.now_ns,)] == rows(path, "SELECT ended_ns FROM processes")
    with app.reader() as reader:
        assert 0 == queries.active_workflows(reader, app.now_ns)


def test_close_without_a_send_makes_no_file(path):
    """
    A program that measured nothing leaves nothing behind.
    """
    LocalExporter(path, SHOP).close()

    assert not path.exists()


def test_nothing_is_sent_after_close(exporter):
    """
    A worker that was late must not bring an ended process back to life.
    """
    exporter.close()
    with pytest.raises(ExportFailed, match="closed") as caught:
        send(exporter, spans=[ended()])

    assert not caught.value.retryable


def test_close_interrupts_a_send_that_waits(exporter, path):
    """
    An exit with a deadline does not wait for a neighbour that holds the lock.
    """
    send(exporter)
    failures = []

    def wait():
        try:
            send(exporter, spans=[ended()], timeout_s=60)
        except ExportFailed as error:
            failures.append(error.retryable)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        started = time.monotonic()
        exporter.close()
        thread.join()

    assert [True] == failures
    assert 5 > time.monotonic() - started


def in_child(exporter, results):
    """Use the exporter of the parent."""
    try:
        exporter.send(exporter.encode(Batch([ended("child", span_id=2)])), 5)
        exporter.close()
        results.put("sent")
    except ExportFailed as error:
        results.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are no concept of this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12: threads and fork; that is the case at hand
def test_forked_child_is_a_process_of_its_own(exporter, path):
    """
    Web servers load the program once and fork their workers; all of them go on measuring, nobody damages the file.
    """
    forking = multiprocessing.get_context("fork")
    send(exporter, spans=[ended("parent", span_id=1)])
    results = forking.SimpleQueue()
    child = forking.Process(target=in_child, args=(exporter, results))
    child.start()
    assert "sent" == results.get()
    child.join()
    send(exporter, spans=[ended("parent", span_id=3)])

    assert [("parent", os.getpid(), None)] * 2 + [("child", child.pid, "ended")] == rows(
        path,
        "SELECT name, pid, CASE WHEN ended_ns THEN 'ended' END FROM spans JOIN processes ON processes.id = process"
        " ORDER BY pid != " + str(os.getpid()),
    )
    assert [("ok",)] == rows(path, "PRAGMA integrity_check")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are no concept of this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_of_a_fork_in_the_middle_of_a_send_keeps_off(exporter, path, monkeypatch):
    """
    SQLite's locks do not survive a fork: no telemetry of that child rather than a damaged store.
    """
    monkeypatch.setattr("tta_observe.local.exporters._FORK_S", 0.05)
    forking = multiprocessing.get_context("fork")
    send(exporter)
    results = forking.SimpleQueue()
    child = forking.Process(target=in_child, args=(exporter, results))
    with exporter._lock:  # as a send in another thread would hold it
        child.start()
        assert "forked while its store was in use" in results.get()
        child.join()
    send(exporter, spans=[ended("parent")])

    assert [("parent",)] == rows(path, "SELECT name FROM spans")


def test_closed_exporter_stays_closed_through_a_fork(exporter):
    """
    A program that shut its telemetry down and forks later is not to start it again.
    """
    exporter.close()
    exporter.before_fork()
    exporter.after_fork_in_parent()

    with pytest.raises(ExportFailed, match="closed"):
        send(exporter, spans=[ended()])


def test_child_counts_by_itself(app, path):
    """
    What a child is told after a fork, here without one: new process, new series, the counters of both add up.
    """
    app.record(CACHE_HITS, 2, MEMORY)
    app.tick()
    app.exporter.before_fork()
    app.exporter.after_fork_in_child()
    app.tick()

    assert [(2,)] == rows(path, "SELECT count(*) FROM processes")


def test_child_of_a_fork_while_the_store_was_open_keeps_off(exporter):
    """
    Some servers fork in C, where nobody is told before.
    """
    send(exporter)
    exporter.after_fork_in_child()
    with pytest.raises(ExportFailed, match="forked while its store was in use") as caught:
        send(exporter, spans=[ended()])

    assert not caught.value.retryable


_PROGRAM = """
import sys
from pathlib import Path
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.resources import Resource
from tta_observe._export import Batch
from tta_observe.local.exporters import LocalExporter
exporter = LocalExporter(Path(sys.argv[1]), Resource({"service.name": "script"}))
span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("work")
span.end()
exporter.send(exporter.encode(Batch([span])), 5)
"""


def test_program_that_just_ends_leaves_a_good_store(path):
    """
    Not everybody calls shutdown().
    """
    subprocess.run([sys.executable, "-c", _PROGRAM, str(path)], check=True)
    with StoreReader(path) as reader:
        assert [("work", "script")] == reader.rows(
            "SELECT name, service_name FROM spans JOIN processes ON processes.id = process"
        )


def test_span_of_the_sdk_itself_is_written(exporter, path):
    """
    Not only of those that tests make by hand.
    """
    tracer = TracerProvider(resource=SHOP, shutdown_on_exit=False).get_tracer("x")
    with tracer.start_as_current_span("work", start_time=MORNING, end_on_exit=False) as span:
        span.record_exception(ValueError("no"))
    span.end(MORNING + SECOND)
    send(exporter, spans=[span])
    ((events,),) = rows(path, "SELECT events FROM spans")

    assert "ValueError" == from_json(events)[0][2]["exception.type"]
