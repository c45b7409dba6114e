"""Generators and what becomes of them: abandoned, cancelled, collected, finished elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import subprocess
import sys
import textwrap
import threading
import traceback
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from shapes import silent, surroundings
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tta_observe import current_workflow, primitive, step, traced_primitive, workflow
from tta_observe.instruments import EXECUTIONS
from tta_observe.semconv import CANCELLED, ERROR, EXECUTION_CLOSED_EARLY, EXECUTION_STATUS, SUCCESS, WORKFLOW_NAME

DEADLINE = 30


@traced_primitive(name="numbers")
def numbers(count=3):
    with primitive("open file"):
        for number in range(count):
            with primitive("read"):
                pass
            yield number


@traced_primitive(name="chunks")
async def chunks(count=3, closed=None):
    try:
        with primitive("connection"):
            for number in range(count):
                with primitive("receive"):
                    await asyncio.sleep(0)
                yield number
    finally:
        if closed is not None:
            await asyncio.sleep(0)
            closed.append(count)


def test_a_span_lasts_from_the_first_step_to_the_last(telemetry):
    """
    A generator that is made but never used did nothing; one that is consumed slowly lasts as long.
    """
    unused = numbers()
    generator = numbers(1)
    with primitive("before"):
        pass
    next(generator)
    with primitive("while open"):
        pass
    assert [] == list(generator)
    with primitive("after"):
        pass
    del unused

    assert ["before", {"numbers": [{"open file": ["read"]}]}, "while open", "after"] == telemetry.tree()


def test_the_consumer_never_sees_the_context_of_a_generator(telemetry):
    """
    What runs between two items belongs to the consumer, not to the generator that happens to be open.
    """
    seen = []

    @workflow("inner")
    def items():
        seen.append(current_workflow().workflow_name)
        yield
        seen.append(current_workflow().workflow_name)

    with workflow("outer"):
        before = surroundings()
        for _ in items():
            seen.append(current_workflow().workflow_name)

            assert before == surroundings()

    assert ["inner", "outer", "inner"] == seen


def test_the_consumer_stays_where_it_was_on_the_service_map(telemetry):
    """
    What it does with each item follows what ran before the stream; the next call follows both.
    """
    with workflow("w"):
        with primitive("before"):
            pass
        for _ in numbers(1):
            with primitive("use"):
                pass
        with primitive("after"):
            pass

    assert {("w", "before"), ("before", "numbers"), ("before", "use"), ("numbers", "after"), ("use", "after")} == {
        edge[:2] for edge in telemetry.connections() if "read" not in edge and "open file" not in edge
    }


def test_consumed_in_another_workflow_than_opened(telemetry):
    """
    A stream that is handed on stays part of the run that opened it; who consumes it stays in a run of their own.
    """
    with workflow("opener"):
        generator = numbers(3)
        next(generator)
    with workflow("consumer"):
        for _ in generator:
            with primitive("use"):
                assert "consumer" == current_workflow().workflow_name

    workflows = {span.shown: span.attributes[WORKFLOW_NAME] for span in telemetry.spans}
    assert {"numbers": "opener", "read": "opener", "use": "consumer"} == {
        name: workflows[name] for name in ("numbers", "read", "use")
    }
    assert ["use", "use"] == [child.shown for child in telemetry.span("consumer").children]


def test_generators_consumed_side_by_side_keep_apart(telemetry):
    """
    ``zip`` advances several at once: the spans of one may not become children of another.
    """

    @traced_primitive(name="letters")
    def letters():
        with primitive("alphabet"):
            for letter in "abc":
                with primitive("write"):
                    pass
                yield letter

    before = surroundings()

    assert [(0, "a"), (1, "b"), (2, "c")] == list(zip(numbers(), letters(), strict=True))
    assert before == surroundings()
    assert [
        {"numbers": [{"open file": ["read"] * 3}]},
        {"letters": [{"alphabet": ["write"] * 3}]},
    ] == telemetry.tree()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["next", "close", "drop", "block"])), max_size=30))
def test_spans_of_any_interleaving_have_the_right_parents(telemetry, steps):
    """
    Whatever order streams are advanced, closed and dropped in, each span hangs under its own.
    """
    telemetry._exporter.clear()
    before = surroundings()
    _interleave(steps)

    assert before == surroundings()
    parents = {"open file": ["numbers"], "read": ["open file"], "numbers": [None, "between"], "between": [None]}
    names = {span.span.context.span_id: span.shown for span in telemetry.spans}
    for span in telemetry.spans:
        assert (names[span.span.parent.span_id] if span.span.parent else None) in parents[span.shown]


def _interleave(steps):
    generators = {}
    for which, act in steps:
        generator = generators.setdefault(which, numbers(5))
        if act == "next":
            next(generator, None)
        elif act == "close":
            generator.close()
        elif act == "drop":
            del generator, generators[which]
        else:
            with primitive("between"):
                next(generator, None)
    for generator in generators.values():
        generator.close()


def test_an_exception_that_is_thrown_in_brings_no_frame_of_ours(telemetry):
    """
    A generator that logs what was thrown into it logs the traceback of its consumer, as ever.
    """

    def listens():
        try:
            yield
        except LookupError as error:
            yield len(traceback.extract_tb(error.__traceback__))

    depths = []
    for function in (listens, traced_primitive(name="listens")(listens)):
        generator = function()
        next(generator)
        depths.append(generator.throw(LookupError()))
        generator.close()

    assert [1, 1] == depths


def test_generators_that_delegate(telemetry):
    """
    ``yield from`` hands values, exceptions and the result straight through; so do decorated generators.
    """

    @traced_primitive(name="inner")
    def inner():
        received = yield "inner"
        try:
            yield received
        except LookupError:
            yield "caught"
        return "result"

    @traced_primitive(name="outer")
    def outer():
        return (yield from inner())

    generator = outer()
    seen = [next(generator), generator.send("sent"), generator.throw(LookupError())]
    with pytest.raises(StopIteration) as stopped:
        next(generator)

    assert ["inner", "sent", "caught"] == seen
    assert "result" == stopped.value.value
    assert [{"outer": ["inner"]}] == telemetry.tree()


def test_a_context_manager_made_of_a_decorated_generator(telemetry):
    """
    ``contextmanager`` drives the generator it is given by ``next`` and ``throw``: the span lasts as long as the block.
    """

    @contextmanager
    @traced_primitive(name="transaction")
    def transaction():
        with primitive("lock"):
            try:
                yield "cursor"
            except LookupError:
                return
            finally:
                with primitive("commit"):
                    pass

    before = surroundings()
    with transaction() as cursor, primitive("work"):
        assert "cursor" == cursor
        raise LookupError

    assert before == surroundings()
    assert [{"transaction": [{"lock": ["commit"]}]}, "work"] == telemetry.tree()


def test_a_decorated_context_manager_is_a_call_that_makes_one(telemetry):
    """
    The decorator above ``contextmanager`` sees a function that returns an object, and passes that on unharmed.
    """

    @traced_primitive(name="transaction")
    @contextmanager
    def transaction():
        yield "cursor"

    with transaction() as cursor:
        assert "cursor" == cursor

    assert ["transaction"] == telemetry.tree()


def test_an_async_context_manager_made_of_a_decorated_generator(telemetry):
    """
    The same for ``asynccontextmanager``, which is how applications write their lifespan.
    """

    @asynccontextmanager
    @traced_primitive(name="session")
    async def session():
        with primitive("login"):
            yield "session"

    async def main():
        before = surroundings()
        async with session():
            with primitive("work"):
                pass
        with pytest.raises(LookupError):
            async with session():
                raise LookupError

        assert before == surroundings()

    asyncio.run(main())

    assert [{"session": ["login"]}, "work", {"session": ["login"]}] == telemetry.tree()


def test_closed_early_is_a_success_that_says_so(telemetry):
    """
    Most streams are abandoned once the answer is found: no error, but not run to the end either.
    """
    for _ in numbers():
        break

    span = telemetry.span("numbers")
    assert (SUCCESS, True) == (span.attributes[EXECUTION_STATUS], span.attributes[EXECUTION_CLOSED_EARLY])


def test_closed_early_is_told_of_generators_that_catch_it(telemetry):
    """
    A generator that tidies up and returns was closed early as well.
    """

    @traced_primitive(name="tidy")
    def tidy():
        with contextlib.suppress(GeneratorExit):
            yield

    @traced_primitive(name="tidy later")
    async def tidy_later():
        with contextlib.suppress(GeneratorExit):
            yield

    async def main():
        made = tidy_later()
        await anext(made)
        await made.aclose()

    generator = tidy()
    next(generator)
    generator.close()
    asyncio.run(main())

    assert [True, True] == [span.attributes.get(EXECUTION_CLOSED_EARLY) for span in telemetry.spans]


def test_a_generator_that_is_collected_ends_its_spans_and_nothing_else(telemetry, caplog):
    """
    The garbage collector closes generators in the middle of other people's work.
    """
    with silent(caplog):
        generator = numbers()
        next(generator)
        holder = {"generator": generator}
        holder["self"] = holder
        del generator, holder
        with workflow("running"), primitive("now"):
            before = surroundings()
            gc.collect()

            assert before == surroundings()

    assert {"numbers": ["open file"]}["numbers"] == [child.shown for child in telemetry.span("numbers").children]
    assert [True] == [telemetry.span("numbers").attributes.get(EXECUTION_CLOSED_EARLY)]


def test_a_generator_finished_in_another_thread(telemetry, caplog):
    """
    Servers iterate over synchronous streams in worker threads, a step here and a step there.
    """
    left = []

    def exhaust(generator):
        before = surroundings()
        left.extend(generator)
        left.append(before == surroundings())

    with silent(caplog):
        before = surroundings()
        generator = numbers()
        next(generator)
        thread = threading.Thread(target=exhaust, args=(generator,))
        thread.start()
        thread.join(DEADLINE)

        assert before == surroundings()

    assert [1, 2, True] == left
    assert [{"numbers": [{"open file": ["read"] * 3}]}] == telemetry.tree()


def test_a_hundred_abandoned_streams_are_a_hundred_traces(telemetry, caplog):
    """
    The bug this was built against: after one early ``break`` everything that followed became one endless trace.
    """

    async def main():
        before = surroundings()
        for _ in range(100):
            async for _ in chunks():
                break
            with primitive("after"):
                await asyncio.sleep(0)

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert 200 == len(telemetry.roots)
    assert [{"chunks": [{"connection": ["receive"]}]}] * 100 == [
        root.tree() for root in telemetry.roots if root.shown == "chunks"
    ]
    assert {SUCCESS: 400} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


def test_a_stream_closed_from_another_task(telemetry, caplog):
    """
    A connection pool closes the streams of its users, from a task of its own.
    """
    closed = []

    async def main():
        stream = chunks(closed=closed)
        with workflow("consumer"):
            before = surroundings()
            await anext(stream)
            await asyncio.create_task(_close(stream))

            assert before == surroundings()

    async def _close(stream):
        before = surroundings()
        with workflow("closer"):
            await stream.aclose()
        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert [3] == closed
    assert [{"consumer": [{"chunks": [{"connection": ["receive"]}]}, "closer"]}] == telemetry.tree()


def test_a_stream_cancelled_while_it_waits(telemetry, caplog):
    """
    The client hangs up while the model thinks: all that is open is cancelled, and the task's context is as it was.
    """

    @traced_primitive(name="slow")
    async def slow():
        with primitive("wait"):
            yield 1
            await asyncio.sleep(10)
            yield 2

    async def main():
        before = surroundings()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                async for _ in slow():
                    pass

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert [{"slow": ["wait"]}] == telemetry.tree()
    assert {CANCELLED: 2} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


def test_a_timeout_around_each_item(telemetry, caplog):
    """
    ``wait_for(anext(stream))`` is how stalled streams are noticed; it may run each step in a task of its own.
    """

    @traced_primitive(name="stalls")
    async def stalls():
        with primitive("connection"):
            for delay in (0, 0, 10):
                with primitive("receive"):
                    await asyncio.sleep(delay)
                yield delay

    async def main():
        before = surroundings()
        stream = stalls()
        for _ in range(2):
            await asyncio.wait_for(anext(stream), 1)
            with primitive("use"):
                assert 1 == len(_open_spans())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert [{"stalls": [{"connection": ["receive"] * 3}]}, "use", "use"] == telemetry.tree()


def test_streams_left_open_are_closed_by_the_loop_once(telemetry, caplog):
    """
    ``asyncio.run`` closes what is still open when it ends. Closing a stream and what is inside it at once would fail.
    """
    closed = []

    async def main():
        streams = [chunks(number, closed) for number in range(1, 6)]
        for stream in streams:
            await anext(stream)
        return streams

    with silent(caplog):
        kept = asyncio.run(main())

    assert [1, 2, 3, 4, 5] == sorted(closed)
    assert [{"chunks": [{"connection": ["receive"]}]}] * 5 == telemetry.tree()
    del kept


def test_a_stream_in_a_cycle_is_closed_once(telemetry, caplog):
    """
    The collector finds a stream and what is inside it at the same time, and may begin with either.
    """
    closed = []

    async def main():
        for number in range(1, 21):
            stream = chunks(number, closed)
            holder = [stream]
            holder.append(holder)
            await anext(stream)
            del stream, holder
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0)

    with silent(caplog):
        asyncio.run(main())

    assert list(range(1, 21)) == sorted(closed)


def test_a_stream_that_refers_to_itself_is_closed_once(telemetry, caplog):
    """
    The same where the cycle runs through the bare generator, which the collector then might close before ours.
    """
    closed = []

    @traced_primitive(name="selfish")
    async def selfish(holder):
        try:
            with primitive("connection"):
                yield holder
        finally:
            await asyncio.sleep(0)
            closed.append(1)

    async def main():
        holder = []
        stream = selfish(holder)
        holder.append(stream)
        await anext(stream)
        del stream, holder
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)

    with silent(caplog):
        asyncio.run(main())

    assert [1] == closed
    assert [{"selfish": ["connection"]}] == telemetry.tree()


def test_a_stream_collected_after_its_loop_is_silent(telemetry, caplog):
    """
    A library may keep a stream of a loop that is gone.
    """
    loop = asyncio.new_event_loop()
    stream = chunks()
    loop.run_until_complete(anext(stream))
    loop.close()

    with silent(caplog):
        before = surroundings()
        del stream
        gc.collect()

        assert before == surroundings()


def test_tasks_started_inside_a_stream_belong_to_it(telemetry):
    """
    A stream that fans out is the parent of what it starts, while its consumer is not.
    """

    @traced_primitive(name="fetch")
    async def fetch():
        await asyncio.sleep(0)

    @traced_primitive(name="fan out")
    async def fan_out():
        for _ in range(2):
            await asyncio.gather(fetch(), fetch())
            yield

    async def main():
        async for _ in fan_out():
            await asyncio.gather(fetch())

    asyncio.run(main())

    assert 4 == len(telemetry.span("fan out").children)
    assert ["fan out", "fetch", "fetch"] == sorted(root.shown for root in telemetry.roots)


def test_a_block_inside_a_bare_generator_ends_where_it_should(telemetry, caplog):
    """
    Code that is not decorated opens blocks across ``yield`` as well. While one is open its consumer is inside it.
    """

    def bare():
        with primitive("block"):
            yield 1
            with step("inside"):
                pass
            yield 2

    before = surroundings()
    with silent(caplog):
        assert [1, 2] == list(bare())
        assert before == surroundings()
        for _ in bare():
            break
        gc.collect()
        assert before == surroundings()
        assert [(1, 1), (2, 2)] == list(zip(bare(), bare(), strict=True))
        assert before == surroundings()


def test_abandoned_bare_streams_do_not_become_one_trace(telemetry, caplog):
    """
    The loop closes an abandoned stream in a task of its own. Its block was opened here, and is put back here.
    """

    async def bare():
        with workflow("stream"), primitive("block"):
            yield 1

    async def main():
        before = surroundings()
        for _ in range(100):
            async for _ in bare():
                break
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with primitive("after"):
                assert current_workflow() is None

        assert before == surroundings()

    with silent(caplog):
        asyncio.run(main())

    assert ([{"stream": ["block"]}, "after"] * 100) == telemetry.tree()
    assert {("stream", "block", "nested")} == {key for key in telemetry.connections() if key[2] == "nested"}


def test_what_was_started_in_a_block_stays_in_it_when_the_block_has_ended(telemetry):
    """
    A background task works for the run that started it, long after that answered.
    """

    async def background():
        await asyncio.sleep(0.01)
        for _ in range(2):
            with primitive("work"):
                pass
        return current_workflow().workflow_name

    async def main():
        with workflow("request"):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        with primitive("next"):
            pass
        return await task

    assert "request" == asyncio.run(main())
    assert [{"request": ["work", "work"]}, "next"] == telemetry.tree()


def _stream_app(make, seen):
    async def endpoint(_request):
        with workflow("request"):
            return StreamingResponse(make())

    async def app(scope, receive, send):
        before = surroundings()
        await Starlette(routes=[Route("/", endpoint)])(scope, receive, send)
        seen.append(before == surroundings())

    return app


@traced_primitive(name="answer")
async def _decorated():
    with primitive("block"):
        for word in (b"a", b"b", b"c"):
            with primitive("model"):
                await asyncio.sleep(0)
            yield word


async def _bare():
    with primitive("answer"), primitive("block"):
        for word in (b"a", b"b", b"c"):
            with primitive("model"):
                await asyncio.sleep(0)
            yield word


@traced_primitive(name="answer")
def _in_threads():
    with primitive("block"):
        for word in (b"a", b"b", b"c"):
            with primitive("model"):
                pass
            yield word


@pytest.mark.parametrize("make", [_decorated, _bare, _in_threads])
def test_a_streaming_response(telemetry, caplog, make):
    """
    The server consumes the body in another task than made it, after the endpoint returned.
    """
    seen = []

    async def main():
        transport = httpx.ASGITransport(_stream_app(make, seen))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.get("/")).content for _ in range(3)]

    with silent(caplog):
        answers = asyncio.run(main())

    assert [b"abc"] * 3 == answers
    assert [True] * 3 == seen
    assert [{"answer": [{"block": ["model"] * 3}]}] * 3 == [r.tree() for r in telemetry.roots if r.shown == "answer"]
    assert {SUCCESS: 18} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


@pytest.mark.parametrize("make", [_decorated, _bare, _in_threads])
def test_a_streaming_response_whose_client_hangs_up(telemetry, caplog, make):
    """
    The task that consumes the body is cancelled at any point; every span ends, and nothing is left current.
    """
    seen = []

    async def main():
        for after in range(2, 6):
            with contextlib.suppress(OSError):
                await _request(_stream_app(make, seen), hang_up_after=after)
            await asyncio.sleep(0.01)
            gc.collect()

    with silent(caplog):
        asyncio.run(main())

    assert [True] * len(seen) == seen
    answers = [root for root in telemetry.roots if root.shown == "answer"]
    assert 4 == len(answers)
    assert all({"block"} == {child.shown for child in answer.children} for answer in answers)
    assert ERROR not in telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)


async def _request(app, hang_up_after):
    """
    Drive *app* by hand, and hang up when it has sent so many messages.
    """
    sent, gone = itertools.count(1), asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message):
        if next(sent) == hang_up_after:
            gone.set()
        await asyncio.sleep(0)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "asgi": {"version": "3.0"},
    }
    await app(scope, receive, send)


def test_generators_still_open_when_the_program_ends_are_silent(tmp_path):
    """
    At exit modules are taken apart while generators are closed: not one line may appear.
    """
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import asyncio
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry import trace
            from tta_observe import primitive, traced_primitive

            trace.set_tracer_provider(TracerProvider())

            @traced_primitive
            def numbers():
                with primitive("block"):
                    yield 1

            @traced_primitive
            async def chunks():
                with primitive("block"):
                    yield 1

            kept = [numbers(), numbers()]
            for generator in kept:
                next(generator)
            kept.append(kept)
            stream = chunks()
            loop = asyncio.new_event_loop()
            loop.run_until_complete(anext(stream))
            loop.close()
            print("done")
            """
        )
    )
    ran = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=DEADLINE, check=False)

    assert (0, "done\n", "") == (ran.returncode, ran.stdout, ran.stderr)


def _open_spans():
    span = trace.get_current_span()
    return [span] if span.is_recording() else []
