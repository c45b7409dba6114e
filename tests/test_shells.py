"""Shells for plain functions and coroutines, and what the shapes have in common."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import sys
import types
import warnings
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import NoOpTracer, StatusCode
from shapes import (
    DECORATORS,
    ERRORS,
    HOLDERS,
    SHAPES,
    Fault,
    Log,
    Op,
    Plan,
    Wait,
    body,
    call,
    plans,
    scripts,
    silent,
    surroundings,
    undecorated,
)

from tta_observe import _telemetry, current_workflow, primitive, traced_primitive, workflow
from tta_observe.instruments import EXECUTIONS
from tta_observe.semconv import (
    CANCELLED,
    ERROR,
    ERROR_TYPE,
    EXECUTION_CLOSED_EARLY,
    EXECUTION_STATUS,
    SUCCESS,
)

ARGUMENTS = {"args": (1, "two"), "kwargs": {"self": 3, "wrapped": 4, "instance": 5, "opened": 6, "error": 7}}

ENDINGS = {
    "ValueError": (ERROR, "ValueError"),
    "KeyError": (ERROR, "KeyError"),
    "StrRaises": (ERROR, "shapes.StrRaisesError"),
    "ReprRaises": (ERROR, "shapes.ReprRaisesError"),
    "StrEnds": (ERROR, "shapes.StrEndsError"),
    "NotText": (ERROR, "shapes.NotTextError"),
    "Hollow": (ERROR, "shapes.HollowError"),
    "Falsy": (ERROR, "shapes.FalsyError"),
    "ExceptionGroup": (ERROR, "ExceptionGroup"),
    "BaseExceptionGroup": (ERROR, "BaseExceptionGroup"),
    "KeyboardInterrupt": (CANCELLED, None),
    "SystemExit 0": (SUCCESS, None),
    "SystemExit 3": (ERROR, "SystemExit"),
    "CancelledError": (CANCELLED, None),
    "GeneratorExit": (SUCCESS, None),
}

NEXT = [Op("next")]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=plans(),
    script=scripts(),
    holder=st.sampled_from(sorted(HOLDERS)),
    decorator=st.sampled_from(sorted(DECORATORS)),
)
def test_observed_functions_do_what_bare_ones_do(telemetry, shape, plan, script, holder, decorator):
    """
    Nobody would decorate code that works if the decorator changed a value, an exception or a context.
    """
    bare, observed = Log(), Log()
    call(HOLDERS[holder](body(shape, plan, bare), undecorated), shape, bare, script=script, **ARGUMENTS)
    call(
        HOLDERS[holder](body(shape, plan, observed), DECORATORS[decorator]()),
        shape,
        observed,
        script=script,
        **ARGUMENTS,
    )

    assert bare.seen == observed.seen
    added = 4 if holder == "decorated twice" else 2
    assert all(more <= frames + added for frames, more in zip(bare.frames, observed.frames, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_every_failure_comes_out_as_it_went_in(telemetry, shape, kind):
    """
    Callers compare, re-raise and look into exceptions; another object, or a changed one, breaks them.
    """
    plan = Plan(fault=Fault(kind, "the one", cause="KeyError", note="look here"))
    bare, observed = Log(), Log()
    call(body(shape, plan, bare), shape, bare, script=NEXT)
    call(traced_primitive(body(shape, plan, observed)), shape, observed, script=NEXT)

    assert bare.seen == observed.seen


@pytest.mark.parametrize("shape", [*SHAPES, "block", "workflow block"])
@pytest.mark.parametrize("kind", sorted(ENDINGS))
def test_how_a_call_ended(telemetry, shape, kind):
    """
    Cancelled requests are no errors, an exit with 0 is a success; a span that never ends is never seen at all.
    """
    before = surroundings()
    _end_with(shape, kind)
    status, error_type = ENDINGS[kind]

    (span,) = telemetry.spans
    assert status == span.attributes[EXECUTION_STATUS]
    assert error_type == span.attributes.get(ERROR_TYPE)
    assert (StatusCode.ERROR if error_type else StatusCode.UNSET) == span.span.status.status_code
    assert (["exception"] if error_type else []) == [event.name for event in span.span.events]
    assert (True if kind == "GeneratorExit" else None) == span.attributes.get(EXECUTION_CLOSED_EARLY)
    assert {status: 1} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)
    assert {error_type: 1} == telemetry.counts(EXECUTIONS, by=ERROR_TYPE)
    assert before == surroundings()


def _end_with(shape, kind):
    error = ERRORS[kind]()
    with pytest.raises(type(error)) as caught:
        _raise(error, shape)

    assert error is caught.value


def _raise(error, shape):
    if "block" not in shape:
        return _run(shape, traced_primitive(name="parse")(_raiser(shape, error)))
    with workflow("review") if shape == "workflow block" else primitive("parse"):
        raise error


def _raiser(shape, error):
    def plain():
        raise error

    async def coroutine():
        raise error

    def generator():
        raise error
        yield

    async def async_generator():
        raise error
        yield

    return {"plain": plain, "coroutine": coroutine, "generator": generator, "async generator": async_generator}[shape]


def _run(shape, function):
    if shape == "plain":
        return function()
    made = function()
    return (made.asend(None) if shape == "async generator" else made).send(None)


def test_a_function_that_fails_is_run_once(telemetry):
    """
    A shell that tried again would charge the customer twice.
    """
    runs = []

    @traced_primitive
    def charge():
        runs.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        charge()

    assert [1] == runs


def test_an_exception_in_flight_stays_the_context_of_a_new_one(telemetry):
    """
    "During handling of the above exception" is how people find the cause.
    """

    @traced_primitive
    def recover():
        raise LookupError

    first = ValueError()
    with pytest.raises(LookupError) as caught:  # noqa: PT012 - one within the other is the point
        try:
            raise first
        except ValueError:
            recover()

    assert first is caught.value.__context__


def test_wrong_arguments_fail_where_the_function_is_called(telemetry):
    """
    A TypeError that came only when a coroutine is awaited would point at another line than today.
    """

    @traced_primitive
    def plain(one):
        return one

    @traced_primitive
    async def coroutine(one):
        return one

    @traced_primitive
    def generator(one):
        yield one

    @traced_primitive
    async def async_generator(one):
        yield one

    for function in (plain, coroutine, generator, async_generator):
        with pytest.raises(TypeError, match=f"{function.__name__}.. missing 1 required positional argument: 'one'"):
            function()


def test_a_coroutine_that_is_never_awaited_warns_once_under_its_own_name(telemetry):
    """
    Python's warning names the forgotten ``await``; two of them, or one about our insides, would mislead.
    """

    @traced_primitive
    async def ask():
        return 42

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
        gc.collect()

    (warning,) = caught
    assert str(warning.message).startswith(f"coroutine '{ask.__qualname__}' was never awaited")


def test_a_coroutine_closed_before_it_started_is_silent(telemetry):
    """
    Task groups close the coroutines that they could not start any more; without us nobody hears of it.
    """

    @traced_primitive
    async def ask():
        return 42

    made = ask()
    made.close()
    del made
    gc.collect()

    assert () == telemetry.spans


def test_generator_based_coroutines_can_be_awaited(telemetry):
    """
    ``types.coroutine`` is how event loops are built, and some old libraries still use it.
    """

    @traced_primitive(name="old")
    @types.coroutine
    def old():
        yield from asyncio.sleep(0).__await__()
        with primitive("inner"):
            return 42

    async def main():
        return await old()

    assert 42 == asyncio.run(main())
    assert [{"old": ["inner"]}] == telemetry.tree()


def test_a_span_covers_the_awaiting_not_the_time_before(telemetry):
    """
    A coroutine may be made long before it runs; its duration is that of its work.
    """

    @traced_primitive(name="ask")
    async def ask():
        return await asyncio.sleep(0)

    async def main():
        made = ask()
        with primitive("meanwhile"):
            await asyncio.sleep(0)
        await made

    asyncio.run(main())

    assert ["meanwhile", "ask"] == telemetry.tree()


def test_a_cancelled_task_ends_its_spans(telemetry, caplog):
    """
    Cancellation is how servers stop work: all that was open in the task has to end, in order.
    """

    @traced_primitive(name="inner")
    async def inner():
        await asyncio.Event().wait()

    @traced_primitive(name="outer")
    async def outer():
        with primitive("block"):
            await inner()

    async def main():
        before = surroundings()
        task = asyncio.create_task(outer())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert [{"outer": [{"block": ["inner"]}]}] == telemetry.tree()
    assert {CANCELLED: 3} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


def test_a_timeout_around_decorated_code_stays_a_timeout(telemetry, caplog):
    """
    ``asyncio.timeout`` counts its own cancellations; one that was swallowed or doubled would not become TimeoutError.
    """

    @traced_primitive(name="slow")
    async def slow():
        await asyncio.sleep(10)

    async def main():
        before = surroundings()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await slow()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow(), 0.01)

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert {CANCELLED: 2} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


def test_a_timeout_inside_decorated_code_is_its_failure(telemetry):
    """
    What the function itself gives up on is an error with a type, not a cancellation.
    """

    @traced_primitive(name="slow")
    async def slow():
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        asyncio.run(slow())

    assert {"TimeoutError": 1} == telemetry.counts(EXECUTIONS, by=ERROR_TYPE)


def test_a_task_group_cancels_the_others_and_raises_what_failed(telemetry, caplog):
    """
    One failing branch cancels the rest: one error, the others cancelled, every span under the workflow.
    """
    failure = ValueError("broken")

    @traced_primitive(name="fails")
    async def fails():
        await asyncio.sleep(0.01)
        raise failure

    @traced_primitive(name="waits")
    async def waits():
        await asyncio.sleep(10)

    async def main():
        with workflow("review"):
            async with asyncio.TaskGroup() as group:
                for function in (waits, fails, waits):
                    group.create_task(function())

    with silent(caplog), pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())

    assert (failure,) == caught.value.exceptions
    assert [{"review": ["waits", "fails", "waits"]}] == telemetry.tree()
    assert {CANCELLED: 2, ERROR: 2} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


def test_a_task_that_is_collected_unfinished_ends_its_span_and_nothing_else(telemetry, caplog):
    """
    A loop that stops leaves tasks behind; the garbage collector ends them wherever it happens to run.
    """

    @traced_primitive(name="forgotten")
    async def forgotten():
        with workflow("inside"):
            await Wait(0)

    def abandon():
        made = forgotten()
        contextvars.copy_context().run(made.send, None)

    with silent(caplog), workflow("running"), primitive("now"):
        before = surroundings()
        abandon()
        gc.collect()

        assert before == surroundings()
        assert "running" == current_workflow().workflow_name
    assert {"running", "now", "forgotten", "inside"} == {span.shown for span in telemetry.spans}


def test_stack_depth_of_a_traceback_grows_by_one_frame(telemetry):
    """
    People read tracebacks: ours may not bury theirs.
    """

    def plain():
        raise LookupError

    with pytest.raises(LookupError) as bare:
        plain()
    with pytest.raises(LookupError) as observed:
        traced_primitive(plain)()

    assert len(bare.traceback) + 1 == len(observed.traceback)


def test_stacked_decorators_open_from_the_outside_in(telemetry):
    """
    ``@workflow`` above ``@traced_primitive`` reads as it runs.
    """

    @workflow("review")
    @primitive("outer")
    @traced_primitive(name="inner")
    async def review():
        return current_workflow().workflow_name

    assert "review" == asyncio.run(review())
    assert [{"review": [{"outer": ["inner"]}]}] == telemetry.tree()


def test_without_telemetry_functions_just_run():
    """
    No providers, no observation: the same values, and nothing is left behind.
    """
    before = surroundings()

    @traced_primitive
    async def coroutine():
        return [item async for item in async_generator()]

    @traced_primitive
    async def async_generator():
        for item in generator():
            yield item

    @traced_primitive
    def generator():
        yield plain()

    @traced_primitive
    def plain():
        return 42

    assert [42] == asyncio.run(coroutine())
    assert before == surroundings()


def test_decorated_before_there_is_telemetry_observed_after(telemetry):
    """
    Functions are decorated at import, long before ``configure()``.
    """
    assert 5 == _decorated_at_import(5)
    assert ["_decorated_at_import"] == telemetry.tree()


@traced_primitive
def _decorated_at_import(value):
    return value


@pytest.mark.swallowed
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decorator", ["traced_primitive", "sequential", "workflow", "bound_context"])
def test_a_recursion_error_passes_and_leaves_the_context_equal(telemetry, decorator, shape):
    """
    Where the stack is used up our own code fails too, at any of its lines: the context must survive each of them.
    """
    down = _recursive(DECORATORS[decorator](), shape)

    def from_depth(more):
        return from_depth(more - 1) if more else _run(shape, down)

    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(_depth_here() + 130)
        for more in range(25):
            before = surroundings()
            with pytest.raises(RecursionError):
                from_depth(more)

            assert before == surroundings(), more
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.swallowed
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decorator", ["traced_primitive", "sequential", "workflow", "bound_context"])
def test_a_call_at_the_very_end_of_the_stack_leaves_the_context_equal(telemetry, decorator, shape):
    """
    What there was room to bind there must be room to put back, even where opening a span takes no room at all.
    """
    _telemetry.capture(replace(_telemetry.current(), tracer=NoOpTracer()))
    leaf = DECORATORS[decorator]()(body(shape, Plan(), Log()))

    def from_depth(more):
        return from_depth(more - 1) if more else _run(shape, leaf)

    limit = sys.getrecursionlimit()
    before = surroundings()
    try:
        sys.setrecursionlimit(_depth_here() + 100)
        for more in range(50, 100):
            with contextlib.suppress(RecursionError, StopIteration, StopAsyncIteration):
                from_depth(more)

            assert before == surroundings(), more
    finally:
        sys.setrecursionlimit(limit)


def _recursive(decorate, shape):
    @decorate
    def plain():
        return plain()

    @decorate
    async def coroutine():
        return await coroutine()

    @decorate
    def generator():
        yield from generator()

    @decorate
    async def async_generator():
        async for item in async_generator():
            yield item

    return {"plain": plain, "coroutine": coroutine, "generator": generator, "async generator": async_generator}[shape]


@pytest.mark.swallowed
def test_decorated_recursion_goes_nearly_half_as_deep_as_plain(telemetry):
    """
    A recursive parser that fits the stack today should fit it decorated: the shell may cost one level of it, not two.

    Python 3.11 counts calls of C code too, and wrapt is that: a wrapper of wrapt that does nothing at all reaches 0.33.
    """
    bar = 0.45 if sys.version_info >= (3, 12) else 0.33

    def plain(depth):
        deepest.append(depth)
        plain(depth + 1)

    @traced_primitive(name="down")
    def observed(depth):
        deepest.append(depth)
        observed(depth + 1)

    limit = sys.getrecursionlimit()
    reached = {}
    try:
        sys.setrecursionlimit(_depth_here() + 1000)
        for function in (plain, observed):
            deepest = []
            with pytest.raises(RecursionError):
                function(1)
            reached[function] = max(deepest)
    finally:
        sys.setrecursionlimit(limit)

    assert bar <= reached[observed] / reached[plain]


def _depth_here():
    return len(inspect.stack(0))
