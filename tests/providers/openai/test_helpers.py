"""What OpenAI's client has beside ``create``: streams with a manager, parsed answers, and answers not yet parsed."""

from __future__ import annotations

import openai
import pytest
from provider_documents import documents
from providers.server import answer_server

from tta_observe import semconv, traced_primitive
from tta_observe.instruments import LLM_TOKENS
from tta_observe.testing import captured_telemetry

DOCUMENTS = {document.case: document for document in documents("openai")}
MESSAGES = [{"role": "user", "content": "Hello!"}]

llm = traced_primitive(type="llm", name="ask")


@pytest.fixture(name="server")
def _server():
    """A server in the place of OpenAI's."""
    with answer_server() as running:
        yield running


@llm
def chat(client):
    usage = {"include_usage": True}
    return client.chat.completions.stream(model="gpt-4o", messages=MESSAGES, stream_options=usage)


@llm
def respond(client):
    return client.responses.stream(model="gpt-4o", input="Hello!")


@pytest.mark.parametrize(("ask", "case"), [(chat, "chat_stream"), (respond, "response_stream")])
def test_a_stream_with_a_manager_is_followed(server, ask, case):
    """The manager is no stream yet; what it opens is one, and its events are not the chunks."""
    server.document = DOCUMENTS[case]
    client = openai.OpenAI(base_url=server.url, api_key="none")
    with captured_telemetry() as telemetry, client, ask(client) as stream:
        events = [event.type for event in stream]
    expected = DOCUMENTS[case].expected

    assert any(kind.endswith("delta") for kind in events)
    assert expected.prompt_tokens + expected.completion_tokens == telemetry.total(LLM_TOKENS)
    assert telemetry.span("ask").attributes[semconv.LLM_STREAMING] is True


def test_a_parsed_answer_is_read(server):
    """``parse`` returns classes made for one type of answer: the numbers are where they always are."""
    server.document = DOCUMENTS["chat"]

    @llm
    def ask(client):
        return client.chat.completions.parse(model="gpt-4o", messages=MESSAGES)

    with openai.OpenAI(base_url=server.url, api_key="none") as client, captured_telemetry() as telemetry:
        ask(client)

    assert 29 == telemetry.total(LLM_TOKENS)


def test_an_answer_not_yet_parsed_says_nothing(server):
    """To parse it would be a call into the client: its usage is for ``record_llm_usage``, and none is made up."""
    server.document = DOCUMENTS["chat"]

    @llm
    def ask(client):
        return client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)

    with openai.OpenAI(base_url=server.url, api_key="none") as client, captured_telemetry() as telemetry:
        raw = ask(client)

    assert "gpt-4o-2024-08-06" == raw.parse().model
    assert semconv.NO_USAGE == telemetry.span("ask").attributes[semconv.LLM_COST_STATUS]
