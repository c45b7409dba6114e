"""
OpenLLMetry's SDK and us in one process.

It adds its processor to the global provider, or makes one global where there is none; it makes a global provider of
metrics in any case. Both send to its own server, whatever OpenTelemetry's variables say. It turns OpenTelemetry's
instrumentation of threads on, and prints where it sends to.
"""

from __future__ import annotations

import pytest
from providers.beside import RUNS, WHOLE, application, check_arrived, check_ended_well, check_one_bill
from providers.server import answer_server
from providers.underneath import ANSWER


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_each_place_gets_whole_traces_once(tmp_path, first, end):
    """Who is set up first, and who ends first, is nobody's business; half a trace is worth less than none."""
    outcome = application("traceloop.peer", first, tmp_path, end=end)

    check_ended_well(outcome)
    check_arrived(outcome.store)
    assert [8] == outcome.facts["recorded"]
    # Its meters get what is recorded when they are there before us; else our numbers are in our store alone.
    check_arrived(outcome.their, executions=RUNS if first == "theirs" else 0)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_endpoint_of_the_environment_gets_everything_once(tmp_path, first):
    """Its SDK does not send there: without us nobody would."""
    outcome = application("traceloop.peer", first, tmp_path, collector=True)

    check_ended_well(outcome)
    check_arrived(outcome.collector)
    assert WHOLE == outcome.their.traces
    assert () == outcome.store.spans


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_call_of_a_model_is_billed_once(tmp_path, first):
    """Its instrumentation and our primitive both know the tokens; a backend that gets both spans adds up one."""
    with answer_server() as server:
        server.document = ANSWER
        outcome = application("traceloop.peer", first, tmp_path, OPENAI_BASE_URL=server.url)

    check_ended_well(outcome)
    check_one_bill(outcome, "openai.chat")
