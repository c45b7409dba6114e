"""What was used is billed once, wherever and however it becomes known."""

import asyncio
import contextvars
import gc
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_observe import Price, agent, primitive, record_llm_usage, stats, step, traced_primitive, workflow
from tta_observe._prices import line
from tta_observe.context import FRAME
from tta_observe.instruments import EXECUTIONS, LLM_COST, LLM_TOKENS, LLM_UNPRICED
from tta_observe.testing import captured_telemetry

MODEL = "gpt-4o"
PRICES = {MODEL: Price(1.0, 0.0)}


def answer(prompt_tokens, completion_tokens=0):
    """What OpenAI documents for a chat completion."""
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    message = {"role": "assistant", "content": "Good day"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "a", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage}


def chunks(prompt_tokens):
    """The same as a stream."""
    start = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    yield {**start, "choices": [{"index": 0, "delta": {"content": "Good day"}, "finish_reason": "stop"}]}
    yield {**start, "choices": [], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 0}}


@pytest.fixture(name="telemetry")
def _telemetry():
    with captured_telemetry(prices=PRICES) as telemetry:
        yield telemetry


@traced_primitive(type="llm")
def ask(prompt_tokens=10):
    """An LLM call that returns what its client returned."""
    return answer(prompt_tokens)


@traced_primitive(type="llm")
def ask_for_text():
    """One that returns what the user wants to see."""
    return "Good day"


def usage_of(telemetry, name):
    """Tokens and status on a span."""
    found = telemetry.span(name).attributes
    return found.get("llm.prompt_tokens"), found.get("llm.cost_status")


def calls(telemetry):
    """LLM calls of the one workflow, and those of them whose cost is unknown."""
    found = telemetry.span("w").attributes
    return found["workflow.llm_calls"], found.get("workflow.unpriced_calls", 0)


@pytest.mark.parametrize("type_", ["llm", "embedding"])
def test_a_response_that_is_returned_is_recorded(telemetry, type_):
    """
    Nobody has to call anything.
    """
    with workflow("w"):
        traced_primitive(type=type_, name="call")(lambda: answer(1000, 500))()

    assert (1000, "priced") == usage_of(telemetry, "call")
    assert 1500 == telemetry.total(LLM_TOKENS)
    assert 0.001 == telemetry.total(LLM_COST) == telemetry.span("w").attributes["workflow.cost_usd"]
    assert (1, 0) == calls(telemetry)


def test_a_block_that_decorates_reads_results_as_well(telemetry):
    """
    Both ways to decorate do the same.
    """
    call = primitive("call", type="llm")(lambda model: answer(1000, 500))
    stream = primitive("stream", type="llm")(lambda: chunks(10))
    call(model="asked")
    list(stream())

    assert ((1000, "priced"), (10, "priced")) == (usage_of(telemetry, "call"), usage_of(telemetry, "stream"))
    assert "asked" == telemetry.span("call").attributes["gen_ai.request.model"]


def test_a_coroutine_returns_its_response_as_well(telemetry):
    """
    Most clients are asynchronous.
    """

    @traced_primitive(type="llm")
    async def call():
        await asyncio.sleep(0)
        return answer(10)

    asyncio.run(call())

    assert 10 == telemetry.total(LLM_TOKENS)


@pytest.mark.parametrize("type_", ["tool", "agent", "function"])
def test_what_other_primitives_return_is_theirs(telemetry, type_):
    """
    A tool may pass a response on; it was no LLM call.
    """
    traced_primitive(type=type_, name="tool")(lambda: answer(10))()

    assert [] == telemetry.points(LLM_TOKENS)


def test_the_result_is_the_same_object(telemetry):
    """
    It is read, never touched.
    """
    response = answer(10)
    before = repr(response)

    assert response is traced_primitive(type="llm", name="call")(lambda: response)()
    assert before == repr(response)


def test_a_usage_that_is_recorded_by_hand_wins(telemetry):
    """
    Who counts by hand knows something that the response does not say.
    """

    @traced_primitive(type="llm")
    def call():
        record_llm_usage(model=MODEL, prompt_tokens=7)
        return answer(1000)

    call()

    assert (7, "priced") == usage_of(telemetry, "test_a_usage_that_is_recorded_by_hand_wins.call")
    assert 7 == telemetry.total(LLM_TOKENS)


def test_an_llm_call_inside_another_is_billed_once(telemetry):
    """
    The outer one wraps the inner one: both return the same response.
    """
    outer = traced_primitive(type="llm", name="outer")(lambda: {**ask(), "cached": False})
    with workflow("w"):
        outer()

    assert ((10, "priced"), (None, None)) == (usage_of(telemetry, "ask"), usage_of(telemetry, "outer"))
    assert (1, 0) == calls(telemetry)
    assert 10 == telemetry.total(LLM_TOKENS)


def test_whatever_stands_between_two_llm_calls(telemetry):
    """
    Tools, steps, agents and workflows are transparent: the bill is the innermost call's.
    """

    @traced_primitive(type="llm", name="outer")
    def outer():
        with agent("helper"), step("first"), workflow("inner"), primitive("tool", type="tool"):
            return ask()

    with workflow("w"):
        outer()

    assert (None, None) == usage_of(telemetry, "outer")
    assert (1, 0) == calls(telemetry)


def test_calls_in_tasks_and_threads_of_the_outer_one_are_inside_it(telemetry):
    """
    A fan-out with a vote: each is billed once, the vote not at all.
    """

    @traced_primitive(type="llm", name="vote")
    async def vote():
        answers = await asyncio.gather(*(asyncio.to_thread(ask, n) for n in (1, 2, 4)), asyncio.to_thread(ask, 8))
        return answers[0]

    with workflow("w"):
        asyncio.run(vote())

    assert 15 == telemetry.total(LLM_TOKENS)
    assert (4, 0) == calls(telemetry)


def test_the_process_knows_what_its_calls_cost_and_what_it_does_not(telemetry):
    """
    ``stats()`` says it where nothing is exported.
    """
    before = Counter(stats().llm_calls)
    ask()
    ask_for_text()
    traced_primitive(type="llm", name="outer")(lambda: ask_for_text() and answer(10))()
    record_llm_usage(model="new", prompt_tokens=5)

    assert {"priced": 2, "no_usage": 1, "unpriced": 1} == Counter(stats().llm_calls) - before


def test_a_mere_text_has_no_usage_and_says_so(telemetry):
    """
    Silence would read as free.
    """
    with workflow("w"):
        ask_for_text()

    assert (None, "no_usage") == usage_of(telemetry, "ask_for_text")
    assert (1, 1) == calls(telemetry)
    assert [] == telemetry.points(LLM_TOKENS) + telemetry.points(LLM_UNPRICED)


def test_a_usage_that_the_outer_call_finds_is_of_the_inner_one(telemetry):
    """
    The inner function sends the request and returns bytes, the outer one reads them: one call.
    """
    outer = traced_primitive(type="llm", name="outer")(lambda: ask_for_text() and answer(10))
    with workflow("w"):
        outer()

    assert (10, "priced") == usage_of(telemetry, "outer")
    assert (1, 0) == calls(telemetry)


def test_neither_knows_the_usage(telemetry):
    """
    It is one call that is unknown, not two.
    """
    outer = traced_primitive(type="llm", name="outer")(ask_for_text)
    with workflow("w"):
        outer()

    assert [(None, "no_usage")] * 2 == [usage_of(telemetry, name) for name in ("outer", "ask_for_text")]
    assert (1, 1) == calls(telemetry)


def test_a_call_that_failed_claims_nothing(telemetry):
    """
    Providers do not bill what they refuse.
    """

    @traced_primitive(type="llm", name="call")
    def call():
        raise PermissionError

    with workflow("w"), pytest.raises(PermissionError):
        call()

    assert (None, None) == usage_of(telemetry, "call")
    assert (0, 0) == calls(telemetry)


def test_a_block_says_when_nothing_was_recorded_in_it(telemetry):
    """
    It has no result to read.
    """
    with workflow("w"), primitive("call", type="llm"):
        pass

    assert (None, "no_usage") == usage_of(telemetry, "call")


def test_an_outer_call_that_has_ended_is_not_told_any_more(telemetry):
    """
    A task that outlives the call that started it has a bill of its own.
    """

    @traced_primitive(type="llm", name="outer")
    async def outer(tasks):
        tasks.append(asyncio.create_task(later()))
        return answer(100)

    async def later():
        await asyncio.sleep(0.01)
        ask(1)

    async def main():
        tasks = []
        await outer(tasks)
        await asyncio.gather(*tasks)

    asyncio.run(main())

    assert (100, 1) == (usage_of(telemetry, "outer")[0], usage_of(telemetry, "ask")[0])


def test_calls_that_start_their_successors_for_ever_leave_nothing_behind(telemetry):
    """
    A worker that hands on: each task copies the context of the one before.
    """
    depths = []

    @traced_primitive(type="llm")
    def call():
        depth, usage = 0, FRAME.get().around
        while usage is not None:
            depth, usage = depth + 1, usage.outer
        depths.append(depth)
        return contextvars.copy_context()

    context = contextvars.copy_context()
    for _ in range(50):
        context = context.run(call)

    assert max(depths) <= 2


# What was asked for.


@traced_primitive(type="llm", name="asked")
def asked(prompt, model="by-default", *, provider=None, temperature=0.5, max_output_tokens=None, **more):
    """The parameters that clients have."""
    return {"usage": None} if prompt is None else answer(10)


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((None,), {}, ("by-default", "ctx", 0.5, None)),
        ((None, "by-position"), {}, ("by-position", "ctx", 0.5, None)),
        ((None,), {"model": "by-name", "provider": "p"}, ("by-name", "p", 0.5, None)),
        ((None,), {"temperature": 0, "max_output_tokens": 9}, ("by-default", "ctx", 0, 9)),
        ((None,), {"max_tokens": 8}, ("by-default", "ctx", 0.5, 8)),
        ((None, object()), {"temperature": "hot"}, ("context", "ctx", None, None)),
        ((1,), {}, (MODEL, "ctx", 0.5, None)),
    ],
)
def test_the_request_is_read_from_the_arguments(telemetry, args, kwargs, expected):
    """
    What the response says comes first, then the arguments of the call, then the workflow.
    """
    with workflow("w", llm_provider="ctx", llm_model_name="context"):
        asked(*args, **kwargs)
    found = telemetry.span("asked").attributes

    assert expected == tuple(
        found.get(f"llm.{name}") for name in ("model_name", "provider", "temperature", "max_tokens")
    )


class Client:
    """A method has an instance in front."""

    @traced_primitive(type="llm", name="method")
    def ask(self, prompt, model):
        return answer(1) if prompt else None

    @classmethod
    @traced_primitive(type="llm", name="classmethod")
    def ask_class(cls, prompt, model):
        return None

    @staticmethod
    @traced_primitive(type="llm", name="staticmethod")
    def ask_static(prompt, model):
        return None

    @traced_primitive(type="llm", name="generator")
    def stream(self, prompt, model):
        yield "x"

    @traced_primitive(type="llm", name="coroutine")
    async def aask(self, prompt, model):
        return None


def test_the_request_of_methods_and_streams(telemetry):
    """
    Positions are counted as Python counts them.
    """
    client = Client()
    client.ask(None, "m")
    client.ask_class(None, "m")
    client.ask_static(None, "m")
    list(client.stream(None, "m"))
    asyncio.run(client.aask(None, "m"))

    assert [("m", "m")] * 5 == [
        (span.attributes["llm.model_name"], span.attributes["gen_ai.request.model"]) for span in telemetry.spans
    ]


def test_a_usage_recorded_by_hand_is_of_the_model_that_was_asked(telemetry):
    """
    Said once, in the call.
    """

    @traced_primitive(type="llm", name="call")
    def call(model):
        record_llm_usage(prompt_tokens=10)

    call(MODEL)

    assert {MODEL: 10} == telemetry.counts(LLM_TOKENS, by="llm.model_name")


# While the prices are being read.


@pytest.fixture(name="prices")
def _prices_that_take_their_time(monkeypatch):
    """A line of this test alone, whose prices are read when it says so; nobody knows any."""
    may_end = threading.Event()
    made = line._Line()
    made.exit_hook = True
    monkeypatch.setattr(line, "_LINE", made)
    monkeypatch.setattr(line, "_read_book", lambda: may_end.wait(30) and None)
    yield may_end
    may_end.set()
    line.drain(10)


def exported(telemetry):
    """What has reached the metrics by now: what reads them elsewhere waits for the prices."""
    found = telemetry._reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    return {
        m.name: sum(point.count if hasattr(point, "count") else point.value for point in m.data.data_points)
        for m in found
    }


def test_nothing_waits_for_the_prices_but_what_needs_them(telemetry, prices):
    """
    A program of 50 ms has its whole bill, and its calls are counted at once.
    """
    with workflow("w"):
        traced_primitive(type="llm", name="new")(lambda: {**answer(10), "model": "new"})()
        first = record_llm_usage(model="new", prompt_tokens=5)
        ask(1000)
    now = first.cost_status, exported(telemetry)
    prices.set()
    found = telemetry.span("w").attributes

    counted = {"primitive.execution.count": 3, "primitive.execution.duration": 3, "primitive.connection.count": 2}
    assert ("unpriced", {**counted, "agent.workflows.active": 0}) == now
    assert (3, 1015, 2, 0.001) == tuple(
        found[f"workflow.{name}"] for name in ("llm_calls", "total_tokens", "unpriced_calls", "cost_usd")
    )
    assert ((10, "unpriced"), (1000, "priced")) == (usage_of(telemetry, "new"), usage_of(telemetry, "ask"))
    assert (1015, 2) == (telemetry.total(LLM_TOKENS), telemetry.total(LLM_UNPRICED))


def test_what_waits_ends_when_it_ended(telemetry, prices):
    """
    A span that is exported late is no longer than its call.
    """
    with workflow("w"):
        traced_primitive(type="llm", name="new")(lambda: {**answer(10), "model": "new"})()
    time.sleep(0.2)
    prices.set()

    assert all(span.span.end_time - span.span.start_time < 150_000_000 for span in telemetry.spans)


def test_a_price_that_the_user_gave_is_known_at_once(telemetry, prices):
    """
    Nobody else is asked for it.
    """
    assert "priced" == record_llm_usage(model=MODEL, prompt_tokens=10).cost_status
    assert 1e-5 == telemetry.total(LLM_COST)


# Responses by hand.


def test_a_response_is_understood_and_arguments_win(telemetry):
    """
    One call for every provider; what the caller knows better is said beside it.
    """
    usage = record_llm_usage(answer(10, 5), provider="acme", completion_tokens=6)

    assert ("acme", MODEL, 10, 6) == (usage.provider, usage.model, usage.prompt_tokens, usage.completion_tokens)


def test_the_last_chunk_of_a_stream_is_understood(telemetry):
    """
    For streams that are read where no primitive is.
    """
    *_, last = chunks(10)

    assert 10 == record_llm_usage(last).prompt_tokens


@pytest.mark.parametrize("bad", ["text", object(), 3, [], {"usage": "none"}])
def test_what_is_no_response_gets_one_warning(telemetry, caplog, bad):
    """
    It says what to pass instead.
    """
    usages = [record_llm_usage(bad, prompt_tokens=3) for _ in range(2)]

    assert [3, 3] == [usage.prompt_tokens for usage in usages]
    assert 1 == caplog.text.count("record_llm_usage does not understand")


# Everything at once.


@dataclass(frozen=True)
class Leaf:
    """An LLM call of *tokens*; *kind* is how they become known, *is_thread* where it runs."""

    kind: str
    tokens: int
    is_thread: bool

    @property
    def used(self):
        return 0 if self.kind in ("text", "failure") else 2 * self.tokens if self.kind == "twice" else self.tokens

    @property
    def made(self):
        return 0 if self.kind == "failure" else 2 if self.kind == "twice" else 1

    async def run(self):
        call = getattr(self, f"_{self.kind}")
        try:
            return await (asyncio.to_thread(call) if self.is_thread else _now(call))
        except LookupError:
            return None

    @traced_primitive(type="llm", name="response")
    def _response(self):
        return answer(self.tokens)

    @traced_primitive(type="llm", name="hand")
    def _hand(self):
        record_llm_usage(model=MODEL, prompt_tokens=self.tokens)
        return answer(1000)

    @traced_primitive(type="llm", name="twice")
    def _twice(self):
        record_llm_usage(answer(self.tokens))
        with primitive("tool", type="tool"):
            record_llm_usage(answer(self.tokens))
        return answer(1000)

    @traced_primitive(type="llm", name="text")
    def _text(self):
        return "text"

    @traced_primitive(type="llm", name="failure")
    def _failure(self):
        raise LookupError

    def _stream(self):
        return list(self._chunks())[-1]

    @traced_primitive(type="llm", name="stream")
    def _chunks(self):
        yield from chunks(self.tokens)

    def _returned_stream(self):
        return list(self._returned_chunks())[-1]

    @traced_primitive(type="llm", name="returned stream")
    def _returned_chunks(self):
        return chunks(self.tokens)


async def _now(call):
    await asyncio.sleep(0)
    return call()


@dataclass(frozen=True)
class Group:
    """Calls inside another primitive, one after the other or at once."""

    type: str
    parts: tuple
    is_gathered: bool

    @property
    def used(self):
        return sum(part.used for part in self.parts)

    @property
    def made(self):
        made = sum(part.made for part in self.parts)
        return made or int(self.type == "llm")  # then it says itself that it does not know

    async def run(self):
        return await traced_primitive(type=self.type, name=f"group of {self.type}")(self._body)()

    async def _body(self):
        if self.is_gathered:
            results = await asyncio.gather(*(part.run() for part in self.parts))
        else:
            results = [await part.run() for part in self.parts]
        return results[-1] if self.used else None


LEAVES = st.builds(
    Leaf,
    st.sampled_from(("response", "hand", "twice", "text", "failure", "stream", "returned_stream")),
    st.integers(1, 999),
    st.booleans(),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        Group,
        st.sampled_from(("llm", "tool", "sequential")),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.lists(TREES, min_size=1, max_size=3))
def test_whatever_calls_whatever_the_bill_is_that_of_the_leaves(trees):
    """
    Nothing is counted twice and nothing is lost, on metrics, spans and roll-up.
    """

    async def main():
        with workflow("w"):
            await asyncio.gather(*(tree.run() for tree in trees))

    with captured_telemetry(prices=PRICES) as telemetry:
        asyncio.run(main())
        used, made = sum(tree.used for tree in trees), sum(tree.made for tree in trees)
        on_spans = sum(span.attributes.get("llm.prompt_tokens", 0) for span in telemetry.spans)
        rolled_up = telemetry.span("w").attributes

        assert used == telemetry.total(LLM_TOKENS, {"llm.token_type": "prompt"}) == on_spans
        assert (used, made) == (rolled_up["workflow.total_tokens"], rolled_up["workflow.llm_calls"])
        assert used / 1e6 == pytest.approx(rolled_up.get("workflow.cost_usd", 0.0), abs=1e-12)


def test_totals_are_exact_with_eight_threads_and_two_hundred_tasks_at_once(telemetry):
    """
    A busy server: responses, streams and hands, from everywhere.
    """
    start = threading.Barrier(8)

    @traced_primitive(type="llm", name="outer")
    async def outer(n):
        await asyncio.sleep(0)
        leaves = [Leaf(kind, n, is_thread=False) for kind in ("response", "hand", "stream", "returned_stream")]
        await asyncio.gather(*(leaf.run() for leaf in leaves))
        return answer(10_000)

    async def main():
        await asyncio.gather(*(outer(n) for n in range(1, 201)))

    def thread(_):
        start.wait()
        asyncio.run(main())

    with workflow("w") as run:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: context.copy().run(thread, n), range(8)))
    expected, totals = 8 * 4 * sum(range(1, 201)), run.totals

    assert expected == telemetry.total(LLM_TOKENS, {"llm.token_type": "prompt"}) == totals.tokens
    assert (8 * 200 * 4, 8 * 200 * 4) == (totals.llm_calls, totals.priced_calls)
    assert expected / 1e6 == pytest.approx(totals.cost_usd, abs=1e-9)
    assert expected / 1e6 == pytest.approx(telemetry.total(LLM_COST), abs=1e-9)
    assert 8 * 200 * 5 == telemetry.total(EXECUTIONS, {"primitive.type": "llm"})


def test_streams_that_the_garbage_collector_ends_are_recorded_once(telemetry):
    """
    Wherever it runs: also in the middle of recording something else.
    """

    def cycle():
        made = traced_primitive(type="llm", name="call")(lambda: chunks(10))()
        next(made)
        next(made)
        ring = [made]
        ring.append(ring)

    with workflow("w"):
        for _ in range(20):
            cycle()
            ask(1)
        gc.collect()

    assert 20 * 10 + 20 == telemetry.total(LLM_TOKENS)
    assert 20 == len([span for span in telemetry.spans if span.shown == "call"])
