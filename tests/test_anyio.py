"""anyio: task groups and worker threads are forks and joins like any others, on asyncio and on trio."""

from __future__ import annotations

import importlib.util

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

from tta_observe import context, current_workflow, primitive, propagate, traced_primitive, workflow
from tta_observe.semconv import NESTED, PARALLEL, SEQUENTIAL

HAS_TRIO = importlib.util.find_spec("trio") is not None
BACKENDS = ["asyncio", pytest.param("trio", marks=pytest.mark.skipif(not HAS_TRIO, reason="needs trio"))]


def surroundings():
    return context.capture(), otel_context.get_current()


def leaf(name):
    with primitive(name):
        return current_workflow().workflow_name, trace.get_current_span().get_span_context().span_id


@traced_primitive(name="words")
async def words():
    for word in ("one", "two"):
        await anyio.lowlevel.checkpoint()
        yield word


async def branch(*names):
    for name in names:
        with primitive(name):
            await anyio.lowlevel.checkpoint()


@pytest.fixture(name="run", params=BACKENDS)
def _run(request, telemetry):
    """Runs a program inside a workflow; the context has to be as before at its end."""

    def run(program, *arguments):
        async def main():
            outside = surroundings()
            with workflow("chat"):
                before = surroundings()[1]
                found = await program(*arguments)
                after = surroundings()[1]
            return before == after, outside == surroundings(), found

        same_inside, same_outside, found = anyio.run(main, backend=request.param)

        assert (True, True) == (same_inside, same_outside)
        return found

    return run


def test_task_groups_fork_and_join(telemetry, run):
    """
    The map shows what ran side by side, and what waited for it.
    """

    async def program():
        leaf("before")
        async with anyio.create_task_group() as group:
            group.start_soon(branch, "a1", "a2")
            group.start_soon(branch, "b1", "b2")
        leaf("after")

    run(program)

    assert {
        ("chat", "before", NESTED): 1,
        ("before", "a1", PARALLEL): 1,
        ("before", "b1", PARALLEL): 1,
        ("a1", "a2", SEQUENTIAL): 1,
        ("b1", "b2", SEQUENTIAL): 1,
        ("a2", "after", PARALLEL): 1,
        ("b2", "after", PARALLEL): 1,
    } == telemetry.connections()
    assert {"before", "a1", "a2", "b1", "b2", "after"} == set(telemetry.tree()[0]["chat"])


@pytest.mark.parametrize("wrap", [lambda function: function, propagate])
def test_worker_threads_fork_and_join(telemetry, run, wrap):
    """
    Anyio takes the context along by itself; who hands it over as well gets the same, and nothing twice.
    """

    async def program():
        leaf("before")
        found = await anyio.to_thread.run_sync(wrap(leaf), "in thread")
        leaf("after")
        return found

    found = run(program)

    assert ("chat", telemetry.span("in thread").span.context.span_id) == found
    assert [{"chat": ["before", "in thread", "after"]}] == telemetry.tree()
    assert {
        ("chat", "before", NESTED): 1,
        ("before", "in thread", PARALLEL): 1,
        ("in thread", "after", PARALLEL): 1,
    } == telemetry.connections()


def test_back_from_a_worker_thread(telemetry, run):
    """
    Synchronous code that calls back into the event loop is where it was.
    """

    async def back():
        return leaf("back")[0]

    def work():
        leaf("there")
        return anyio.from_thread.run(back)

    async def program():
        with primitive("outer"):
            return await anyio.to_thread.run_sync(work)

    assert "chat" == run(program)
    assert [{"chat": [{"outer": ["there", "back"]}]}] == telemetry.tree()
    assert {
        ("chat", "outer", NESTED): 1,
        ("outer", "there", NESTED): 1,
        ("there", "back", PARALLEL): 1,
    } == telemetry.connections()


def test_generators_inside_task_groups(telemetry, run):
    """
    A stream that is consumed in a task of its own belongs to that task.
    """

    async def consume():
        return [word async for word in words()]

    async def program():
        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            group.start_soon(consume)
        leaf("after")

    run(program)

    assert {("chat", "words", NESTED): 2, ("words", "after", PARALLEL): 2} == telemetry.connections()


def test_timed_out_and_cancelled(telemetry, run):
    """
    Cancel scopes work through everything that stands in between, and what they end is cancelled.
    """

    @traced_primitive(name="slow")
    async def slow():
        await anyio.sleep(30)

    async def program():
        with anyio.move_on_after(0.02) as scope:
            await slow()
        with anyio.move_on_after(0.02) as propagated:
            await propagate(slow)()
        async with anyio.create_task_group() as group:
            group.start_soon(slow)
            await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        return scope.cancelled_caught, propagated.cancelled_caught

    assert (True, True) == run(program)
    assert ["cancelled"] * 3 == [
        span.attributes["execution.status"] for span in telemetry.spans if span.shown == "slow"
    ]


def test_failures_in_task_groups(telemetry, run):
    """
    An exception group is the program's own, with its own exceptions in it.
    """
    error = ValueError("wrong")

    @traced_primitive(name="fail")
    async def fail():
        raise error

    async def program():
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(fail)
        except* ValueError as caught:
            found = caught.exceptions
        leaf("after")
        return found

    assert (error,) == run(program)
    assert "error" == telemetry.span("fail").attributes["execution.status"]
    assert 1 == telemetry.connections()["fail", "after", PARALLEL]
