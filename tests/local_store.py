"""A program under observation, for the tests of the local store: real providers, a clock that is set by hand."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData, Sum
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tta_observe import semconv
from tta_observe._export import Batch
from tta_observe.instruments import EXECUTION_DURATION, EXECUTIONS, INSTRUMENTS
from tta_observe.local.exporters import LocalExporter
from tta_observe.local.reader import StoreReader
from tta_observe.local.rows import Window

SECOND = 1_000_000_000
MORNING = 1_800_000_000 * SECOND
"""When the programs of these tests start, unless they say otherwise: a multiple of a minute."""


class App:
    """One process: what it records becomes visible in the store at the next :meth:`tick`."""

    def __init__(self, path, *, name="shop", start_ns=MORNING):
        self.path = path
        self.start_ns = self.now_ns = start_ns
        resource = Resource({semconv.SERVICE_NAME: name, semconv.SERVICE_INSTANCE_ID: f"{name}-{start_ns}"})
        self.exporter = LocalExporter(path, resource, clock=lambda: self.now_ns)
        self._spans = InMemorySpanExporter()
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.tracer = tracers.get_tracer(semconv.SCOPE)
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = self.meters.get_meter(semconv.SCOPE)
        self._instruments = {spec.name: _instrument(meter, spec) for spec in INSTRUMENTS}
        self._born = set()

    def record(self, spec, value, labels):
        """Measure *value* on the instrument that *spec* describes."""
        instrument = self._instruments[spec.name]
        (instrument.record if spec.kind == "histogram" else instrument.add)(value, labels)

    def run(self, name="pick", kind="router", *, ms=3.0, status="success", times=1, **more):
        """Execute a primitive, or a workflow, as the package measures it."""
        labels = {semconv.PRIMITIVE_NAME: name, semconv.PRIMITIVE_TYPE: kind, semconv.EXECUTION_STATUS: status}
        labels |= {semconv.WORKFLOW_NAME: name} if kind == "workflow" else {}
        more = {key.replace("_", "."): value for key, value in more.items()}
        for _ in range(times):
            self.record(EXECUTIONS, 1, labels | more)
            self.record(EXECUTION_DURATION, ms, labels)

    def span(self, name, attributes, *, start_ns, duration_ns=SECOND):
        """End a span."""
        self.tracer.start_span(name, attributes=attributes, start_time=start_ns).end(start_ns + duration_ns)

    def tick(self, seconds=1):
        """Let time pass, then export, as the worker of the pipeline does."""
        before_ns, self.now_ns = self.now_ns, self.now_ns + int(seconds * SECOND)
        spans = self._spans.get_finished_spans()
        self._spans.clear()
        metrics = self._reader.get_metrics_data()
        batch = Batch(spans=spans, metrics=metrics and self._dated(metrics, before_ns))
        self.exporter.send(self.exporter.encode(batch), 5)

    def window(self):
        """From the start of the program until now."""
        return Window(self.start_ns, self.now_ns)

    def reader(self):
        """Look at the store."""
        return StoreReader(self.path)

    def _dated(self, data, before_ns):
        """What was collected, as collected now, with a zero in front of each series that is new."""
        return MetricsData(
            [
                replace(
                    resource,
                    scope_metrics=[
                        replace(
                            scope,
                            metrics=[
                                self._dated_metric(scope.scope.name, metric, before_ns) for metric in scope.metrics
                            ],
                        )
                        for scope in resource.scope_metrics
                    ],
                )
                for resource in data.resource_metrics
            ]
        )

    def _dated_metric(self, scope, metric, before_ns):
        points = []
        for point in metric.data.data_points:
            now = replace(point, start_time_unix_nano=self.start_ns, time_unix_nano=self.now_ns)
            key = scope, metric.name, frozenset(point.attributes.items())
            if key not in self._born and (not isinstance(metric.data, Sum) or metric.data.is_monotonic):
                points.append(zero(now, before_ns))
            self._born.add(key)
            points.append(now)
        return replace(metric, data=replace(metric.data, data_points=points))


def zero(point, time_ns):
    """*point* before anything was measured."""
    if hasattr(point, "bucket_counts"):
        return replace(point, time_unix_nano=time_ns, count=0, sum=0.0, bucket_counts=[0] * len(point.bucket_counts))
    return replace(point, time_unix_nano=time_ns, value=0)


def _instrument(meter, spec):
    if spec.kind == "histogram":
        return meter.create_histogram(spec.name, spec.unit, explicit_bucket_boundaries_advisory=list(spec.buckets))
    return getattr(meter, f"create_{spec.kind}")(spec.name, spec.unit)
