"""``propagate``: threads, executors, event loops and processes find the context that their work was handed over in."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import multiprocessing
import pickle
import threading
import types
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

from tta_observe import (
    ConfigurationError,
    _connections,
    _telemetry,
    context,
    current_workflow,
    primitive,
    propagate,
    traced_primitive,
    workflow,
)
from tta_observe.semconv import NESTED, PARALLEL, SEQUENTIAL

THEIRS = contextvars.ContextVar("theirs", default="nothing")
"""A variable of the program."""

AWAITED = 0.02


@traced_primitive
def inner(value=None):
    return value


@traced_primitive
async def ainner(value=None):
    await asyncio.sleep(0)
    return value


def leaf(name):
    with primitive(name):
        pass


def in_thread(function):
    """Runs it in a thread, and returns what it returned."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def in_timer(function):
    found = []
    timer = threading.Timer(0.001, lambda: found.append(function()))
    timer.start()
    timer.join()
    return found[0]


def by_submit(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def by_map(function):
    with ThreadPoolExecutor(1) as pool:
        return next(iter(pool.map(lambda _: function(), [0])))


def in_loop(function):
    async def main():
        return await asyncio.get_running_loop().run_in_executor(None, function)

    return asyncio.run(main())


def by_anyio(function):
    return anyio.run(anyio.to_thread.run_sync, function)


def here(function):
    return function()


WAYS = [in_thread, in_timer, by_submit, by_map, in_loop, by_anyio, here]


@pytest.mark.parametrize("run", WAYS)
def test_context_parent_and_connection_are_right_wherever_it_runs(telemetry, run):
    """
    The map, the trace and the labels are the same as if the work had been done in place, but for the fork.
    """
    with workflow("chat", workflow_id="7"):
        leaf("before")
        work = propagate(lambda: (inner(5), current_workflow().workflow_id, trace.get_current_span()))
        answer = run(work)
        span = trace.get_current_span()
        leaf("after")

    assert (5, "7", span) == answer
    assert [{"chat": ["before", "inner", "after"]}] == telemetry.tree()
    assert {
        ("chat", "before", NESTED): 1,
        ("before", "inner", PARALLEL): 1,
        ("inner", "after", PARALLEL): 1,
    } == telemetry.connections()


@pytest.mark.parametrize("run", WAYS)
def test_whoever_runs_it_keeps_their_own_context(telemetry, run):
    """
    A worker thread serves somebody else next; what it had before, it has after.
    """
    with workflow("chat"):
        work = propagate(inner)

    def between():
        before = context.capture(), otel_context.get_current()
        work()
        return before, (context.capture(), otel_context.get_current())

    before, after = run(between)

    assert before == after


def test_runs_side_by_side_have_a_context_each(telemetry):
    """
    One context cannot be entered twice: with that of the caller, the second of two runs at once would fail.
    """
    barrier = threading.Barrier(4, timeout=10)

    def work(number):
        before = THEIRS.get()
        THEIRS.set(str(number))
        barrier.wait()
        inner()
        return before, THEIRS.get()

    token = THEIRS.set("captured")
    with workflow("chat"), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(propagate(work), range(4)))
    THEIRS.reset(token)

    assert [("captured", str(number)) for number in range(4)] == found
    assert [{"chat": ["inner"] * 4}] == telemetry.tree()
    assert {("chat", "inner", NESTED): 4} == telemetry.connections()


def test_it_is_captured_when_it_is_called(telemetry):
    """
    Not when it runs: by then the caller may work for somebody else.
    """
    with workflow("first"):
        work = propagate(inner)
    with workflow("second"):
        by_submit(work)

    assert [{"first": ["inner"]}, "second"] == telemetry.tree()


def test_one_function_may_be_handed_over_many_times(telemetry):
    """
    Each time with the context of then.
    """
    with ThreadPoolExecutor(1) as pool:
        for name in ("first", "second"):
            with workflow(name):
                pool.submit(propagate(inner)).result()

    assert [{"first": ["inner"]}, {"second": ["inner"]}] == telemetry.tree()
    assert {("first", "inner", NESTED): 1, ("second", "inner", NESTED): 1} == telemetry.connections()


def test_branches_that_ran_longer_than_one_call_are_joined_at_their_ends(telemetry):
    """
    What follows a fan-out follows the last call of each branch.
    """

    def branch(name):
        leaf(f"{name}1")
        leaf(f"{name}2")

    with workflow("chat"):
        leaf("before")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(propagate(branch), ["a", "b"]))
        leaf("after")

    assert {
        ("chat", "before", NESTED): 1,
        ("before", "a1", PARALLEL): 1,
        ("before", "b1", PARALLEL): 1,
        ("a1", "a2", SEQUENTIAL): 1,
        ("b1", "b2", SEQUENTIAL): 1,
        ("a2", "after", PARALLEL): 1,
        ("b2", "after", PARALLEL): 1,
    } == telemetry.connections()


def test_coroutines_have_it_at_each_step(telemetry):
    """
    Whichever task awaits it, and at whichever await.
    """
    seen = []

    async def work(name):
        seen.append(current_workflow().workflow_name)
        await asyncio.sleep(0)
        seen.append(current_workflow().workflow_name)
        return await ainner(name)

    async def main(work):
        with workflow("other"):
            task = asyncio.create_task(work("task"))
            answers = [await work("awaited"), await task]
            return answers, current_workflow().workflow_name

    with workflow("chat"):
        captured = propagate(work)
    answers = asyncio.run(main(captured))

    assert (["awaited", "task"], "other") == answers
    assert ["chat"] * 4 == seen
    assert [{"chat": ["ainner", "ainner"]}, "other"] == telemetry.tree()


def test_coroutines_are_timed_out_and_cancelled_as_ever(telemetry):
    """
    What stands between a coroutine and its task must not get in the way of either.
    """

    async def work():
        with primitive("slow"):
            await asyncio.sleep(30)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(AWAITED):
                await propagate(work)()
        task = asyncio.create_task(propagate(work)())
        await asyncio.sleep(AWAITED)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    cancelled = asyncio.run(main())

    assert cancelled
    assert ["cancelled"] * 2 == [span.attributes["execution.status"] for span in telemetry.spans]


def test_a_coroutine_that_is_never_awaited_is_told_once(telemetry):
    """
    By the name of the program's own function.
    """

    def forget():
        propagate(ainner)()
        gc.collect()

    with pytest.warns(RuntimeWarning, match="coroutine .*ainner' was never awaited") as told:
        forget()

    assert 1 == len(told)


def test_generators_have_it_at_each_step(telemetry):
    """
    Their consumer does not: it sees its own between two items, and after.
    """

    def items():
        received = yield current_workflow().workflow_name
        inner()
        yield received
        return "returned"

    def consume(generator):
        with workflow("other"):
            found = [next(generator), current_workflow().workflow_name, generator.send("sent")]
            with pytest.raises(StopIteration) as stop:
                next(generator)
            return [*found, stop.value.value]

    with workflow("chat"):
        work = propagate(items)
    found = in_thread(lambda: consume(work()))

    assert ["chat", "other", "sent", "returned"] == found
    assert [{"chat": ["inner"]}, "other"] == telemetry.tree()


def test_asynchronous_generators_have_it_at_each_step(telemetry):
    """
    Closed early or run to the end, thrown into or sent to.
    """
    closed = []

    async def items():
        try:
            while True:
                try:
                    received = yield current_workflow().workflow_name
                except ValueError:
                    received = "thrown"
                await ainner()
                yield received
        finally:
            await asyncio.sleep(0)
            closed.append(current_workflow().workflow_name)

    async def main():
        with workflow("other"):
            generator = work()
            found = [await anext(generator), await generator.asend("sent"), await anext(generator)]
            found.append(await generator.athrow(ValueError()))
            await generator.aclose()
            return [*found, current_workflow().workflow_name]

    with workflow("chat"):
        work = propagate(items)
    found = asyncio.run(main())

    assert ["chat", "sent", "chat", "thrown", "other"] == found
    assert ["chat"] == closed
    assert [{"chat": ["ainner", "ainner"]}, "other"] == telemetry.tree()


def test_generators_that_can_be_awaited(telemetry):
    """
    Old code under ``types.coroutine`` still is some program's code.
    """

    @types.coroutine
    def old():
        yield from asyncio.sleep(0).__await__()
        return inner(current_workflow().workflow_name)

    async def main():
        return await work()

    with workflow("chat"):
        work = propagate(old)
    found = asyncio.run(main())

    assert "chat" == found
    assert [{"chat": ["inner"]}] == telemetry.tree()


class Marked:
    """What asyncio takes for a coroutine function, and what it returns for a coroutine, are neither."""

    def __call__(self):
        return self

    __call__._is_coroutine = asyncio.coroutines._is_coroutine

    def __await__(self):
        return iter([None])


def test_whatever_can_be_awaited_may_be_handed_over(telemetry):
    """
    Extension modules have iterators that can only be stepped; a cancellation passes by them, as without us.
    """

    async def main():
        task = asyncio.create_task(propagate(Marked())())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return await propagate(Marked())(), task.cancelled()

    assert (None, True) == asyncio.run(main())


def test_a_stream_consumed_in_place_is_a_branch(telemetry):
    """
    What follows it follows its last call, in whatever task it was consumed.
    """

    @traced_primitive(name="stream")
    def stream():
        yield from (1, 2)

    with workflow("chat"):
        leaf("before")
        work = propagate(stream)
        consumed = list(work())
        leaf("after")

    assert [1, 2] == consumed
    assert {
        ("chat", "before", NESTED): 1,
        ("before", "stream", PARALLEL): 1,
        ("stream", "after", PARALLEL): 1,
    } == telemetry.connections()


def kept():
    gc.collect()
    kinds = contextvars.Context, _connections.Strand, _connections.Position
    return {kind.__name__: sum(type(found) is kind for found in gc.get_objects()) for kind in kinds}


class Service:
    def __init__(self, name="service"):
        self.name = name

    @traced_primitive
    def method(self, value):
        return self.name, value

    @classmethod
    def of_class(cls, value):
        return cls, value

    @staticmethod
    def static(value):
        return inner(value)

    def __call__(self, value):
        return self.name, value


def test_every_kind_of_callable_may_be_handed_over(telemetry):
    """
    Whatever an executor takes.
    """
    service = Service()
    calls = [inner, service.method, Service.of_class, Service.static, service, functools.partial(inner), str]
    with workflow("chat"):
        found = [by_submit(functools.partial(propagate(call), 1)) for call in calls]

    assert [1, ("service", 1), (Service, 1), 1, ("service", 1), 1, "1"] == found
    assert [{"chat": ["inner", "Service.method", "inner", "inner"]}] == telemetry.tree()


@pytest.mark.parametrize("function", [inner, ainner, Service.static, Service().method, functools.partial(inner, 1)])
def test_it_looks_like_what_it_was_given(function):
    """
    Frameworks look at signatures, names and shapes to decide how to call.
    """
    made = propagate(function)

    assert inspect.signature(function) == inspect.signature(made)
    assert getattr(function, "__name__", None) == getattr(made, "__name__", None)
    assert getattr(function, "__doc__", None) == getattr(made, "__doc__", None)
    assert inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(made)


def test_failures_are_the_programs_own(telemetry):
    """
    The same object, and hardly longer to read.
    """
    error = ValueError("wrong")

    def fail():
        raise error

    with pytest.raises(ValueError, match="wrong") as caught:
        propagate(fail)()
    depth, trace_ = 0, caught.value.__traceback__
    while trace_ is not None:
        depth, trace_ = depth + 1, trace_.tb_next

    assert error is caught.value
    assert depth <= 4, "the test, the shell, the context, the function"


@pytest.mark.parametrize("wrong", [None, 7, "text", b"bytes", object()])
def test_what_cannot_be_called_is_refused(wrong):
    """
    ``propagate(work())`` is written easily, and would fail in a thread whose traceback says nothing of it.
    """
    with pytest.raises(ConfigurationError, match=r"propagate\(\) takes a function.*Write pool.submit"):
        propagate(wrong)


def test_nothing_is_kept_of_runs_that_ended(telemetry):
    """
    A function that is handed over once and run for ever leaves nothing behind.
    """
    with workflow("chat"):
        work = propagate(inner)
        work()
        before = kept()
        for _ in range(200):
            work()
        after = kept()

    assert before == after


def tell(value):
    """What a child process knows; at top level of a module, where pickle finds it."""
    found = current_workflow()
    span = trace.get_current_span().get_span_context()
    with workflow("inside") as run:
        pass
    return {
        "value": value,
        "workflow": (found.workflow_name, found.workflow_id, found.agent_type, dict(found.attributes)),
        "spent": found.totals.primitives,
        "span": (span.trace_id, span.span_id, span.is_remote),
        "inherits": (run.agent_type, run.workflow_id != found.workflow_id),
    }


def observed_in_child(value):
    from tta_observe.testing import captured_telemetry

    with captured_telemetry() as telemetry:
        inner(value)
        with workflow("inside"):
            pass
    inner_span, inside = (telemetry.span(name).span for name in ("inner", "inside"))
    return (inner_span.parent.span_id, inner_span.context.trace_id, inside.kind.name), telemetry.connections()


@pytest.fixture(name="captured_here")
def _captured_here(telemetry):
    """A workflow that spent something, and two functions that were handed over inside it."""
    chat = workflow("chat", workflow_id="7", agent_type="reviewer", attributes={"team": "search"})
    with chat, primitive("outer"):
        leaf("before")
        span = trace.get_current_span().get_span_context()
        yield propagate(tell), propagate(observed_in_child), (span.trace_id, span.span_id)


def test_another_process_knows_who_it_works_for(captured_here):
    """
    Names and identifiers travel as data; what was spent does not, or two processes would report it.
    """
    work, _, (trace_id, span_id) = captured_here
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(work, 5).result(timeout=60)
        again = list(pool.map(work, [6], timeout=60))

    expected = {
        "value": 5,
        "workflow": ("chat", "7", "reviewer", {"team": "search"}),
        "spent": 0,
        "span": (trace_id, span_id, False),
        "inherits": ("reviewer", True),
    }

    assert expected == found
    assert [{**expected, "value": 6}] == again


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_spans_and_edges_of_another_process_continue_ours(captured_here, method):
    """
    One trace, and a map on which the work does not begin out of nowhere.
    """
    _, work, (trace_id, span_id) = captured_here
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"needs {method}")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        spans, edges = pool.submit(work, 5).result(timeout=60)

    assert (span_id, trace_id, "INTERNAL") == spans
    assert {("before", "inner", PARALLEL): 1, ("inner", "inside", SEQUENTIAL): 1} == edges


def test_a_process_of_its_own(captured_here):
    """
    ``Process(target=propagate(work))`` is pickled as a whole.
    """
    _, work, (trace_id, span_id) = captured_here
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        spans, _ = pool.apply_async(work, [5]).get(timeout=60)

    assert (span_id, trace_id, "INTERNAL") == spans


def test_what_travels_is_pickled_again(captured_here):
    """
    A worker may hand its work on.
    """
    work, _, (_, span_id) = captured_here
    there = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))))

    found = there(1)

    assert ("chat", span_id) == (found["workflow"][0], found["span"][1])


def test_methods_partials_and_objects_travel(telemetry):
    """
    As they do without us.
    """
    with workflow("chat"):
        calls = [propagate(Service("s").method), propagate(functools.partial(Service("p"))), propagate(Service("o"))]
    found = [pickle.loads(pickle.dumps(call))(1) for call in calls]

    assert [("s", 1), ("p", 1), ("o", 1)] == found


def test_outside_any_workflow_nothing_travels(telemetry):
    """
    A pool that everything is handed to runs what belongs to nobody, too.
    """
    work = pickle.loads(pickle.dumps(propagate(inner)))
    by_submit(work)
    by_submit(propagate(inner))

    assert ["inner", "inner"] == telemetry.tree()
    assert {} == telemetry.connections()


def test_what_travels_wins_over_what_is_there(telemetry):
    """
    A pool may have been forked inside another workflow than the job comes from.
    """
    with workflow("chat"), primitive("outer"):
        leaf("before")
        work = pickle.dumps(propagate(inner))
    with workflow("other"), primitive("there"):
        pickle.loads(work)()

    assert "chat" == telemetry.span("inner").attributes["workflow.name"]
    assert 1 == telemetry.connections()["before", "inner", PARALLEL]
    assert [{"chat": [{"outer": ["before", "inner"]}]}, {"other": ["there"]}] == telemetry.tree()


def test_a_worker_of_another_process_keeps_nothing(telemetry):
    """
    The next job of a process pool is somebody else's.
    """
    with workflow("chat"):
        work = pickle.loads(pickle.dumps(propagate(inner)))
    before = context.capture(), otel_context.get_current()
    work()
    after = context.capture(), otel_context.get_current()

    assert before == after


def test_without_telemetry_it_only_copies_the_context(monkeypatch):
    """
    Code that uses it runs as ever where nothing is recorded.
    """
    before = _telemetry.install(_telemetry.DISABLED)
    token = THEIRS.set("captured")
    with workflow("chat"):
        found = by_submit(propagate(lambda: (THEIRS.get(), current_workflow().workflow_name, inner(5))))
    THEIRS.reset(token)
    _telemetry.install(before)

    assert ("captured", "chat", 5) == found
