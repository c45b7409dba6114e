"""From a figure to a trace: the exemplars of what was recorded inside a span."""

from __future__ import annotations

import time

import pytest
from live.processes import wait_for


@pytest.fixture(scope="session")
def exemplars(world, played_at):
    """Exemplars of every series that has some, by the name of the series."""
    asked = {"query": '{__name__=~"primitive_.*|llm_.*"}', "start": played_at - 60, "end": time.time()}
    found = {}
    for series in world.server.get("query_exemplars", **asked):
        found.setdefault(series["seriesLabels"]["__name__"], []).extend(series["exemplars"])
    return found


@pytest.mark.parametrize("name", ["primitive_execution_duration_bucket", "llm_tokens_total"])
def test_exemplar_leads_to_a_trace_of_the_program(world, exemplars, name):
    """
    A link into nowhere is worse than none.
    """
    found = {exemplar["labels"]["trace_id"] for exemplar in exemplars[name]}

    assert set(world.program.said["traces"]) == found


def test_exemplar_is_one_of_what_was_measured(exemplars):
    """
    The value is what the reader clicks on: a duration that the script has, not a count.
    """
    values = {float(exemplar["value"]) for exemplar in exemplars["primitive_execution_duration_bucket"]}

    assert {3.0, 600.0, 61_000.0} <= values


def test_the_trace_has_arrived_under_that_identifier(world, exemplars):
    """
    The other half of the link: spans of that trace are where Jaeger would be.
    """
    linked = {exemplar["labels"]["trace_id"] for found in exemplars.values() for exemplar in found}

    wait_for(lambda: linked <= world.trace_ids(), f"spans of {linked}")
