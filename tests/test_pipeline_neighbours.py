"""Providers that somebody else has made."""

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tta_observe._pipeline.neighbours import add_processor, lead
from tta_observe._settings import resolve


class QuietSpanExporter(SpanExporter):
    """As Logfire has several around each other."""

    def __init__(self, wrapped):
        self.wrapped = wrapped


class ProxyTracerProvider:
    """As Logfire makes global."""

    def __init__(self, provider):
        self.provider = provider


class PhoenixTracerProvider(TracerProvider):
    """As Phoenix has it: what is added takes the place of what it came with."""

    replaced = False

    def add_span_processor(self, *args, replace_default_processor=True, **kwargs):
        self.replaced = self.replaced or replace_default_processor
        super().add_span_processor(*args, **kwargs)


def target(endpoint, signal="TRACES"):
    return resolve({"endpoint": endpoint, "protocol": "http/protobuf"}, {})[0].targets[signal]


def exporting(*exporters, batch=SimpleSpanProcessor):
    provider = TracerProvider(shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(batch(exporter))
    return provider


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ("http://127.0.0.1:5000/v1/traces", "http://127.0.0.1:5000", "there"),
        ("http://localhost:5000/v1/traces", "http://127.0.0.1:5000", "there"),
        ("http://collector:4318/v1/traces", "http://collector:4317", "there"),
        ("https://collector/v1/traces", "https://collector:443", "there"),
        ("http://collector:5000/v1/traces", "http://collector:6000", "elsewhere"),
        ("https://cloud.langfuse.com/api/public/otel/v1/traces", "http://127.0.0.1:4318", "elsewhere"),
    ],
)
def test_two_endpoints_are_one_place_or_two(theirs, ours, expected):
    """
    The same place gets each span twice when both send there; two places get nothing when one of them does not.
    """
    provider = exporting(OTLPSpanExporter(endpoint=theirs))

    assert expected == lead(provider, target(ours))


def test_grpc_is_seen_as_well():
    """
    Its exporter keeps host and port, and no scheme.
    """
    provider = exporting(GrpcExporter(endpoint="http://127.0.0.1:4317", insecure=True))

    assert "there" == lead(provider, target("http://localhost:4317"))
    assert "elsewhere" == lead(provider, target("http://collector:4317"))


def test_exporters_are_found_behind_wrappers_and_batches():
    """
    Every product puts something of its own around OpenTelemetry's exporter.
    """
    inner = OTLPSpanExporter(endpoint="http://127.0.0.1:5000/v1/traces")
    provider = exporting(InMemorySpanExporter(), QuietSpanExporter(QuietSpanExporter(inner)), batch=BatchSpanProcessor)
    try:
        assert "there" == lead(ProxyTracerProvider(provider), target("http://127.0.0.1:5000"))
    finally:
        provider.shutdown()


def test_readers_of_metrics_are_looked_at_in_the_same_way():
    """
    OpenLLMetry sends metrics to its own server, whatever the environment says.
    """
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint="http://127.0.0.1:5000/v1/metrics"), 1e6)
    provider = MeterProvider([InMemoryMetricReader(), reader], shutdown_on_exit=False)
    try:
        assert "there" == lead(provider, target("http://127.0.0.1:5000", "METRICS"))
        assert "elsewhere" == lead(provider, target("http://127.0.0.1:5001", "METRICS"))
    finally:
        reader._exporter.shutdown()
        reader._shutdown_event.set()


@pytest.mark.parametrize(
    "provider",
    [
        TracerProvider(shutdown_on_exit=False),
        exporting(InMemorySpanExporter()),
        exporting(OTLPSpanExporter(endpoint="no:end:point")),
        object(),
        None,
    ],
    ids=["nothing yet", "another exporter", "no address", "no SDK", "none"],
)
def test_what_cannot_be_seen_is_not_known(provider):
    """
    Only what was seen decides against OpenTelemetry's rule that its variables are everybody's.
    """
    assert "unknown" == lead(provider, target("http://127.0.0.1:5000"))


def test_hostile_insides_do_no_harm():
    """
    Attributes of other people's classes may be anything, themselves included.
    """

    class SomeProcessor(SpanProcessor):
        @property
        def __dict__(self):
            raise RuntimeError

    class EndlessProcessor(SpanProcessor):
        def __init__(self, left=100_000):
            self.me, self.many = self, [self] * 10

    endless = EndlessProcessor()
    deepest = endless
    for _ in range(2_000):
        deepest.next = deepest = EndlessProcessor()

    assert "unknown" == lead(SomeProcessor(), target("http://127.0.0.1:5000"))
    assert "unknown" == lead(endless, target("http://127.0.0.1:5000"))


def test_phoenix_keeps_the_exporter_that_it_came_with():
    """
    Phoenix takes an added processor for the wish to replace its own: it would get no span any more, and say nothing.
    """
    provider = PhoenixTracerProvider(shutdown_on_exit=False)
    processor = SpanProcessor()
    add_processor(provider, processor)

    assert (processor,) == provider._active_span_processor._span_processors
    assert not provider.replaced


def test_a_provider_that_is_called_in_its_own_way_gets_the_processor():
    """
    What has no signature to be read takes a processor as everybody does.
    """

    class Provider:
        add_span_processor = print

    taken = []
    provider = Provider()
    provider.add_span_processor = taken.append
    add_processor(provider, "a processor")

    assert ["a processor"] == taken
