"""
OpenInference's set-up for Phoenix and us in one process.

``phoenix.otel.register()`` makes a provider of its own global, which sends to Phoenix, whatever OpenTelemetry's
variables say. Who adds a processor to that provider takes the place of its exporter, unless told not to. It measures
nothing.
"""

from __future__ import annotations

import pytest
from providers.beside import WHOLE, application, check_arrived, check_ended_well, check_one_bill
from providers.server import answer_server
from providers.underneath import ANSWER


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_each_place_gets_whole_traces_once(tmp_path, first, end):
    """Who is set up first, and who ends first, is nobody's business; half a trace is worth less than none."""
    outcome = application("openinference.peer", first, tmp_path, end=end)

    check_ended_well(outcome)
    assert "phoenix" == outcome.facts["tracers"]
    check_arrived(outcome.store)
    assert [8] == outcome.facts["recorded"]
    check_arrived(outcome.their, executions=0)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_endpoint_of_the_environment_gets_everything_once(tmp_path, first):
    """Phoenix does not send there: without us nobody would."""
    outcome = application("openinference.peer", first, tmp_path, collector=True)

    check_ended_well(outcome)
    check_arrived(outcome.collector)
    assert WHOLE == outcome.their.traces
    assert () == outcome.store.spans


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_call_of_a_model_is_billed_once(tmp_path, first):
    """Its instrumentation and our primitive both know the tokens; a backend that gets both spans adds up one."""
    with answer_server() as server:
        server.document = ANSWER
        outcome = application("openinference.peer", first, tmp_path, OPENAI_BASE_URL=server.url)

    check_ended_well(outcome)
    check_one_bill(outcome, "ChatCompletion")
