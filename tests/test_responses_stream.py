"""Streams: usage from whichever chunk has it, the first output, and nothing kept."""

import gc
import weakref
from random import Random
from types import SimpleNamespace

import pytest
from hostile import KINDS, RAN
from hypothesis import given
from hypothesis import strategies as st
from provider_documents import documents
from test_responses import altered, as_object, numbers

from tta_observe._responses import Reading, StreamReader, read

STREAMS = documents(streamed=True)


def fed(*chunks):
    reader = StreamReader()
    return [reader.feed(chunk) for chunk in chunks], reader.reading()


def delta(content=None, **more):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return {"object": "chat.completion.chunk", "id": "c1", "model": "m", "choices": [choice], **more}


@pytest.mark.parametrize("document", STREAMS, ids=str)
def test_a_stream_of_objects_is_read(document):
    """The clients give objects; a program that reads the wire itself has dicts."""
    held, found = fed(*map(as_object, document.events))

    assert document.expected == found
    assert document.first_output == next((i for i, output in enumerate(held) if output), None)


@pytest.mark.parametrize("envelope", ["data", "chunk"])
def test_a_chunk_in_an_envelope_is_read(envelope):
    """Mistral's client and OpenAI's helper wrap each chunk in an event."""
    last = delta(usage={"prompt_tokens": 3, "completion_tokens": 4})
    held, found = fed({envelope: delta("Hi"), "type": "chunk"}, {envelope: last, "type": "chunk"})

    assert [True, False] == held
    assert (3, 4) == numbers(found)[:2]


@pytest.mark.parametrize("part", ["content", "reasoning_content", "tool_calls", "refusal", "audio"])
def test_whatever_a_delta_holds_is_output(part):
    """A model that thinks or calls a tool first has begun to answer."""
    chunk = delta()
    chunk["choices"][0]["delta"] = {"role": "assistant", part: [{"index": 0}]}

    assert [False, True] == fed(delta(""), chunk)[0]


def test_a_mark_for_unset_is_no_output():
    """Mistral's client fills what the server left out with an object of its own."""
    unset = SimpleNamespace()
    chunk = delta()
    chunk["choices"][0]["delta"] = {"content": "", "tool_calls": unset}

    assert [False] == fed(chunk)[0]


def test_usage_in_every_chunk_is_that_of_the_last():
    """Servers such as vLLM and xAI count along: the numbers are sums already."""
    chunks = [delta("a", usage={"prompt_tokens": 5, "completion_tokens": i}) for i in range(4)]

    assert (5, 3) == numbers(fed(*chunks)[1])[:2]


def test_the_numbers_of_one_usage_stay_together():
    """A part of an earlier usage may not fit into the whole of a later one."""
    first = delta(usage={"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}})
    last = delta(usage={"prompt_tokens": 7, "completion_tokens": 2})

    assert (7, 2, None, None, None) == numbers(fed(first, last)[1])


def test_chunks_of_langchains_add_up():
    """Each carries the tokens it brought, and the merged message is their sum."""
    chunks = [
        {
            "type": "AIMessageChunk",
            "content": text,
            "usage_metadata": {
                "input_tokens": prompt,
                "output_tokens": 2,
                "input_token_details": {"cache_read": prompt},
            },
            "response_metadata": said,
        }
        for text, prompt, said in [("a", 5, {}), ("b", 0, {}), ("", 0, {"model_name": "m", "model_provider": "groq"})]
    ]
    held, found = fed(*chunks)

    assert [True, True, False] == held
    assert Reading("groq", "m", 5, 6, 5) == found


def test_what_one_event_of_anthropics_leaves_out_another_has_said():
    """The last event may give the output alone; what was cached stands in the first."""
    start = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1}
    message = {"type": "message", "model": "claude-sonnet-4", "usage": start}
    end = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 20}}
    found = fed({"type": "message_start", "message": message}, end)[1]

    assert Reading("anthropic", "claude-sonnet-4", 100, 20, 90, finish_reasons=("max_tokens",)) == found


@pytest.mark.parametrize(
    "last",
    [
        {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 3, "output_tokens": 4}},
        {"type": "message-end", "delta": {"usage": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}}},
        {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 4}}},
        {"data": delta(usage={"prompt_tokens": 3, "completion_tokens": 4})},
        {
            "type": "response.completed",
            "response": {"object": "response", "output": [], "usage": {"input_tokens": 3, "output_tokens": 4}},
        },
        {
            "event_type": "stream-end",
            "response": {"text": "", "meta": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}},
        },
    ],
    ids=["anthropic", "cohere", "bedrock", "mistral", "responses", "cohere v1"],
)
def test_the_last_event_can_be_read_alone(last):
    """``record_llm_usage(last_chunk)`` is what a program with a loop of its own writes."""
    assert (3, 4) == numbers(read(last))[:2]


@pytest.mark.parametrize("chunk", ["text", b"bytes", 7, {"mine": 1}, {"type": "mine"}, object()], ids=repr)
def test_a_chunk_of_no_known_kind_is_output(chunk):
    """A generator of the user's own has a first chunk, too."""
    assert ([True], None) == fed(chunk)


@pytest.mark.parametrize("chunk", ["", b"", None], ids=repr)
def test_nothing_is_no_output(chunk):
    """A keep-alive is not the first token."""
    assert ([False], None) == fed(chunk)


def test_nothing_is_kept_of_the_chunks():
    """A stream may run for hours; what is remembered of it is one reading."""
    reader = StreamReader()
    chunks = [as_object(event) for document in STREAMS for event in document.events]
    gone = [weakref.ref(chunk) for chunk in chunks]
    while chunks:
        reader.feed(chunks.pop())
    gc.collect()

    assert [None] * len(gone) == [chunk() for chunk in gone]
    assert len(str(reader.reading())) < 1000


@pytest.mark.parametrize("value", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("place", ["whole", "type", "message", "choices", "usage", "data"])
def test_no_code_of_a_chunk_runs(value, place):
    """A chunk is read between the server and the user's own loop: nothing of it may slow that down."""
    chunk = value if place == "whole" else {"type": "message_start", place: value}
    reader = StreamReader()
    RAN.clear()
    reader.feed(chunk)

    assert [] == RAN


def test_a_chunk_that_holds_itself_ends():
    """An envelope in an envelope is opened once."""
    chunk = {"type": "chunk"}
    chunk["chunk"] = chunk["data"] = chunk

    assert ([True], None) == fed(chunk)


@given(altered([list(document.events) for document in STREAMS]), st.integers().map(Random))
def test_what_a_stream_says_is_in_normal_form(chunks, dice):
    """Whatever comes in whatever order: what is billed is never less than nothing."""
    events = chunks if isinstance(chunks, list) else [chunks]
    dice.shuffle(events)
    found = fed(*events)[1]
    prompt, completion, cached, written, reasoning = numbers(found) if found else (None,) * 5

    assert (cached or 0) + (written or 0) <= (prompt or 0)
    assert (reasoning or 0) <= (completion or 0)
