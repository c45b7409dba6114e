"""
What holds for every client: run by ``make test-providers`` with ``--client=NAME``, in an environment that has it.

The client is the provider's own and parses what the provider documents; only the machine that answers is ours.
"""

from __future__ import annotations

import pytest
from genai_prices import Usage, calc_price
from providers.asking import called, exchange

from tta_observe import Price, record_llm_usage, semconv, traced_primitive
from tta_observe._responses import Reading, StreamReader, read
from tta_observe.instruments import EXECUTIONS, LLM_COST, LLM_TOKENS
from tta_observe.testing import captured_telemetry

PRICE = Price(input=3.0, cached_input=0.3, output=15.0)
SOURCES = {
    "aws.bedrock": "aws",
    "mistralai": "mistral",
    "x_ai": "x-ai",
    "together_ai": "together",
}  # what genai-prices calls them

NUMBERS = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")

llm = traced_primitive(type="llm", action="generate", name="ask")


def compared(adapter, reading):
    """What has to be equal: everything, or the numbers where a library between gives all else in words of its own."""
    if not getattr(adapter, "NUMBERS_ONLY", False):
        return reading
    return [getattr(reading or Reading(), name) or 0 for name in NUMBERS]


def shown(found):
    """The attributes of an LLM span that say what the call used."""
    names = {
        "provider": semconv.LLM_PROVIDER,
        "model": semconv.LLM_MODEL_NAME,
        "prompt_tokens": semconv.LLM_PROMPT_TOKENS,
        "completion_tokens": semconv.LLM_COMPLETION_TOKENS,
        "cached_tokens": semconv.LLM_CACHED_TOKENS,
        "cache_write_tokens": semconv.LLM_CACHE_WRITE_TOKENS,
        "reasoning_tokens": semconv.LLM_REASONING_TOKENS,
        "temperature": semconv.LLM_TEMPERATURE,
        "max_tokens": semconv.LLM_MAX_TOKENS,
    }
    return {field: found.get(name) for field, name in names.items()}


def wanted(document):
    """What the span has to show: of the response first, then of the call, then whose client it was."""
    said, asked = document.client or Reading(), called(document)
    names = {
        "provider": said.provider or asked.get("provider") or said.provider_hint,
        "model": said.model or asked["model"],
        "temperature": asked["temperature"] if said.temperature is None else said.temperature,
        "max_tokens": said.max_tokens or asked["max_tokens"],
    }
    return {**names, **{name: getattr(said, name) for name in NUMBERS}}


def compared_attributes(adapter, found):
    if not getattr(adapter, "NUMBERS_ONLY", False):
        return found
    return {name: found[name] or 0 for name in NUMBERS}


def used(document):
    said = document.client or Reading()
    return (said.prompt_tokens or 0) + (said.completion_tokens or 0)


def cost(document):
    """By the price of these tests: what was read from the cache is cheaper, what was written to it is input."""
    said = document.client
    cached, prompt = said.cached_tokens or 0, said.prompt_tokens or 0
    return (0.3 * cached + 3.0 * (prompt - cached) + 15.0 * (said.completion_tokens or 0)) / 1_000_000


def check(adapter, telemetry, document):
    """The span and both metrics say what the document says, once."""
    span = telemetry.span("ask")

    assert compared_attributes(adapter, wanted(document)) == compared_attributes(adapter, shown(span.attributes))
    assert used(document) == telemetry.total(LLM_TOKENS)
    assert "CLIENT" == span.span.kind.name
    if used(document):
        assert semconv.PRICED == span.attributes[semconv.LLM_COST_STATUS]
        assert cost(document) == pytest.approx(span.attributes[semconv.LLM_COST_USD], abs=1e-12)
        assert cost(document) == pytest.approx(telemetry.total(LLM_COST), abs=1e-12)
    else:
        assert semconv.NO_USAGE == span.attributes[semconv.LLM_COST_STATUS]
        assert semconv.LLM_COST_USD not in span.attributes


def recorded(adapter, document):
    models = (wanted(document)["model"], *getattr(adapter, "MODELS", ()))
    return captured_telemetry(prices=dict.fromkeys(models, PRICE))


def test_the_clients_object_is_read(adapter, server, way, answer):
    """The client's own types hold the numbers where the documented JSON has them."""
    assert compared(adapter, answer.client) == compared(adapter, read(exchange(adapter, server, way, answer).answer))


def test_the_dict_of_an_object_is_read(adapter, server, way, answer):
    """Programs dump responses to dicts, which have every field of the type, as None where nothing was said."""
    dumped = adapter.as_dict(exchange(adapter, server, way, answer).answer)

    assert compared(adapter, answer.expected) == compared(adapter, read(dumped))


def test_the_clients_chunks_are_read(adapter, server, way, stream):
    """The usage of a stream is in some of its chunks; each client hands them out in classes of its own."""
    reader = StreamReader()
    held_output = [reader.feed(chunk) for chunk in exchange(adapter, server, way, stream).chunks]

    assert compared(adapter, stream.client) == compared(adapter, reader.reading())
    assert any(held_output)


def test_a_call_is_recorded_by_itself(adapter, server, way, answer):
    """The promise: no ``record_llm_usage``, and tokens, model and cost are there."""
    with recorded(adapter, answer) as telemetry:
        exchange(adapter, server, way, answer, llm)

    check(adapter, telemetry, answer)


def test_a_stream_is_recorded_by_itself(adapter, server, way, stream):
    """The same for a stream, whose usage is known when its last chunk has passed."""
    with recorded(adapter, stream) as telemetry:
        exchange(adapter, server, way, stream, llm)
    found = telemetry.span("ask").attributes

    check(adapter, telemetry, stream)
    assert found[semconv.LLM_STREAMING] is True
    assert 0 < found[semconv.LLM_TIME_TO_FIRST_TOKEN_MS] <= found[semconv.EXECUTION_DURATION_MS]
    assert ("error" if stream.error else "success") == found[semconv.EXECUTION_STATUS]


def test_a_stream_passes_on_what_the_client_sends(adapter, server, way, stream):
    """The caller gets the same chunks and, where the client raises, the same error."""
    bare = exchange(adapter, server, way, stream)
    with captured_telemetry():
        observed = exchange(adapter, server, way, stream, llm)

    shown_as = type if getattr(adapter, "NUMBERS_ONLY", False) else repr  # a library between makes identifiers

    assert [shown_as(chunk) for chunk in bare.chunks] == [shown_as(chunk) for chunk in observed.chunks]
    assert (type(bare.error), str(bare.error)) == (type(observed.error), str(observed.error))
    assert stream.error is (observed.error is not None)


def test_the_answer_stays_what_it_was(adapter, server, way, answer):
    """Nothing is put around a whole answer: the caller gets the client's object."""
    bare = exchange(adapter, server, way, answer)
    with captured_telemetry():
        observed = exchange(adapter, server, way, answer, llm)

    assert type(bare.answer) is type(observed.answer)


def test_a_stream_is_still_of_its_class(adapter, server, way, stream):
    """Programs ask ``isinstance(answer, Stream)`` to tell a stream from an answer."""
    bare = exchange(adapter, server, way, stream)
    with captured_telemetry():
        observed = exchange(adapter, server, way, stream, llm)

    assert isinstance(observed.answer, type(bare.answer))
    assert type(bare.answer) is observed.answer.__class__


def test_a_stream_left_early_ends_its_span(adapter, server, way, stream):
    """Who has read enough closes the stream; nothing of ours stays open, and no usage is made up."""
    with recorded(adapter, stream) as telemetry:
        left = exchange(adapter, server, way, stream, llm, limit=1)

    assert 1 == len(left.chunks)
    assert {"success": 1} == telemetry.counts(EXECUTIONS, by=semconv.EXECUTION_STATUS)
    assert telemetry.span("ask").attributes[semconv.EXECUTION_CLOSED_EARLY] is True


def test_an_explicit_record_is_the_only_one(adapter, server, answer):
    """Code that calls ``record_llm_usage(response)`` and returns the response is not billed twice."""

    def explicit(function):
        @llm
        def ask(*arguments, **called):
            response = function(*arguments, **called)
            if answer.client is not None:
                record_llm_usage(response)
            return response

        return ask

    with recorded(adapter, answer) as telemetry:
        exchange(adapter, server, "sync", answer, explicit)

    assert used(answer) == telemetry.total(LLM_TOKENS)


def test_one_primitive_around_another_counts_once(adapter, server, way, answer):
    """A wrapper of one's own around a client's wrapper is one call, not two."""
    inner = traced_primitive(type="llm", action="generate", name="inner")
    with recorded(adapter, answer) as telemetry:
        exchange(adapter, server, way, answer, lambda function: llm(inner(function)))

    assert used(answer) == telemetry.total(LLM_TOKENS)


def test_without_prices_of_ones_own_the_public_ones_hold(adapter, server, answer):
    """Cost as genai-prices has it for these numbers, or none at all: an unknown model is never free."""
    with captured_telemetry() as telemetry:
        exchange(adapter, server, "sync", answer, llm)
    found = telemetry.span("ask").attributes.get(semconv.LLM_COST_USD)

    assert public_price(answer) == (None if found is None else pytest.approx(found, abs=1e-9))


def public_price(document):
    if not used(document):
        return None
    said, names = document.client, wanted(document)
    usage = Usage(
        input_tokens=said.prompt_tokens,
        cache_read_tokens=said.cached_tokens,
        cache_write_tokens=said.cache_write_tokens,
        output_tokens=said.completion_tokens,
    )
    source = SOURCES.get(names["provider"], names["provider"])
    try:
        return float(calc_price(usage, names["model"], provider_id=source).total_price)
    except LookupError:
        return None
