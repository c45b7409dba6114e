"""A copy of our values inside the OpenTelemetry Context, for threads that are handed nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from tta_observe import (
    _otel_context,
    agent,
    bound_context,
    context,
    current_workflow,
    primitive,
    record_execution,
    record_llm_usage,
    step,
    traced_primitive,
    workflow,
)
from tta_observe.instruments import EXECUTIONS, LLM_TOKENS
from tta_observe.semconv import NESTED, PARALLEL, SEQUENTIAL


@pytest.fixture(name="threading_is_instrumented")
def _threading_is_instrumented():
    """OpenTelemetry's own way of taking its Context along to threads; it knows nothing of ours."""
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


@traced_primitive
def inner():
    return current_workflow()


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def in_timer(function):
    timer = threading.Timer(0.001, function)
    timer.start()
    timer.join()


def in_pool(function):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function).result()


WAYS = pytest.mark.parametrize("run", [in_thread, in_timer, in_pool])


@WAYS
@pytest.mark.usefixtures("threading_is_instrumented")
def test_a_thread_that_has_opentelemetrys_context_has_ours(telemetry, run):
    """
    Whoever switched OpenTelemetry's instrumentation of threads on has nothing else to do.
    """
    seen = []
    with workflow("chat", workflow_id="7", agent_type="reviewer"), primitive("outer"):
        run(lambda: seen.append(inner()))

    assert ["7"] == [found.workflow_id for found in seen]
    assert [{"chat": [{"outer": ["inner"]}]}] == telemetry.tree()
    assert "reviewer" == telemetry.span("inner").attributes["agent.type"]
    assert 3 == telemetry.total(EXECUTIONS, {"workflow.name": "chat", "agent.type": "reviewer"})
    assert {("chat", "outer", NESTED): 1, ("outer", "inner", NESTED): 1} == telemetry.connections()


@WAYS
@pytest.mark.usefixtures("threading_is_instrumented")
def test_the_thread_is_left_as_it_was(telemetry, run):
    """
    A worker thread serves somebody else next.
    """
    left = []

    def work():
        before = context.capture(), otel_context.get_current()
        inner()
        left.append((before, (context.capture(), otel_context.get_current())))

    with workflow("chat"):
        run(work)
    ((before, after),) = left

    assert before == after


@pytest.mark.usefixtures("threading_is_instrumented")
def test_a_reused_worker_thread_joins_nothing_across_requests(telemetry):
    """
    What one request ran is no predecessor of what the next one runs, and not of its neighbour in the same one.
    """
    with ThreadPoolExecutor(1) as pool:
        for name in ("first", "second"):
            with workflow(name), primitive("outer"):
                pool.submit(inner).result()
                pool.submit(inner).result()
        pool.submit(inner).result()

    assert {
        ("first", "outer", NESTED): 1,
        ("second", "outer", NESTED): 1,
        ("outer", "inner", NESTED): 4,
    } == telemetry.connections()


@pytest.mark.usefixtures("threading_is_instrumented")
def test_what_ran_in_the_thread_is_joined(telemetry):
    """
    The map shows where the answer came from.
    """
    with workflow("chat"):
        with primitive("first"):
            pass
        in_thread(inner)
        with primitive("last"):
            pass

    found = telemetry.connections()

    assert 1 == found["inner", "last", PARALLEL]
    assert 1 == found["chat", "inner", NESTED]


@pytest.mark.usefixtures("threading_is_instrumented")
def test_generators_in_the_thread_are_left_to_be_joined(telemetry):
    """
    A generator ends in the context of its consumer, which is the worker's own.
    """

    @traced_primitive(name="items")
    def items():
        yield from (1, 2)

    def work():
        before = context.capture()
        list(items())
        assert before == context.capture()

    with workflow("chat"):
        in_pool(work)
        with primitive("last"):
            pass

    assert {("chat", "items", NESTED): 1, ("items", "last", PARALLEL): 1} == telemetry.connections()


@pytest.mark.usefixtures("threading_is_instrumented")
def test_steps_and_agents_in_the_thread(telemetry):
    """
    Every kind of block finds its parent.
    """

    def work():
        with step("one"):
            inner()
        with agent("writer"):
            inner()

    with workflow("chat"):
        in_thread(work)

    assert [{"chat": [{"one": ["inner"]}, {"writer": ["inner"]}]}] == telemetry.tree()
    assert {("chat", "inner", NESTED): 1, ("chat", "writer", NESTED): 1, ("writer", "inner", NESTED): 1} == (
        telemetry.connections()
    )


@pytest.mark.usefixtures("threading_is_instrumented")
def test_usage_and_executions_recorded_in_the_thread_belong_to_the_workflow(telemetry):
    """
    Cost per workflow counts what its threads spent.
    """

    def work():
        record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=3, completion_tokens=1)
        record_execution("measured", "tool", 1.0, "success")

    with workflow("chat"), primitive("ask", type="llm"):
        in_thread(work)

    assert 4 == telemetry.total(LLM_TOKENS, {"workflow.name": "chat", "primitive.name": "ask"})
    assert 1 == telemetry.total(EXECUTIONS, {"workflow.name": "chat", "primitive.name": "measured"})


@pytest.mark.usefixtures("threading_is_instrumented")
def test_a_block_without_a_span_is_carried_as_well(telemetry):
    """
    And with it the very place on the map.
    """
    seen = []
    with workflow("chat"), primitive("outer"):
        with primitive("before"):
            pass
        with bound_context(session_id="s1"):
            in_thread(lambda: seen.append(inner()))

    assert ["s1"] == [found.session_id for found in seen]
    assert 1 == telemetry.connections()["before", "inner", PARALLEL]


def test_our_own_variables_win(telemetry):
    """
    Somebody who attaches an older OpenTelemetry Context does not take us back to it.
    """
    with workflow("old"):
        old = otel_context.get_current()
    with workflow("new"):
        token = otel_context.attach(old)
        found = inner()
        otel_context.detach(token)

    assert "new" == found.workflow_name


def test_a_script_is_not_interrupted_by_a_context_that_is_attached(telemetry):
    """
    Without a parent of ours the main thread's own predecessors count, as they did.
    """
    with bound_context(session_id="s1"):
        inner()
        inner()

    assert {("inner", "inner", SEQUENTIAL): 1} == telemetry.connections()


def test_the_current_span_is_that_of_opentelemetry(telemetry):
    """
    What we put beside it hides nothing: not the span, not the values of others.
    """
    key = otel_context.create_key("theirs")
    token = otel_context.attach(otel_context.set_value(key, "kept"))
    with primitive("outer"):
        span, value = trace.get_current_span(), otel_context.get_value(key)
        made = trace.set_span_in_context(span)
        same = {**otel_context.get_current()} == {**made}
    otel_context.detach(token)

    assert (True, "kept", True) == (span is not trace.INVALID_SPAN, value, same)
    assert telemetry.span("outer").span.context == span.get_span_context()


def test_outside_any_block_nothing_is_carried():
    """
    Reading costs a look at the current Context, and finds nothing.
    """
    assert _otel_context.carried() is None
    assert current_workflow() is None
