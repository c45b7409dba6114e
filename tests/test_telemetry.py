"""The slot: where spans and measurements go, without ``configure()`` to the providers of the application."""

from __future__ import annotations

import os

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from programs import run

from tta_observe import _telemetry, semconv
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTIONS, INSTRUMENTS

APPLICATION = """
import tta_observe
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()

def own_tracers():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    return provider

def own_meters():
    provider = MeterProvider([reader])
    metrics.set_meter_provider(provider)
    return provider

def span_names():
    return [span.name.split(".")[1] for span in spans.get_finished_spans()]

def counted():
    data = reader.get_metrics_data()
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return sum(p.value for m in found if m.name == "primitive.execution.count" for p in m.data.data_points)

@tta_observe.traced_primitive(type="tool")
def fetch():
    return 5
"""


def application(source, directory, **variables):
    """Run an application with a pipeline of its own; what it printed, and that it said nothing else."""
    ended = run(APPLICATION + source, directory, **variables)

    assert (0, "") == (ended.code, ended.err)
    return ended.out.split()


def test_providers_set_after_decoration_work_without_configure(tmp_path):
    """
    Frameworks set theirs at start, long after the modules were imported.
    """
    source = """
fetch()
own_tracers(); own_meters()
fetch()
print(*span_names(), counted())
"""

    assert ["tool", "1"] == application(source, tmp_path)


def test_each_provider_counts_from_the_moment_it_is_set(tmp_path):
    """
    Traces often come first, metrics a quarter later.
    """
    source = """
own_tracers()
fetch()
print(*span_names())
own_meters()
fetch()
print(*span_names(), counted())
"""

    assert ["tool", "tool", "tool", "1"] == application(source, tmp_path)


def test_metrics_alone_are_enough(tmp_path):
    """
    Not everybody pays for traces.
    """
    source = """
own_meters()
print(fetch(), counted(), *span_names())
"""

    assert ["5", "1"] == application(source, tmp_path)


def test_application_without_providers_costs_and_changes_nothing(tmp_path):
    """
    A library that is decorated is used by programs that never heard of telemetry.
    """
    source = """
from tta_observe import _telemetry
import threading
print(fetch(), _telemetry.current(), trace.get_current_span().is_recording(), threading.active_count())
"""

    assert ["5", "None", "False", "1"] == application(source, tmp_path)


def test_configure_beside_global_providers_uses_them_and_sets_none(tmp_path):
    """
    The application's exporters keep getting everything, ours too, in one trace.
    """
    source = """
theirs = own_tracers(); own_meters()
telemetry = tta_observe.configure()
with trace.get_tracer("theirs").start_as_current_span("their.request"):
    fetch()
print(telemetry.tracer_provider is theirs, trace.get_tracer_provider() is theirs)
print(*span_names(), counted(), tta_observe.flush(), tta_observe.stats().exporters[0].delivered)
"""

    assert ["True", "True", "tool", "request", "1", "True", "2"] == application(source, tmp_path)


def test_configure_sets_no_global_provider_and_ours_may_be_set_by_the_application(tmp_path):
    """
    There is one of each in a process, and only the application may decide on it.
    """
    source = """
telemetry = tta_observe.configure()
print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)
trace.set_tracer_provider(telemetry.tracer_provider)
with trace.get_tracer("mine").start_as_current_span("my own"):
    fetch()
print(tta_observe.flush(), tta_observe.stats().exporters[0].delivered)
"""

    assert ["ProxyTracerProvider", "_ProxyMeterProvider", "True", "2"] == application(source, tmp_path)


def test_after_shutdown_the_application_goes_on_with_its_own_providers(tmp_path):
    """
    Ours ends; the application's pipeline is none of our business.
    """
    source = """
own_tracers(); own_meters()
tta_observe.configure()
fetch()
tta_observe.shutdown()
fetch()
print(*span_names(), counted())
"""

    assert ["tool", "tool", "2"] == application(source, tmp_path)


def test_disabled_by_the_standard_variable_reaches_nobodys_provider(tmp_path):
    """
    Off is off, also for providers that do not know the variable.
    """
    source = """
own_tracers(); own_meters()
print(fetch(), *span_names(), counted())
tta_observe.configure()
print(fetch(), *span_names(), counted())
"""

    assert ["5", "0", "5", "0"] == application(source, tmp_path, OTEL_SDK_DISABLED="true")


def test_provider_that_calls_observed_code_does_not_lock_up(tmp_path):
    """
    Vendors' providers log, and log handlers call whatever the application has decorated.
    """
    source = """
class Chatty(TracerProvider):
    def get_tracer(self, *args, **kwargs):
        fetch()
        return super().get_tracer(*args, **kwargs)

provider = Chatty()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
print(fetch(), *span_names())
"""

    assert ["5", "tool"] == application(source, tmp_path)


@pytest.mark.parametrize("spec", INSTRUMENTS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("value", ["x", None, float("nan"), float("inf"), -1.5, 2**70, 10**400, True])
@pytest.mark.swallowed
def test_value_that_is_no_measurement_is_counted_and_harms_no_other(spec, value, caplog):
    """
    One integer beyond 64 bits stops all metrics of a process for good, in the stock SDK.
    """
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter(semconv.SCOPE)
    slot = _telemetry.make_slot(TracerProvider(shutdown_on_exit=False).get_tracer("x"), (meter,))
    labels = tuple("x" for _ in spec.labels)
    for _ in range(3):
        slot.record(spec, value, labels)
    slot.record(EXECUTIONS, 1, tuple("y" for _ in EXECUTIONS.labels))
    data = reader.get_metrics_data()

    assert 3 == slot.recorders[spec.name].rejected
    assert ["primitive.execution.count"] == [
        m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics
    ]
    assert 1 == len(caplog.records)
    assert spec.name in caplog.text


def test_gauge_may_go_down_by_one_and_counters_may_not():
    """
    A workflow that ended is -1; anything else that is negative is a mistake.
    """
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter(semconv.SCOPE)
    slot = _telemetry.make_slot(None, (meter,))
    slot.record(ACTIVE_WORKFLOWS, 1, ("w", None))
    slot.record(ACTIVE_WORKFLOWS, -1, ("w", None))
    slot.record(EXECUTIONS, -1, tuple("x" for _ in EXECUTIONS.labels))

    assert (0, 1) == (slot.recorders[ACTIVE_WORKFLOWS.name].rejected, slot.recorders[EXECUTIONS.name].rejected)


def test_instance_id_is_one_per_process_and_another_in_a_fork():
    """
    Parent and child count from zero each; under one identity that reads as a reset.
    """
    reading, writing = os.pipe()
    mine = _telemetry.instance_id()
    child = os.fork()
    if child == 0:
        os.write(writing, _telemetry.instance_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)

    assert mine == _telemetry.instance_id()
    assert (36, True) == (len(theirs), theirs != mine)


def test_what_is_installed_is_replaced_only_by_what_is_captured():
    """
    One slot, one owner: a test's capture comes first, and gives back what it found.
    """
    installed, captured = (_telemetry.make_slot(None, ()) for _ in range(2))
    before = _telemetry.install(installed)
    outer = _telemetry.capture(captured)
    inside = _telemetry.current()
    _telemetry.install(_telemetry.DISABLED)
    still = _telemetry.current()
    _telemetry.capture(outer)
    after = _telemetry.current()
    _telemetry.install(before)

    assert (captured, captured, None) == (inside, still, after)
