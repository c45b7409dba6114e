"""
Langfuse and us in one process.

It adds its processor to the global provider, or makes one global where there is none. The processor sends to its own
server, whatever OpenTelemetry's variables say, and of other people's spans by default only those with some
``gen_ai.*`` attribute, which are our LLM calls, agents, tools and workflows. It measures nothing.
"""

from __future__ import annotations

import pytest
from providers.beside import WHOLE, application, check_arrived, check_ended_well

FILTERED = (
    {
        "workflow.ours.batch.execute": None,
        "theirs.middle": "workflow.ours.batch.execute",
        "primitive.tool.inside": "theirs.middle",
    },
    {
        "theirs.root": None,
        "workflow.ours.job.execute": "theirs.root",
        "theirs.inside": "lost",  # in primitive.processor.around
        "primitive.tool.inside": "theirs.inside",
    },
)


@pytest.mark.parametrize("end", ["nobody", "theirs", "ours"])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_each_place_gets_whole_traces_once(tmp_path, first, end):
    """Who is set up first, and who ends first, is nobody's business; half a trace is worth less than none."""
    outcome = application("langfuse.whole", first, tmp_path, end=end)

    check_ended_well(outcome)
    check_arrived(outcome.store)
    assert [8] == outcome.facts["recorded"]
    check_arrived(outcome.their, executions=0)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_by_default_it_leaves_primitives_out_that_are_no_part_of_an_llm_application(tmp_path, first):
    """A filter of its own, which its users have to be told of; what is left is there once."""
    outcome = application("langfuse.peer", first, tmp_path)

    check_ended_well(outcome)
    check_arrived(outcome.store)
    check_arrived(outcome.their, traces=FILTERED, executions=0)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_endpoint_of_the_environment_gets_everything_once(tmp_path, first):
    """Langfuse does not send there: without us nobody would."""
    outcome = application("langfuse.whole", first, tmp_path, collector=True)

    check_ended_well(outcome)
    check_arrived(outcome.collector)
    assert WHOLE == outcome.their.traces
    assert () == outcome.store.spans
