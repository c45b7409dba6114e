"""
Logfire and us in one process.

Its ``configure()`` makes providers of its own global, proxies that stay when it is configured anew; it asks nobody
whether there are others. Beside its own server it sends to the OTLP endpoint of the environment.
"""

from __future__ import annotations

import pytest
from providers.beside import RUNS, WHOLE, application, check_arrived, check_ended_well


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_each_place_gets_whole_traces_once(tmp_path, first, end):
    """Who is set up first, and who ends first, is nobody's business; half a trace is worth less than none."""
    outcome = application("logfire.peer", first, tmp_path, end=end)

    check_ended_well(outcome)
    assert "logfire" == outcome.facts["tracers"]
    check_arrived(outcome.store)
    assert [8] == outcome.facts["recorded"]
    # Its meters get what is recorded when they are there before us; else our numbers are in our store alone.
    check_arrived(outcome.their, executions=RUNS if first == "theirs" else 0)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_endpoint_of_the_environment_gets_everything_once(tmp_path, first):
    """Both of us read the same variable: a collector that gets every span twice counts every request twice."""
    outcome = application("logfire.peer", first, tmp_path, collector=True)

    check_ended_well(outcome)
    check_arrived(outcome.collector)
    assert WHOLE == outcome.their.traces
    assert () == outcome.store.spans
