"""
OpenTelemetry's own distribution, and an application with providers of its own, and us in one process.

``opentelemetry-instrument`` makes providers global before the program begins, which send by OTLP over gRPC to
``localhost:4317``; it writes ``OTEL_TRACES_EXPORTER=otlp`` and its like into the environment where nobody else did.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from providers.beside import JOB, NOTHING, RUNS, application, check_arrived, check_ended_well

INSTRUMENT = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable]


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
def test_a_program_that_is_instrumented_from_outside_sends_everything_once(tmp_path, end):
    """Its pipeline sends our spans and metrics already, so ours has nothing to do."""
    outcome = application("distro.peer", "theirs", tmp_path, end=end, collector=True, launcher=INSTRUMENT)

    check_ended_well(outcome)
    check_arrived(outcome.collector)
    assert {"unknown_service:python"} == outcome.collector.services
    assert NOTHING == outcome.their == outcome.store


def test_what_is_switched_off_stays_off(tmp_path):
    """Who wants no spans and metrics says so to OpenTelemetry, and means everybody."""
    off = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    outcome = application("distro.peer", "theirs", tmp_path, launcher=INSTRUMENT, **off)

    check_ended_well(outcome)
    assert NOTHING == outcome.their == outcome.store


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_an_application_decides_on_samples_and_numbers(tmp_path, first, end):
    """Its trace identifiers stand in its logs, its sampler saves its money; the metrics count every call."""
    outcome = application("distro.own", first, tmp_path, end=end)

    check_ended_well(outcome)
    check_arrived(outcome.store, traces=(JOB,))
    check_arrived(outcome.their, traces=(JOB,), executions=RUNS if first == "theirs" else 0)
    assert [5] == outcome.facts["recorded"]
    assert max(int(span.id, 16) for span in outcome.their.spans) < 20


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_endpoint_of_the_environment_gets_everything_once(tmp_path, first):
    """Both of us read the same variable: a collector that gets every span twice counts every request twice."""
    outcome = application("distro.own", first, tmp_path, collector=True)

    check_ended_well(outcome)
    check_arrived(outcome.collector, traces=(JOB,))
    assert NOTHING == outcome.their == outcome.store
