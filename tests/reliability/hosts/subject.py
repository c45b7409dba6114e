"""
The library under test behind five names, so that one program can be run on several libraries.

``RELIABILITY_SUBJECT`` chooses. A program prints its figures as lines of JSON.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from pathlib import Path

NAME = os.environ.get("RELIABILITY_SUBJECT", "ours")
OWN_THREADS = ("tta-observe", "OtelBatch", "OtelPeriodic")


def say(**figures):
    os.write(1, (json.dumps(figures) + "\n").encode())


def last_line(**figures):
    """The application is done; what comes after is the telemetry's."""
    say(**figures, last_line=time.monotonic())


PRICES = "tta-observe-prices"  # the thread that reads the price list


def rss_mib():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def own_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(OWN_THREADS)]


def settled_threads():
    """Those of ours that stay: the one that reads the prices ends a good second after the start."""
    deadline = time.monotonic() + 10
    while PRICES in own_threads() and time.monotonic() < deadline:
        time.sleep(0.05)
    return own_threads()


def at(values, share):
    """The quantile *share* of *values*."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ledger_of(row):
    """What the statistics of one exporter say of the spans; reasons apart, it has to add up."""
    return {
        "created": row.recorded,
        "exported": row.delivered,
        "dropped": sum(row.dropped.values()),
        "queued": row.queued,
        "in_flight": row.in_flight,
        "reasons": dict(row.dropped),
    }


class Ours:
    """tta_observe."""

    telemetry = None

    def configure(self, **more):
        import tta_observe

        if Ours.telemetry is None:
            atexit.register(self.say_ledger)  # registered first, so called after the exit hook of the library
        Ours.telemetry = tta_observe.configure(**more)
        return Ours.telemetry

    def traced(self, function):
        import tta_observe

        return tta_observe.traced_primitive(function)

    def tracer(self):
        return self.telemetry.tracer_provider.get_tracer("host")

    def flush(self, timeout_s):
        return self.telemetry.flush(timeout_s)

    def ledger(self):
        found = [row for row in self.telemetry.stats().exporters if row.exporter != "prometheus"]
        return ledger_of(found[0]) if found else None

    def say_ledger(self):
        say(ledger=self.ledger())


class Stock:
    """opentelemetry-sdk with its own exporters, set up as its documentation says."""

    def configure(self):
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.provider = TracerProvider()
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self.provider)
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
        metrics.get_meter("host").create_counter("calls").add(1)

    def traced(self, function):
        return self.tracer().start_as_current_span(function.__name__)(function)

    def tracer(self):
        from opentelemetry import trace

        return trace.get_tracer("host")

    def flush(self, timeout_s):
        return self.provider.force_flush(int(timeout_s * 1000))

    def ledger(self):
        return None


class Logfire(Stock):
    """logfire, with its data sent to the OTLP endpoint of the environment alone."""

    def configure(self):
        import logfire

        logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)

    def traced(self, function):
        import logfire

        return logfire.instrument(function.__name__)(function)

    def flush(self, timeout_s):
        import logfire

        return logfire.force_flush(int(timeout_s * 1000))


class Traceloop(Stock):
    """traceloop-sdk, with its data sent to the OTLP endpoint of the environment."""

    def configure(self):
        from traceloop.sdk import Traceloop as Theirs

        Theirs.init(app_name="host", api_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], telemetry_enabled=False)

    def traced(self, function):
        from traceloop.sdk.decorators import task

        return task(name=function.__name__)(function)

    def flush(self, timeout_s):
        from opentelemetry import trace

        return trace.get_tracer_provider().force_flush(int(timeout_s * 1000))


SUBJECT = {"ours": Ours, "stock": Stock, "logfire": Logfire, "traceloop": Traceloop}[NAME]()
