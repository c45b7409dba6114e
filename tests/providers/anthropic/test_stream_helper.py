"""``client.messages.stream``: a manager that opens the stream, whose text and final message are read apart from it."""

from __future__ import annotations

import asyncio

import anthropic
import pytest
from provider_documents import documents
from providers.server import answer_server

from tta_observe import semconv, traced_primitive
from tta_observe.instruments import EXECUTIONS, LLM_TOKENS
from tta_observe.testing import captured_telemetry

(STREAM,) = [d for d in documents("anthropic") if d.case == "stream_cached"]
ASKED = {"model": "a-claude", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello!"}]}
TOKENS = 22951 + 510

llm = traced_primitive(type="llm", name="ask")


@pytest.fixture(name="server")
def _server():
    """A server in the place of Anthropic's."""
    with answer_server() as running:
        running.document = STREAM
        yield running


@llm
def ask(client):
    return client.messages.stream(**ASKED)


def read_text(stream):
    return "".join(stream.text_stream)


def read_events(stream):
    return "".join(event.text for event in stream if event.type == "text")


def read_final(stream):
    return stream.get_final_message().content[0].text


@pytest.mark.parametrize("read", [read_text, read_events, read_final], ids=lambda read: read.__name__)
def test_every_way_to_read_it_is_followed(server, read):
    """The documented loop never touches the stream itself: text and usage are there all the same."""
    client = anthropic.Anthropic(base_url=server.url, api_key="none")
    with captured_telemetry() as telemetry, client, ask(client) as stream:
        text = read(stream)
        usage = stream.get_final_message().usage

    assert ("Hello!", 510) == (text, usage.output_tokens)
    assert TOKENS == telemetry.total(LLM_TOKENS)
    assert {"success": 1} == telemetry.counts(EXECUTIONS, by=semconv.EXECUTION_STATUS)
    assert telemetry.span("ask").attributes[semconv.LLM_STREAMING] is True


def test_it_is_followed_in_a_loop(server):
    """The same for the asynchronous client."""

    async def run():
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none") as client, ask(client) as stream:
            return [text async for text in stream.text_stream]

    with captured_telemetry() as telemetry:
        text = asyncio.run(run())

    assert ["Hello", "!"] == text
    assert TOKENS == telemetry.total(LLM_TOKENS)


def test_a_block_left_early_ends_the_span(server):
    """The manager closes the stream; what was used until then is what was said until then."""
    client = anthropic.Anthropic(base_url=server.url, api_key="none")
    with captured_telemetry() as telemetry, client, ask(client) as stream:
        next(iter(stream.text_stream))

    assert telemetry.span("ask").attributes[semconv.EXECUTION_CLOSED_EARLY] is True
    assert 22951 == telemetry.span("ask").attributes[semconv.LLM_PROMPT_TOKENS]
