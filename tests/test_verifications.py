"""The verifications the product was asked for, one test each, so named."""

import asyncio

import pytest

from tta_observe import (
    agent,
    current_workflow,
    primitive,
    record_cache_operation,
    record_llm_usage,
    step,
    traced_primitive,
    workflow,
)
from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    EXECUTION_DURATION,
    EXECUTIONS,
    LLM_TOKENS,
)


@traced_primitive(type="processor", action="process")
async def first():
    """Run before the second."""
    await asyncio.sleep(0.002)


@traced_primitive(type="validator", action="check")
async def second():
    """Run after the first."""


def test_workflow_context_fields(telemetry):
    """
    Each field is there for the code inside, under the name it was given.
    """
    fields = {
        "workflow_id": "i",
        "session_id": "s",
        "agent_id": "a",
        "agent_type": "t",
        "llm_provider": "p",
        "llm_model_name": "m",
        "llm_model_tier": "r",
    }
    with workflow("w", **fields, attributes={"k": 1}):
        context = current_workflow()

    assert {"workflow_name": "w", **fields} == {name: getattr(context, name) for name in ("workflow_name", *fields)}
    assert {"k": 1} == dict(context.attributes)


def test_semantic_span_naming(telemetry):
    """
    The name says what kind of thing did what, so that traces can be searched without knowing the code.
    """
    with workflow("chat"), agent("planner"), step("one"):
        asyncio.run(first())

    assert [
        "workflow.chat.execute",
        "primitive.agent.execute",
        "primitive.sequential.step_0",
        "primitive.processor.process",
    ] == [span.name for span in telemetry.spans]


def test_context_attributes(telemetry):
    """
    The workflow's own span says whom it works for.
    """
    with workflow("chat", workflow_id="1", session_id="2", agent_id="3", agent_type="4", llm_provider="5"):
        pass
    expected = {
        "workflow.name": "chat",
        "workflow.id": "1",
        "session.id": "2",
        "agent.id": "3",
        "agent.type": "4",
        "llm.provider": "5",
    }

    assert expected.items() <= telemetry.span("chat").attributes.items()


def test_children_inherit(telemetry):
    """
    A span found by search leads to its run, whatever its depth.
    """
    with workflow("chat", workflow_id="1", agent_type="planner", llm_model_name="m"), step("s"), primitive("a"):
        asyncio.run(first())
    expected = {"workflow.name": "chat", "workflow.id": "1", "agent.type": "planner", "llm.model_name": "m"}

    assert [expected] * 4 == [{name: span.attributes[name] for name in expected} for span in telemetry.spans]


def test_step_spans(telemetry):
    """
    Steps count inside what encloses them, from 0.
    """
    with workflow("chat"):
        with step("a"), step("b"):
            pass
        with step("c"):
            pass
        with primitive("p"), step("d"):
            pass
    found = [
        (s.attributes["step.name"], s.name, s.attributes["step.index"])
        for s in telemetry.spans
        if "step.name" in s.attributes
    ]

    assert [
        ("a", "primitive.sequential.step_0", 0),
        ("b", "primitive.sequential.step_0", 0),
        ("c", "primitive.sequential.step_1", 1),
        ("d", "primitive.sequential.step_0", 0),
    ] == found


def test_attributes_propagate(telemetry):
    """
    A tenant given once is on every span of the run, in every task.
    """

    async def main():
        with workflow("chat", attributes={"tenant": "acme"}):
            await asyncio.gather(first(), second())

    asyncio.run(main())

    assert ["acme"] * 3 == [span.attributes["tenant"] for span in telemetry.spans]


def test_execution_count(telemetry):
    """
    Three calls are three, and the one that failed is known as that.
    """
    for fails in (False, False, True):
        with pytest.raises(ValueError, match="x") if fails else workflow("w"), primitive("a"):
            if fails:
                raise ValueError("x")

    assert {"success": 2, "error": 1} == {
        status: telemetry.total(EXECUTIONS, {"primitive.name": "a", "execution.status": status})
        for status in ("success", "error")
    }


def test_duration_histogram(telemetry):
    """
    A call of two milliseconds is found in a bucket above two, and counted once.
    """
    asyncio.run(first())
    (point,) = telemetry.points(EXECUTION_DURATION)

    assert 1 == point.count == sum(point.bucket_counts)
    assert point.sum >= 2
    assert 0 == sum(point.bucket_counts[:2])


def test_connection_a_to_b(telemetry):
    """
    What ran after what, without anybody saying so.
    """

    async def main():
        with workflow("chat"):
            await first()
            await second()

    asyncio.run(main())

    assert {("chat", "first", "nested"): 1, ("first", "second", "sequential"): 1} == telemetry.connections()


def test_prompt_and_completion_tokens(telemetry):
    """
    They have different prices.
    """
    record_llm_usage(provider="p", model="m", prompt_tokens=120, completion_tokens=30)

    assert {"prompt": 120, "completion": 30} == telemetry.counts(LLM_TOKENS, by="llm.token_type")


def test_hit_rate_of_two_in_three(telemetry):
    """
    66.7 %: the two counters divide to the rate.
    """
    for hit in (True, False, True):
        record_cache_operation(hit=hit, name="answers")

    assert 66.7 == pytest.approx(100 * telemetry.total(CACHE_HITS) / telemetry.total(CACHE_LOOKUPS), abs=0.05)


def test_active_workflows_up_and_down(telemetry):
    """
    Two running are two, and none is left behind.
    """
    seen = []
    with workflow("a"):
        with workflow("b"):
            seen.append(telemetry.total(ACTIVE_WORKFLOWS))
        seen.append(telemetry.total(ACTIVE_WORKFLOWS))
    seen.append(telemetry.total(ACTIVE_WORKFLOWS))

    assert [2, 1, 0] == seen
