"""LLM spans of other instrumentations inside our own."""

import asyncio
import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from tta_observe import Price, _foreign, primitive, record_llm_usage, traced_primitive, workflow
from tta_observe._pipeline.intake import Onlooker
from tta_observe._responses import Reading
from tta_observe.instruments import LLM_COST, LLM_TOKENS
from tta_observe.testing import captured_telemetry

OPENLLMETRY = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "large",
    "gen_ai.response.model": "large-1",
    "gen_ai.usage.total_tokens": 120,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.reasoning_tokens": 5,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "large-1",
    "llm.token_count.total": 120,
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 20,
    "llm.token_count.prompt_details.cache_read": 40,
    "llm.token_count.completion_details.reasoning": 5,
}
PRICES = {"large-1": Price(input=1.0, output=10.0)}
BOTH = pytest.mark.parametrize("said", [OPENLLMETRY, OPENINFERENCE], ids=["openllmetry", "openinference"])


@pytest.fixture(name="telemetry")
def _telemetry():
    with captured_telemetry(prices=PRICES) as captured:
        yield captured


@pytest.fixture(name="tracer")
def _tracer():
    """Of somebody else's instrumentation, on a provider that our pipeline looks at."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Onlooker())
    return provider.get_tracer("theirs")


def call(tracer, said=OPENLLMETRY):
    """What an instrumented client does."""
    with tracer.start_as_current_span("chat") as span:
        span.set_attributes(said)


def tokens(telemetry):
    return telemetry.counts(LLM_TOKENS, by="llm.token_type")


@BOTH
def test_ours_steps_back(telemetry, tracer, said):
    """
    Two spans with the same tokens in one trace are billed twice by every backend that sums spans up.
    """
    with primitive("ask", type="llm"):
        record_llm_usage(provider="openai", model="large-1", prompt_tokens=100, completion_tokens=20)
        call(tracer, said)
    ours = telemetry.span("ask").attributes

    assert "CHAIN" == ours["openinference.span.kind"]
    assert {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0} == {
        key: value for key, value in ours.items() if key.startswith(("gen_ai.usage", "operation.cost"))
    }


def test_our_own_numbers_stay(telemetry, tracer):
    """
    Our report and our metrics know nothing of other people's spans.
    """
    with primitive("ask", type="llm"):
        record_llm_usage(provider="openai", model="large-1", prompt_tokens=100, completion_tokens=20)
        call(tracer)
    ours = telemetry.span("ask").attributes

    assert 100 == ours["llm.prompt_tokens"]
    assert 0.0003 == pytest.approx(ours["llm.cost_usd"])
    assert {"prompt": 100, "completion": 20} == tokens(telemetry)


@BOTH
def test_a_mere_string_has_a_usage_when_the_client_is_instrumented(telemetry, tracer, said):
    """
    A function that returns the text of an answer would be ``no_usage``, though the number is there to be read.
    """

    @traced_primitive(type="llm")
    def ask():
        call(tracer, said)
        return "an answer"

    ask()
    ours = telemetry.span("test_a_mere_string_has_a_usage_when_the_client_is_instrumented.ask").attributes

    assert {"prompt": 100, "completion": 20} == tokens(telemetry)
    assert ("openai", "large-1", 40, 5) == tuple(
        ours[f"llm.{name}"] for name in ("provider", "model_name", "cached_tokens", "reasoning_tokens")
    )
    assert 0.0003 == pytest.approx(telemetry.total(LLM_COST))


def test_what_is_recorded_by_hand_wins(telemetry, tracer):
    """
    Who writes numbers down knows better.
    """
    with primitive("ask", type="llm"):
        call(tracer)
        record_llm_usage(model="large-1", prompt_tokens=1, completion_tokens=2)

    assert {"prompt": 1, "completion": 2} == tokens(telemetry)


def test_a_failing_call_has_been_paid_for(telemetry, tracer):
    """
    The answer came, and could not be parsed: the provider bills it all the same.
    """

    @traced_primitive(type="llm", name="ask")
    def ask():
        call(tracer)
        raise ValueError("no JSON")

    with pytest.raises(ValueError, match="JSON"):
        ask()

    assert {"prompt": 100, "completion": 20} == tokens(telemetry)


def test_several_calls_inside_one_add_up(telemetry, tracer):
    """
    A loop of tool calls asks the model again and again.
    """
    with workflow("w"), primitive("ask", type="llm"):
        for _ in range(300):
            call(tracer)

    assert {"prompt": 30_000, "completion": 6_000} == tokens(telemetry)
    assert 36_000 == telemetry.span("w").attributes["workflow.total_tokens"]


def test_the_innermost_of_nested_foreign_spans_is_the_call(telemetry, tracer):
    """
    A framework's span repeats what the client's span inside it has said; what is between them says nothing.
    """
    with primitive("ask", type="llm"), tracer.start_as_current_span("agent run") as framework:
        with tracer.start_as_current_span("chain"):
            call(tracer)
            call(tracer)
        framework.set_attributes({**OPENLLMETRY, "gen_ai.usage.input_tokens": 200, "gen_ai.usage.output_tokens": 40})

    assert {"prompt": 200, "completion": 40} == tokens(telemetry)


def test_spans_without_usage_change_nothing(telemetry, tracer):
    """
    An HTTP client inside is no model.
    """
    with primitive("ask", type="llm"):
        record_llm_usage(model="large-1", prompt_tokens=100, completion_tokens=20)
        with tracer.start_as_current_span("POST"):
            pass

    assert "LLM" == telemetry.span("ask").attributes["openinference.span.kind"]
    assert 100 == telemetry.span("ask").attributes["gen_ai.usage.input_tokens"]


def test_outside_llm_primitives_nothing_is_looked_at(telemetry, tracer):
    """
    What somebody else records there is none of our business, and costs nothing.
    """
    with primitive("fetch", type="tool"):
        call(tracer)
    call(tracer)

    assert {} == tokens(telemetry)
    assert not _foreign._RUNNING


def test_a_stream_that_ends_after_the_call(telemetry, tracer):
    """
    A client's span of a stream ends with the last chunk, wherever that is consumed.
    """
    spans = []

    @traced_primitive(type="llm", name="ask")
    def ask():
        span = tracer.start_span("chat")
        spans.append(span)
        yield "a"
        yield "b"
        span.set_attributes(OPENLLMETRY)
        span.end()

    assert ["a", "b"] == list(ask())
    assert {"prompt": 100, "completion": 20} == tokens(telemetry)
    assert "CHAIN" == telemetry.span("ask").attributes["openinference.span.kind"]


def test_tasks_do_not_see_each_other(telemetry, tracer):
    """
    Each call gets what its own client has used.
    """

    @traced_primitive(type="llm")
    async def ask(number):
        with tracer.start_as_current_span("chat") as span:
            await asyncio.sleep(0)
            span.set_attributes({"gen_ai.usage.input_tokens": number, "gen_ai.response.model": f"m-{number}"})
        return "text"

    async def main():
        await asyncio.gather(*map(ask, range(1, 51)))

    asyncio.run(main())
    found = {span.attributes["llm.model_name"]: span.attributes["llm.prompt_tokens"] for span in telemetry.spans}

    assert {f"m-{number}": number for number in range(1, 51)} == found


def test_threads_count_every_call_once(telemetry, tracer):
    """
    Numbers that depend on timing are worse than none.
    """

    def many():
        for _ in range(100):
            with primitive("ask", type="llm"):
                call(tracer)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"prompt": 80_000, "completion": 16_000} == tokens(telemetry)


def test_spans_that_never_end_leave_nothing_behind(telemetry, tracer):
    """
    A client that forgets its spans must not make the process grow.
    """
    for _ in range(50):
        with primitive("ask", type="llm"):
            tracer.start_span("lost")
    _ = telemetry.spans
    gc.collect()

    assert not _foreign._RUNNING


@pytest.mark.parametrize(
    "said",
    [{}, {"gen_ai.usage.input_tokens": "many"}, {"gen_ai.usage.input_tokens": -1}, {"llm.token_count.prompt": None}],
)
def test_what_is_no_number_is_no_usage(said):
    """
    Attributes of others may hold anything.
    """
    assert _foreign.read(said) is None


def test_the_newest_name_wins():
    """
    Libraries write old and new names side by side while a convention moves.
    """
    said = {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.input_tokens": 9, "gen_ai.system": "openai"}

    assert Reading("openai", prompt_tokens=9) == _foreign.read(said)


@given(
    st.dictionaries(
        st.sampled_from([key for keys in _foreign._TOKENS for key in keys]),
        st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none()),
    )
)
def test_parts_fit_into_their_wholes_whatever_is_said(said):
    """
    A cached part that is larger than the input would make a negative bill.
    """
    reading = _foreign.read(said) or Reading()

    assert (reading.cached_tokens or 0) + (reading.cache_write_tokens or 0) <= (reading.prompt_tokens or 0)
    assert (reading.reasoning_tokens or 0) <= (reading.completion_tokens or 0)
