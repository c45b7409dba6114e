"""Streams that LLM calls give: the call is measured to its last chunk, and the stream stays what it was."""

import asyncio
import collections.abc
import copy
import gc
import inspect
import io
import pickle
import threading
from contextlib import aclosing, closing
from unittest.mock import MagicMock

import pytest

from tta_observe import Price, current_workflow, primitive, record_llm_usage, traced_primitive, workflow
from tta_observe.context import FRAME, POSITION
from tta_observe.instruments import EXECUTIONS, LLM_COST, LLM_TOKENS
from tta_observe.testing import captured_telemetry

MODEL = "gpt-4o"


def chunk(text):
    """What OpenAI documents for one piece of an answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}


LAST = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": MODEL,
    "choices": [],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
ANSWER = [chunk("Good"), chunk(" day"), LAST]
NOT_MEASURED = ANSWER[:-1]


class Stream:
    """The layout of OpenAI's: chunks come from a generator of its own."""

    def __init__(self, chunks=ANSWER, error=None):
        self.response = "response"
        self.closed = False
        self._chunks = chunks
        self._error = error
        self._iterator = self.__stream__()

    def __stream__(self):
        yield from self._chunks
        if self._error is not None:
            raise self._error

    def __iter__(self):
        yield from self._iterator

    def __next__(self):
        return next(self._iterator)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closed = True

    def get_final_message(self):
        for _ in self:
            pass
        return "final"


class AsyncStream:
    """Its asynchronous twin."""

    def __init__(self, chunks=ANSWER, error=None):
        self.closed = False
        self._chunks = chunks
        self._error = error
        self._iterator = self.__stream__()

    async def __stream__(self):
        for each in self._chunks:
            await asyncio.sleep(0)
            yield each
        if self._error is not None:
            raise self._error

    async def __aiter__(self):
        async for each in self._iterator:
            yield each

    async def __anext__(self):
        return await anext(self._iterator)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        self.closed = True


class Chunks:
    """A plain iterator, as of clients that keep no generator."""

    def __init__(self, chunks=ANSWER, error=None):
        self._left = list(chunks)
        self._error = error

    def __iter__(self):
        return self

    def __next__(self):
        if self._left:
            return self._left.pop(0)
        raise self._error or StopIteration


class AsyncChunks(Chunks):
    """Both ways, as LiteLLM's."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        if self._left:
            return self._left.pop(0)
        raise self._error or StopAsyncIteration


def generator(chunks=ANSWER, error=None):
    """As Google's, Cohere's and Ollama's."""
    yield from chunks
    if error is not None:
        raise error


async def async_generator(chunks=ANSWER, error=None):
    """The same, asynchronous."""
    for each in chunks:
        await asyncio.sleep(0)
        yield each
    if error is not None:
        raise error


@traced_primitive(type="llm", name="ask")
def yields(chunks=ANSWER, error=None):
    """An observed function that is a generator itself."""
    yield from generator(chunks, error)


@traced_primitive(type="llm", name="ask")
async def yields_async(chunks=ANSWER, error=None):
    """The same, asynchronous."""
    async for each in async_generator(chunks, error):
        yield each


def gives(kind):
    """An observed function that returns a stream of *kind*."""

    @traced_primitive(type="llm", name="ask")
    def ask(chunks=ANSWER, error=None):
        return kind(chunks, error)

    return ask


def awaits(kind):
    """An observed coroutine function that does."""

    @traced_primitive(type="llm", name="ask")
    async def ask(chunks=ANSWER, error=None):
        await asyncio.sleep(0)
        return kind(chunks, error)

    return ask


async def _aconsume(made, items):
    stream = await made if inspect.isawaitable(made) else made
    if not hasattr(type(stream), "__anext__"):
        items.extend(stream)
        return
    async for each in stream:
        items.append(each)


def consume(made, items=None):
    """Read what *made* gives, synchronous or not, to its end."""
    items = [] if items is None else items
    if inspect.isawaitable(made) or hasattr(type(made), "__anext__"):
        asyncio.run(_aconsume(made, items))
    else:
        items.extend(made)
    return items


SHAPES = [
    pytest.param(make, id=name)
    for name, make in {
        "generator function": yields,
        "async generator function": yields_async,
        "generator": gives(generator),
        "async generator": gives(async_generator),
        "iterator": gives(Chunks),
        "client stream": gives(Stream),
        "awaited generator": awaits(generator),
        "awaited async generator": awaits(async_generator),
        "awaited client stream": awaits(AsyncStream),
        "awaited iterator": awaits(AsyncChunks),
    }.items()
]


@pytest.fixture(name="telemetry")
def _telemetry():
    with captured_telemetry(prices={MODEL: Price(1.0, 2.0)}) as telemetry:
        yield telemetry


def shown(telemetry, name="ask"):
    """What the span says of usage and stream."""
    found = telemetry.span(name).attributes
    return {key[4:]: found.get(key) for key in ("llm.prompt_tokens", "llm.cost_usd", "llm.cost_status", "llm.chunks")}


MEASURED = {"prompt_tokens": 1000, "cost_usd": 0.002, "cost_status": "priced", "chunks": 3}


@pytest.mark.parametrize("ask", SHAPES)
def test_a_stream_is_measured_to_its_last_chunk(telemetry, ask):
    """
    The usage stands in the last chunk: who ends the span when the call returns has none.
    """
    with workflow("w"):
        items = consume(ask())
    attributes = telemetry.span("ask").attributes

    assert items == ANSWER
    assert shown(telemetry) == MEASURED
    assert attributes["llm.streaming"] is True
    assert 0 <= attributes["llm.time_to_first_token_ms"] <= attributes["execution.duration_ms"]
    assert 1500 == telemetry.total(LLM_TOKENS)
    assert 0.002 == telemetry.total(LLM_COST) == telemetry.span("w").attributes["workflow.cost_usd"]


@pytest.mark.parametrize("ask", SHAPES)
def test_a_stream_without_usage_says_so(telemetry, ask):
    """
    It is never estimated: a guess would look like a bill.
    """
    with workflow("w"):
        consume(ask(NOT_MEASURED))

    assert {"prompt_tokens": None, "cost_usd": None, "cost_status": "no_usage", "chunks": 2} == shown(telemetry)
    assert [] == telemetry.points(LLM_TOKENS)
    assert (1, 1) == tuple(
        telemetry.span("w").attributes[f"workflow.{name}"] for name in ("llm_calls", "unpriced_calls")
    )


@pytest.mark.parametrize("ask", SHAPES)
def test_a_failure_in_the_middle_is_the_calls(telemetry, ask):
    """
    The connection broke: the consumer gets that very error, the call counts as failed, what was used is unknown.
    """
    error, items = ConnectionError("reset"), []
    with pytest.raises(ConnectionError) as caught:
        consume(ask(NOT_MEASURED, error), items)

    assert error is caught.value
    assert NOT_MEASURED == items
    assert {"error": 1} == telemetry.counts(EXECUTIONS, by="execution.status")
    assert "no_usage" == shown(telemetry)["cost_status"]


@pytest.mark.parametrize("kind", [generator, Chunks, Stream])
def test_a_stream_that_is_closed_early_is_a_success(telemetry, kind):
    """
    Whoever has read enough stops; what was used is unknown when the provider says it at the end.
    """
    stream = gives(kind)()
    assert ANSWER[0] == next(iter(stream))
    if hasattr(stream, "close"):
        stream.close()
    del stream
    gc.collect()
    attributes = telemetry.span("ask").attributes

    assert ("success", True) == (attributes["execution.status"], attributes["execution.closed_early"])
    assert (1, "no_usage") == (attributes["llm.chunks"], attributes["llm.cost_status"])


def test_an_async_stream_that_is_closed_early_ends_with_its_block(telemetry):
    """
    ``async with`` and ``break`` are how they are read.
    """

    async def main():
        async with await awaits(AsyncStream)() as stream:
            async for _ in stream:
                break
        assert stream.closed
        assert telemetry.span("ask").attributes["execution.closed_early"]
        async with aclosing(gives(async_generator)()) as items:
            await anext(items)

    asyncio.run(main())

    assert [True] * 2 == [span.attributes["execution.closed_early"] for span in telemetry.spans]


@pytest.mark.parametrize("kind", [generator, async_generator, Chunks, Stream, AsyncStream])
def test_a_stream_that_nobody_reads_ends_when_it_is_thrown_away(telemetry, kind):
    """
    Its span must not stay open for ever.
    """
    gives(kind)()
    gc.collect()
    attributes = telemetry.span("ask").attributes

    assert (True, 0, "no_usage") == tuple(
        attributes[name] for name in ("execution.closed_early", "llm.chunks", "llm.cost_status")
    )


def test_a_task_that_is_cancelled_while_it_reads(telemetry):
    """
    Cancelled is neither success nor error.
    """

    async def stuck():
        yield ANSWER[0]
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(_aconsume(_asking(stuck)(), []))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert {"cancelled": 1} == telemetry.counts(EXECUTIONS, by="execution.status")


def _observed(function, **options):
    return traced_primitive(**options)(function)


def _asking(make, *args):
    """An LLM call that returns what *make* makes."""
    return _observed(lambda: make(*args), type="llm", name="ask")


@pytest.mark.parametrize("kind", [generator, async_generator, Stream, Chunks])
def test_the_context_is_what_it_was_when_the_call_returns(telemetry, kind):
    """
    What the consumer does between two chunks is not part of the LLM call.
    """
    with workflow("w"):
        before = FRAME.get(), POSITION.get(), current_workflow()
        stream = gives(kind)()

        assert before == (FRAME.get(), POSITION.get(), current_workflow())
        with primitive("between"):
            pass
        consume(stream)
        with primitive("after"):
            pass

    assert [{"w": ["ask", "between", "after"]}] == telemetry.tree()
    assert {("w", "ask"), ("w", "between"), ("ask", "after"), ("between", "after")} == {
        edge[:2] for edge in telemetry.connections()
    }


def test_the_body_of_a_returned_generator_runs_inside_the_call(telemetry):
    """
    A usage that it records by hand is that of the call, and wins over the last chunk: one bill.
    """

    def body():
        yield from ANSWER
        with primitive("parse"):
            record_llm_usage(model=MODEL, prompt_tokens=7)

    consume(_asking(body)())

    assert 7 == telemetry.total(LLM_TOKENS)
    assert [{"ask": [{"parse": ["primitive.llm.usage"]}]}] == telemetry.tree()


@pytest.mark.parametrize("inner", SHAPES[2:6])
@pytest.mark.parametrize("is_async", [False, True])
def test_an_llm_call_that_passes_on_the_stream_of_another_is_no_second_bill(telemetry, inner, is_async):
    """
    A wrapper with retries around a client function: both are LLM calls, one was paid for.
    """

    @traced_primitive(type="llm", name="outer")
    def outer():
        return inner()

    @traced_primitive(type="llm", name="outer")
    async def async_outer():
        return inner()

    assert ANSWER == consume(async_outer() if is_async else outer())
    assert 1500 == telemetry.total(LLM_TOKENS)
    assert ("priced", None) == (shown(telemetry)["cost_status"], shown(telemetry, "outer")["cost_status"])


def test_an_outer_generator_that_is_left_before_its_inner_one_is_no_second_bill(telemetry):
    """
    An asynchronous generator that is dropped is closed later by the event loop, after the one around it has ended.
    """

    @traced_primitive(type="llm", name="outer")
    async def outer():
        async for each in yields_async():
            yield each

    async def main():
        stream = outer()
        for _ in ANSWER:
            await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0.01)

    asyncio.run(main())

    assert 1500 == telemetry.total(LLM_TOKENS)
    assert (1000, None) == (shown(telemetry)["prompt_tokens"], shown(telemetry, "outer")["prompt_tokens"])


def test_the_proxy_is_what_it_stands_for(telemetry):
    """
    Code asks for classes, attributes and abilities, and pickles what it gets.
    """
    stream = gives(Stream)()

    assert isinstance(stream, Stream)
    assert ("response", False) == (stream.response, stream.closed)
    assert isinstance(stream, collections.abc.Iterator)
    assert not isinstance(stream, collections.abc.AsyncIterable)
    assert not hasattr(stream, "aclose")
    with stream as entered:
        assert stream is entered
    assert stream.closed
    stream.note = "kept"
    assert "kept" == stream.__wrapped__.note
    for same in (pickle.loads(pickle.dumps(gives(Chunks)())), copy.copy(gives(Chunks)())):
        assert (Chunks, ANSWER) == (type(same), list(same))


def test_an_async_proxy_looks_asynchronous_alone():
    """
    Web frameworks choose between two ways to send a stream by what it can do.
    """
    with captured_telemetry():
        stream = gives(AsyncStream)()

        assert isinstance(stream, collections.abc.AsyncIterator)
        assert not hasattr(type(stream), "__next__")


@pytest.mark.parametrize(("kind", "asks"), [(generator, inspect.isgenerator), (async_generator, inspect.isasyncgen)])
def test_a_generator_stays_one(telemetry, kind, asks):
    """
    It can be sent to and thrown into, and is recognised.
    """
    made = gives(kind)()

    assert asks(made)
    assert kind.__qualname__ == made.__qualname__


def test_helpers_of_a_client_that_read_past_the_proxy_are_seen(telemetry):
    """
    ``get_final_message()`` reads the stream from inside.
    """
    assert "final" == gives(Stream)().get_final_message()
    assert MEASURED == shown(telemetry)


class MessageStreamManager:
    """The layout of Anthropic's: the request is made where the block is entered, and the stream is another object."""

    def __init__(self, error=None):
        self._error = error

    def __enter__(self):
        if self._error is not None:
            raise self._error
        with primitive("request"):
            return Stream()

    def __exit__(self, *_):
        return None


def test_a_manager_of_a_stream_is_followed_to_the_end_of_its_block(telemetry):
    """
    ``with client.messages.stream(...) as stream`` is how Anthropic's are read.
    """
    ask = _asking(MessageStreamManager)
    with ask() as stream:
        assert isinstance(stream, Stream)
        assert "final" == stream.get_final_message()

    assert MEASURED == shown(telemetry)
    assert [{"ask": ["request"]}] == telemetry.tree()


def test_a_manager_that_cannot_be_entered_is_a_failed_call(telemetry):
    """
    The request fails there, not where the function returned.
    """
    ask = _asking(MessageStreamManager, PermissionError("401"))
    with pytest.raises(PermissionError), ask():
        pass

    assert {"error": 1} == telemetry.counts(EXECUTIONS, by="execution.status")
    assert shown(telemetry)["cost_status"] is None


class EventStream:
    """The layout of botocore's: iterable, and no iterator."""

    def __init__(self, events):
        self._events = events
        self.closed = False

    def __iter__(self):
        yield from self._events

    def close(self):
        self.closed = True


BEDROCK = [
    {"contentBlockDelta": {"delta": {"text": "Good day"}, "contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 30, "outputTokens": 12, "totalTokens": 42}, "metrics": {"latencyMs": 5}}},
]


def test_the_stream_in_a_response_of_bedrock_is_followed(telemetry):
    """
    There a response is a dict, and stays that very one.
    """
    response = {"ResponseMetadata": {"HTTPStatusCode": 200}, "stream": EventStream(BEDROCK)}
    got = _observed(lambda: response, type="llm", name="ask")()

    assert got is response
    assert BEDROCK == list(got["stream"])
    assert (30, 3) == (shown(telemetry)["prompt_tokens"], shown(telemetry)["chunks"])


@pytest.mark.parametrize("result", [[1], "text", {"stream": "no"}, io.StringIO("line"), MagicMock(), iter, None, 3])
def test_what_is_no_stream_is_returned_as_it_is(telemetry, result):
    """
    Identity is part of a result.
    """
    assert result is _observed(lambda: result, type="llm", name="ask")()
    assert "no_usage" == shown(telemetry)["cost_status"]


def test_streams_of_other_primitives_are_left_alone(telemetry):
    """
    A retriever may return an iterator as well; nobody measures it.
    """
    stream = Chunks()

    assert stream is _observed(lambda: stream, type="retriever", name="r")()
    assert 1 == len(telemetry.spans)


def test_without_telemetry_a_stream_is_the_clients_own():
    """
    No SDK, no proxy.
    """
    assert Stream is type(gives(Stream)())


def test_a_stream_may_be_read_in_another_thread(telemetry):
    """
    Web servers run synchronous streams in a pool, each chunk in another context.
    """
    stream, seen = gives(Stream)(), []
    for _ in range(len(ANSWER) + 1):
        thread = threading.Thread(target=lambda: seen.append(next(stream, None)))
        thread.start()
        thread.join()

    assert [*ANSWER, None] == seen
    assert MEASURED == shown(telemetry)


def test_closing_ends_the_call_once(telemetry):
    """
    ``close()`` after the end, twice, in a block: one execution.
    """
    with closing(gives(Stream)()) as stream:
        consume(stream)
        stream.close()

    assert 1 == telemetry.total(EXECUTIONS)
    assert MEASURED == shown(telemetry)


class Hostile:
    """An iterator that has nothing but traps."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration

    def __getattribute__(self, name):
        raise RuntimeError(name)


def test_a_hostile_iterator_does_no_harm(telemetry):
    """
    Telemetry looks at classes, not at what objects say of themselves.
    """
    stream = _asking(Hostile)()
    assert next(stream, "end") == "end"
    assert "no_usage" == shown(telemetry)["cost_status"]
