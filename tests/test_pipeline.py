"""From settings to providers: ours where there are none, and beside an application's own ones."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from urllib.request import urlopen

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from programs import clean
from receiver import receiving

import tta_observe
from tta_observe import configure, semconv
from tta_observe._pipeline.intake import Onlooker
from tta_observe.instruments import EXECUTIONS

TAKES_READERS = hasattr(MeterProvider, "add_metric_reader")


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.5)


@pytest.fixture(name="receiver")
def _receiver():
    with receiving() as receiver:
        yield receiver


class Application:
    """An application with a telemetry pipeline of its own."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(resource=Resource({"service.name": "theirs"}), shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], Resource({"service.name": "theirs"}), shutdown_on_exit=False)

    def work(self):
        """Spans and metrics that are none of ours, around a call that is."""
        self.meters.get_meter("theirs").create_counter("their.count").add(1)
        with self.tracers.get_tracer("theirs").start_as_current_span("their span"):
            call()

    def span_names(self):
        return [span.name for span in self.exporter.get_finished_spans()]

    def metric_names(self):
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name for scope in scopes for metric in scope.metrics}


class ApiOnlyTracerProvider(trace.TracerProvider):
    """What a vendor ships that implements OpenTelemetry's API and nothing else."""

    def __init__(self):
        self.inner = TracerProvider(shutdown_on_exit=False)

    def get_tracer(self, *args, **kwargs):
        return self.inner.get_tracer(*args, **kwargs)


class ApiOnlyMeterProvider(metrics.MeterProvider):
    """The same for metrics, and what every SDK before 1.43 is: no readers after it was made."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.inner = MeterProvider([self.reader], shutdown_on_exit=False)

    def get_meter(self, *args, **kwargs):
        return self.inner.get_meter(*args, **kwargs)


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tta-observe")]


def test_application_keeps_its_exporters_and_gets_ours_beside_them(receiver):
    """
    Nobody's telemetry may stop arriving because a package was added.
    """
    application = Application()
    configure(endpoint=receiver.endpoint, tracer_provider=application.tracers, meter_provider=application.meters)
    application.work()

    assert tta_observe.flush()
    assert ["primitive.function.execute", "their span"] == application.span_names() == receiver.span_names()
    assert {"their.count", "primitive.execution.count", "primitive.execution.duration"} == application.metric_names()
    assert application.tracers.get_tracer("x") is not None


def test_spans_of_both_form_one_trace(receiver):
    """
    The service map is only right when our spans know the request they belong to.
    """
    application = Application()
    configure(endpoint=receiver.endpoint, tracer_provider=application.tracers)
    application.work()
    tta_observe.flush()
    ours, theirs = (span for _, _, span in sorted(receiver.spans(), key=lambda found: found[2].name))

    assert (theirs.span_id, theirs.trace_id) == (ours.parent_span_id, ours.trace_id)


def test_our_reader_takes_only_our_metrics(receiver):
    """
    The application exports its own; twice would be double in every sum.
    """
    application = Application()
    configure(endpoint=receiver.endpoint, tracer_provider=application.tracers, meter_provider=application.meters)
    application.work()
    tta_observe.flush()

    assert {semconv.SCOPE} == {scope for _, _, scope, _ in receiver.metrics()}
    assert "their.count" not in {metric.name for *_, metric in receiver.metrics()}


def test_metrics_of_the_application_alone_are_no_reason_to_send(receiver):
    """
    Our reader collects theirs as well; an empty request every 15 s would be left of it.
    """
    application = Application()
    configure(endpoint=receiver.endpoint, meter_provider=application.meters)
    application.meters.get_meter("theirs").create_counter("their.count").add(1)

    assert tta_observe.flush()
    assert [] == receiver.requests


def test_metrics_go_through_the_application_where_it_takes_a_reader(receiver):
    """
    One set of instruments, under the application's own name and views; before SDK 1.43 under ours.
    """
    application = Application()
    configure(endpoint=receiver.endpoint, service_name="ours", meter_provider=application.meters)
    call()
    tta_observe.flush()

    expected = "theirs" if TAKES_READERS else "ours"

    assert {expected} == {resource["service.name"] for _, resource, _, _ in receiver.metrics()}


def test_metrics_go_to_a_provider_of_ours_as_well_where_the_application_takes_no_reader(receiver):
    """
    Releases before 1.43, and other people's implementations: both sides get every measurement.
    """
    theirs = ApiOnlyMeterProvider()
    configure(endpoint=receiver.endpoint, service_name="ours", meter_provider=theirs)
    call()
    tta_observe.flush()
    data = theirs.reader.get_metrics_data()
    names = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}

    assert {"ours"} == {resource["service.name"] for _, resource, _, _ in receiver.metrics()}
    assert {"primitive.execution.count", "primitive.execution.duration"} == names
    assert [0, 1] == [point.value for point in receiver.points(EXECUTIONS.name)]


def test_provider_that_takes_no_processor_gets_the_spans_and_one_warning_says_so(receiver, caplog):
    """
    A vendor's provider of the bare API must not raise an AttributeError at start.
    """
    theirs = ApiOnlyTracerProvider()
    seen = InMemorySpanExporter()
    theirs.inner.add_span_processor(SimpleSpanProcessor(seen))
    configure(endpoint=receiver.endpoint, tracer_provider=theirs)
    call()

    assert tta_observe.flush()
    assert ["primitive.function.execute"] == [span.name for span in seen.get_finished_spans()]
    assert [] == receiver.spans()
    assert [0, 1] == [point.value for point in receiver.points(EXECUTIONS.name)]
    assert 1 == len(caplog.records)
    assert "ApiOnlyTracerProvider" in caplog.text


def test_given_providers_are_used_as_they_are_without_exporters():
    """
    Whoever builds everything by hand gets nothing added.
    """
    application = Application()
    before = application.tracers._active_span_processor._span_processors
    telemetry = configure(exporter="none", tracer_provider=application.tracers, meter_provider=application.meters)
    call()

    assert before == application.tracers._active_span_processor._span_processors
    assert application.tracers is telemetry.tracer_provider
    assert ["primitive.function.execute"] == application.span_names()
    assert EXECUTIONS.name in application.metric_names()
    assert [] == workers()
    assert tta_observe.flush()


def test_auto_adds_nothing_beside_an_application_that_exports_already(receiver, monkeypatch):
    """
    Its own pipeline follows the same variables: every span would arrive twice.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    application = Application()
    configure(tracer_provider=application.tracers, meter_provider=application.meters)
    application.work()

    assert tta_observe.flush()
    assert [] == workers()
    assert [] == receiver.requests
    assert ["primitive.function.execute", "their span"] == application.span_names()


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9"], ids=["beside our store", "beside their exporter"])
def test_what_the_application_s_own_instrumentation_says_of_a_call_is_not_billed_twice(monkeypatch, endpoint):
    """
    One call, two spans: whoever gets both, by our pipeline or by theirs, adds up what the client's span says.
    """
    if endpoint is not None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    application = Application()
    configure(tracer_provider=application.tracers, meter_provider=application.meters)
    with tta_observe.primitive("ask", type="llm"):
        tta_observe.record_llm_usage(model="m", prompt_tokens=7)
        with application.tracers.get_tracer("theirs").start_as_current_span("chat") as theirs:
            theirs.set_attribute("gen_ai.usage.input_tokens", 7)

    spans = application.exporter.get_finished_spans()
    assert [7, 0] == [span.attributes["gen_ai.usage.input_tokens"] for span in spans]


def test_the_application_is_looked_on_once_however_often_we_are_configured():
    """
    A provider has no way to take a processor off again: a server that reloads would carry a longer list each time.
    """
    application = Application()
    for _ in range(3):
        configure(exporter="console", tracer_provider=application.tracers)
        tta_observe.shutdown(0.5)
    processors = application.tracers._active_span_processor._span_processors

    assert 1 == sum(isinstance(processor, Onlooker) for processor in processors)


@pytest.mark.parametrize("signal", ["TRACES", "METRICS"])
def test_auto_sends_the_signal_that_the_application_has_no_provider_for(receiver, monkeypatch, signal):
    """
    An application that only traces would otherwise have empty dashboards, and nobody would know why.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    application = Application()
    configure(
        tracer_provider=application.tracers if signal == "METRICS" else None,
        meter_provider=application.meters if signal == "TRACES" else None,
    )
    call()

    assert tta_observe.flush()
    assert {signal} == {request.signal.upper() for request in receiver.requests}


def test_auto_writes_to_the_store_beside_an_application_without_an_endpoint(tmp_path):
    """
    Its pipeline may print, or do nothing: the report works in any case.
    """
    application = Application()
    configure(tracer_provider=application.tracers, meter_provider=application.meters)
    application.work()

    assert tta_observe.flush()
    assert ["local"] == [row.exporter for row in tta_observe.stats().exporters]
    assert 2 == stored_spans(tmp_path / "store.db")


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"exporter": "local"}, ["local"]),
        ({"exporter": ("otlp", "local")}, ["otlp", "local"]),
        ({"endpoint": "http://127.0.0.1:1"}, ["otlp"]),
    ],
    ids=str,
)
def test_what_is_said_by_keyword_is_added_beside_an_application(receiver, monkeypatch, keywords, expected):
    """
    An explicit wish outranks the caution.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    application = Application()
    configure(tracer_provider=application.tracers, meter_provider=application.meters, **keywords)

    assert expected == [row.exporter for row in tta_observe.stats().exporters]


def test_global_providers_are_left_alone():
    """
    There is one of each per process, and it belongs to the application.
    """
    before = trace.get_tracer_provider(), metrics.get_meter_provider()
    configure(exporter="local")
    call()

    assert before == (trace.get_tracer_provider(), metrics.get_meter_provider())


def test_several_exporters_each_get_everything(receiver, tmp_path):
    """
    Developers look at the local report while the collector gets the same.
    """
    configure(exporter=("otlp", "local"), endpoint=receiver.endpoint)
    for _ in range(5):
        call()

    assert tta_observe.flush()
    assert (5, 5) == (len(receiver.spans()), stored_spans(tmp_path / "store.db"))
    assert [(5, 5), (5, 5)] == [(row.recorded, row.delivered) for row in tta_observe.stats().exporters]


def test_one_exporter_that_hangs_does_not_keep_the_other_from_delivering(tmp_path):
    """
    The local report is most wanted when the collector is gone.
    """
    with receiving("slow:3") as slow:
        configure(exporter=("otlp", "local"), endpoint=slow.endpoint)
        call()

        assert not tta_observe.flush(0.5)
        assert 1 == stored_spans(tmp_path / "store.db")
        tta_observe.shutdown(0.1)


@pytest.mark.parametrize(("ratio", "spans"), [(0.0, 0), (1.0, 20)])
def test_sampling_leaves_the_metrics_exact(receiver, ratio, spans):
    """
    Money and errors are counted, not estimated.
    """
    configure(endpoint=receiver.endpoint, sample_ratio=ratio)
    for _ in range(20):
        call()

    assert tta_observe.flush()
    assert (spans, 20) == (len(receiver.spans()), receiver.points(EXECUTIONS.name)[-1].value)


def test_sampler_of_the_environment_is_honoured_unless_a_ratio_is_given(receiver, monkeypatch):
    """
    Operators turn tracing down without a release.
    """
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    configure(endpoint=receiver.endpoint)
    call()
    tta_observe.flush()
    off = len(receiver.spans())
    tta_observe.shutdown()
    configure(endpoint=receiver.endpoint, sample_ratio=1.0)
    call()
    tta_observe.flush()

    assert (0, 1) == (off, len(receiver.spans()))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-5"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes"),
    ],
)
def test_limit_that_the_sdk_refuses_is_one_warning_and_the_default(receiver, monkeypatch, caplog, variable, value):
    """
    The SDK raises ValueError at start over these: a typo in a deployment would stop the service.
    """
    monkeypatch.setenv(variable, value)
    configure(endpoint=receiver.endpoint)
    call()

    assert tta_observe.flush()
    assert 1 == len(receiver.spans())
    assert 1 == len(caplog.records)
    assert {"tta_observe"} == {record.name for record in caplog.records}
    assert "default" in caplog.text
    assert variable.rpartition("_")[2] in caplog.text


def test_store_that_cannot_be_written_is_one_warning_and_the_program_goes_on(tmp_path, caplog):
    """
    Read-only containers are common; the telemetry goes to a temporary place that the warning names.
    """
    (tmp_path / "file").write_text("not a directory", encoding="utf-8")
    configure(store=tmp_path / "file" / "store.db")
    call()

    assert tta_observe.flush()
    assert 1 == len(caplog.records)
    assert tta_observe.stats().exporters[0].target in caplog.text


def test_file_that_is_no_store_is_one_warning_and_flush_is_false(tmp_path, caplog):
    """
    A path with a typo may name somebody's file: it is neither overwritten nor a reason to stop.
    """
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, this is no database, whatever its size may be. " * 50, encoding="utf-8")
    before = path.read_bytes()
    configure(store=path)
    call()

    assert not tta_observe.flush()
    assert not tta_observe.shutdown()
    assert before == path.read_bytes()
    assert 1 == len(caplog.records)


def test_scrape_endpoint_reads_the_application_s_metrics_provider_and_lets_go_of_it(monkeypatch):
    """
    One set of instruments and one resource, whichever way the figures leave; a reader left behind would pile up.
    """
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
    application = Application()
    configure(exporter="prometheus", service_name="ours", meter_provider=application.meters)
    application.work()
    expected = "theirs" if TAKES_READERS else "ours"
    with urlopen(tta_observe.stats().exporters[0].target, timeout=5) as answer:
        page = answer.read().decode()

    assert f'service_name="{expected}"' in page
    assert "primitive_execution_count{" in page
    assert "their_count" not in page
    assert tta_observe.shutdown()
    assert [] == workers()
    assert [application.reader] == list(application.meters._measurement_consumer._reader_storages)


def test_shutdown_leaves_no_thread_and_no_reader_behind(receiver):
    """
    Test suites configure a hundred times in one process.
    """
    application = Application()
    for _ in range(5):
        configure(endpoint=receiver.endpoint, meter_provider=application.meters)
        call()
        assert tta_observe.shutdown()

    assert [] == workers()
    assert [application.reader] == list(application.meters._measurement_consumer._reader_storages)


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e300, 0, -5])
def test_any_timeout_is_taken(receiver, timeout_s):
    """
    "As long as it takes" and "not at all" are things that people write.
    """
    configure(endpoint=receiver.endpoint)
    call()
    begun = time.monotonic()

    assert (timeout_s > 0) == tta_observe.flush(timeout_s)
    assert time.monotonic() - begun < 2


def stored_spans(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM spans").fetchone()[0]
