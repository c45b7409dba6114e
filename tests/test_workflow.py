"""Who and what the code inside works for."""

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading

import pytest

from tta_observe import (
    ConfigurationError,
    agent,
    bound_context,
    current_workflow,
    primitive,
    record_llm_usage,
    traced_primitive,
    workflow,
)
from tta_observe._prices import line
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTIONS


@traced_primitive
def work():
    """Do nothing, observed."""


def test_outside_any_workflow_there_is_none():
    """
    Code that asks must be able to tell.
    """
    assert current_workflow() is None
    with bound_context(session_id="s"):
        assert current_workflow() is None


def test_an_inner_block_inherits_what_it_does_not_set(telemetry):
    """
    Nobody repeats the session at every level.
    """
    with (
        workflow("outer", session_id="s", agent_type="planner", llm_provider="p", attributes={"tenant": "t"}),
        bound_context(llm_model_name="m", attributes={"extra": 1}),
        workflow("inner", agent_type="writer") as context,
    ):
        work()

    assert ("inner", "s", "writer", "p", "m") == (
        context.workflow_name,
        context.session_id,
        context.agent_type,
        context.llm_provider,
        context.llm_model_name,
    )
    assert {"tenant": "t", "extra": 1} == dict(context.attributes)
    assert ("t", 1) == tuple(telemetry.span("work").attributes[name] for name in ("tenant", "extra"))
    assert "extra" not in telemetry.span("outer").attributes


def test_each_run_has_an_id_of_its_own(telemetry):
    """
    A nested run is another run; an id that was given is kept.
    """
    with workflow("outer", workflow_id="given") as outer, workflow("inner") as inner:
        pass

    assert "given" == outer.workflow_id
    assert inner.workflow_id not in (None, "given")


def test_another_agent_does_not_inherit_the_identifier(telemetry):
    """
    The writer is not planner-1.
    """
    with workflow("w", agent_type="planner", agent_id="planner-1"), agent("writer"):
        work()

    assert "writer" == telemetry.span("work").attributes["agent.type"]
    assert "agent.id" not in telemetry.span("work").attributes


def test_the_context_is_what_it_was_before(telemetry):
    """
    A block that leaks bills the next request to the last customer.
    """
    with workflow("outer") as outer:
        with pytest.raises(ValueError, match="boo"), workflow("inner"), agent("a"), bound_context(session_id="s"):
            raise ValueError("boo")

        assert outer is current_workflow()
    assert current_workflow() is None


def test_the_context_is_frozen(telemetry):
    """
    Tasks share it.
    """
    with workflow("w") as context, pytest.raises(AttributeError):
        context.session_id = "other"


def test_tasks_have_contexts_of_their_own(telemetry):
    """
    A hundred concurrent requests, a hundred sessions.
    """

    async def request(i):
        with workflow("w", session_id=f"s{i}"):
            await asyncio.sleep(0)
            return current_workflow().session_id

    async def main():
        return await asyncio.gather(*(request(i) for i in range(100)))

    assert [f"s{i}" for i in range(100)] == asyncio.run(main())


def test_nested_workflows_roll_up_into_the_outer_one(telemetry):
    """
    The bill of a run includes what it started; on metrics each measurement is counted once, for the innermost.
    """
    with workflow("outer"):
        record_llm_usage(model="m", prompt_tokens=1, completion_tokens=1, cost_usd=1.0)
        work()
        with workflow("inner"):
            record_llm_usage(model="m", prompt_tokens=10, completion_tokens=10, cost_usd=2.0)
            work()
    names = ("workflow.cost_usd", "workflow.llm_calls", "workflow.total_tokens", "workflow.primitives")

    assert (3.0, 2, 22, 2) == tuple(telemetry.span("workflow.outer.execute").attributes[name] for name in names)
    assert (2.0, 1, 20, 1) == tuple(telemetry.span("workflow.inner.execute").attributes[name] for name in names)
    assert {"outer": 1.0, "inner": 2.0} == telemetry.counts("llm.cost.total", by="workflow.name")


def test_an_unpriced_run_has_no_cost(telemetry):
    """
    Unknown is not free.
    """
    with workflow("w"):
        record_llm_usage(model="unknown", prompt_tokens=1)
    with workflow("v"):
        pass

    assert "workflow.cost_usd" not in telemetry.span("w").attributes
    assert 0.0 == telemetry.span("v").attributes["workflow.cost_usd"]


def test_a_cost_that_is_a_lower_bound_says_so(telemetry):
    """
    $0.50 and two calls nobody can price is not a bill of $0.50.
    """
    with workflow("w"):
        record_llm_usage(model="known", prompt_tokens=1, cost_usd=0.5)
        record_llm_usage(model="unknown", prompt_tokens=1)
        record_llm_usage(model="silent")
    with workflow("v"):
        record_llm_usage(model="known", prompt_tokens=1, cost_usd=0.5)

    assert (0.5, 2) == tuple(
        telemetry.span("w").attributes[n] for n in ("workflow.cost_usd", "workflow.unpriced_calls")
    )
    assert "workflow.unpriced_calls" not in telemetry.span("v").attributes


def spend(cost_usd):
    record_llm_usage(model="m", prompt_tokens=1, cost_usd=cost_usd)


def passed(span):
    return [dict(event.attributes) for event in span.span.events if event.name == "workflow.budget_exceeded"]


def test_a_passed_budget_is_told_and_stops_nothing(telemetry, caplog):
    """
    Whoever pays wants to know which run it was, while it runs; the run itself goes on.
    """
    with workflow("chat", workflow_id="run-7", budget_usd=1) as context:
        spend(0.75)
        quiet = len(caplog.records)
        spend(0.75)
        spend(0.75)
    (warning,) = caplog.messages
    span = telemetry.span("chat")

    assert 0 == quiet
    assert [{"workflow.budget_usd": 1.0, "workflow.cost_usd": 1.5}] == passed(span)
    assert (2.25, 1.0) == (span.attributes["workflow.cost_usd"], span.attributes["workflow.budget_usd"])
    assert "workflow 'chat' has cost $1.5 in run run-7, more than its budget_usd=1." in warning
    assert context.workflow_id == span.attributes["workflow.id"]


def test_each_run_has_its_budget_and_the_log_one_line_per_workflow(telemetry, caplog):
    """
    A loop over ten thousand runs must not write ten thousand lines; their spans still tell them apart.
    """

    @workflow("chat", budget_usd=0.1)
    def run(cost_usd):
        spend(cost_usd)

    for cost_usd in (0.2, 0.05, 0.3):
        run(cost_usd)
    with workflow("other", budget_usd=0):
        spend(0.01)

    assert [1, 0, 1, 1] == [len(passed(span)) for span in telemetry.spans if span.name.startswith("workflow.")]
    assert ["'chat'", "'other'"] == [message.split()[1] for message in caplog.messages]


def test_nested_budgets_are_each_on_their_own(telemetry):
    """
    What an inner run spends is the outer one's bill as well; a block without a budget has none.
    """
    with workflow("outer", budget_usd=1.0), workflow("middle"):
        with workflow("inner", budget_usd=0.5):
            spend(0.6)
        with workflow("next", budget_usd=0.5):
            spend(0.5)
    found = {span.shown: [event["workflow.cost_usd"] for event in passed(span)] for span in telemetry.roots}
    found |= {
        name: [event["workflow.cost_usd"] for event in passed(telemetry.span(name))] for name in ("inner", "next")
    }

    assert {"outer": [1.1], "inner": [0.6], "next": []} == found
    assert [] == passed(telemetry.span("middle"))


@pytest.mark.parametrize(("budget", "costs"), [(0.3, [0.1] * 3), (0, [0.0]), (1, [1.0]), (0, [])])
def test_a_budget_that_is_used_up_is_not_passed(telemetry, caplog, budget, costs):
    """
    Three times ten cents are thirty cents, whatever a float says; a free call passes no budget.
    """
    with workflow("chat", budget_usd=budget):
        for cost_usd in costs:
            spend(cost_usd)

    assert [] == passed(telemetry.span("chat"))
    assert [] == caplog.messages


def test_a_budget_is_passed_once_whoever_spends(telemetry, caplog):
    """
    Tasks and threads of one run spend at the same moment: one of them passes the budget, and no cent is lost.
    """
    threads = 8

    async def task():
        for _ in range(10):
            spend(0.5)
            await asyncio.sleep(0)

    async def tasks():
        await asyncio.gather(*(task() for _ in range(200)))

    with workflow("chat", budget_usd=3.0):
        contexts = [contextvars.copy_context() for _ in range(threads)]
        workers = [
            threading.Thread(target=context.run, args=(lambda: [spend(0.5) for _ in range(100)],))
            for context in contexts
        ]
        for worker in workers:
            worker.start()
        asyncio.run(tasks())
        for worker in workers:
            worker.join(30)
    span = telemetry.span("chat")

    assert [{"workflow.budget_usd": 3.0, "workflow.cost_usd": 3.5}] == passed(span)
    assert 0.5 * (200 * 10 + threads * 100) == span.attributes["workflow.cost_usd"]
    assert 1 == len(caplog.messages)


def test_costs_that_are_known_late_pass_a_budget_as_well(telemetry, caplog, monkeypatch):
    """
    The first calls of a program wait for the prices to be read: its first run is as dear as any other.
    """
    known = threading.Event()
    made = line._Line()
    made.exit_hook = True
    monkeypatch.setattr(line, "_LINE", made)
    monkeypatch.setattr(line, "_read_book", lambda: known.wait(30) and None)
    with workflow("chat", budget_usd=0.1):
        record_llm_usage(model="unknown", prompt_tokens=1)
        record_llm_usage(model="m", prompt_tokens=1, cost_usd=0.25)
        record_llm_usage(model="m", prompt_tokens=1, cost_usd=0.25)
    before = len(telemetry._exporter.get_finished_spans())
    known.set()
    span = telemetry.span("chat")

    assert 0 == before
    assert [0.25] == [event["workflow.cost_usd"] for event in passed(span)]
    assert (0.5, 1) == tuple(span.attributes[name] for name in ("workflow.cost_usd", "workflow.unpriced_calls"))
    assert 1 == sum("budget_usd=0.1" in message for message in caplog.messages)


@pytest.mark.parametrize("budget", [True, -1, float("nan"), float("inf"), "1", [], 10**30])
def test_a_budget_that_is_none_is_refused_where_it_is_written(budget):
    """
    ``budget_usd="5"`` that is never passed would be found on the bill.
    """
    with pytest.raises(ConfigurationError, match=r"budget_usd=.*Write a number that is not negative, e.g. budget_usd="):
        workflow("chat", budget_usd=budget)


def test_work_after_the_end_is_not_the_run_s(telemetry):
    """
    A background task that outlives its run changes neither the finished bill nor the finished span.
    """

    async def late():
        await asyncio.sleep(0.01)
        work()
        record_llm_usage(model="m", prompt_tokens=5, cost_usd=1.0)

    async def main():
        with workflow("w"):
            task = asyncio.create_task(late())
        await task

    asyncio.run(main())

    assert 0 == telemetry.span("workflow.w.execute").attributes["workflow.total_tokens"]
    assert 5 == telemetry.total("llm.tokens.total")
    assert not [span for span in telemetry.spans if span.name == "primitive.llm.usage"]


def test_active_gauge_goes_up_and_down_whatever_happens(telemetry):
    """
    A gauge that is not lowered on failure says "stuck" for ever.
    """
    inside = []
    with contextlib.suppress(SystemExit), workflow("w", agent_type="a"):
        inside.append(telemetry.total(ACTIVE_WORKFLOWS, {"workflow.name": "w", "agent.type": "a"}))
        sys.exit(1)

    assert [1] == inside
    assert 0 == telemetry.total(ACTIVE_WORKFLOWS)


@pytest.mark.parametrize("name", ["run-20261122", "review 12345", "8f14e45f-ceea-467f-a0e6-b2f5a1c0d7e9"])
def test_a_name_that_looks_like_an_identifier_is_told(caplog, name):
    """
    Each one would become a series of its own; the remedy is one keyword away.
    """
    for _ in range(3):
        workflow(name)

    assert 1 == len([r for r in caplog.records if r.levelno == logging.WARNING])
    assert f"workflow_id={name!r}" in caplog.text


def test_a_plain_name_is_not_told(caplog):
    """
    ``gpt4`` and ``step 123`` are names.
    """
    workflow("gpt4 step 123")

    assert "" == caplog.text


def test_workflow_name_in_the_span_name_is_the_bounded_one():
    """
    Span names are indexed as labels are.
    """
    from tta_observe.testing import captured_telemetry

    with captured_telemetry(label_limit=2) as telemetry:
        for name in "abc":
            with workflow(name):
                pass

    assert ["workflow.a.execute", "workflow.b.execute", "workflow.other.execute"] == [s.name for s in telemetry.spans]
    assert {"a": 1, "b": 1, "other": 1} == telemetry.counts(EXECUTIONS, by="workflow.name")


@pytest.mark.parametrize(
    "make", [lambda: workflow(""), lambda: workflow(3), lambda: agent(None), lambda: primitive("")]
)
def test_a_name_that_says_nothing_is_refused(make):
    """
    Where it is written, not as an empty node on the map.
    """
    with pytest.raises(ConfigurationError, match="must be a string that says something"):
        make()


@pytest.mark.parametrize("make", [lambda: workflow("w", sesion_id="s"), lambda: bound_context(sesion_id="s")])
def test_an_unknown_option_is_refused(make):
    """
    A typing mistake must not lose the session in silence.
    """
    with pytest.raises(ConfigurationError, match="Did you mean 'session_id'"):
        make()


def test_to_otel_context_has_what_spans_carry(telemetry):
    """
    For those who start spans of their own.
    """
    with workflow("w", workflow_id="1", session_id="s", attributes={"tenant": "t"}) as context:
        pass

    assert {"workflow.name": "w", "workflow.id": "1", "session.id": "s", "tenant": "t"} == context.to_otel_context()
