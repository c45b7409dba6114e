"""An application with providers of its own: spans numbered one by one, and a sampler that leaves a workflow out."""

from __future__ import annotations

import os
from itertools import count

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler


class Counting(IdGenerator):
    def __init__(self):
        self.numbers = count(1)

    def generate_span_id(self):
        return next(self.numbers)

    def generate_trace_id(self):
        return next(self.numbers)


class LeavesTheBatchOut(Sampler):
    def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
        sampler = ALWAYS_OFF if "batch" in name else ALWAYS_ON
        return sampler.should_sample(parent_context, trace_id, name)

    def get_description(self):
        return "all but the batch"


def set_up():
    where = {"endpoint": f"{os.environ['CLOUD']}/v1/{{}}"} if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ else {}
    to = {signal: {key: value.format(signal) for key, value in where.items()} for signal in ("traces", "metrics")}
    resource = Resource.create({"service.name": "theirs"})
    tracers = TracerProvider(sampler=ParentBased(LeavesTheBatchOut()), id_generator=Counting(), resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**to["traces"])))
    trace.set_tracer_provider(tracers)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(**to["metrics"]))
    metrics.set_meter_provider(MeterProvider([reader], resource=resource))


def span(name):
    return trace.get_tracer("theirs").start_as_current_span(name)


def end():
    trace.get_tracer_provider().shutdown()
    metrics.get_meter_provider().shutdown()
