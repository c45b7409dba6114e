"""pydantic-ai: the result of a run, which may have asked its model several times."""

from __future__ import annotations

import pytest
from provider_documents import documents
from providers.server import answer_server
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

from tta_observe import semconv, traced_primitive
from tta_observe._responses import read
from tta_observe.instruments import LLM_TOKENS
from tta_observe.testing import captured_telemetry

ANSWERS = [d for d in documents("openai", streamed=False) if d.case in ("chat", "chat_cached", "chat_reasoning")]


@pytest.fixture(name="server")
def _server():
    """A server in the place of OpenAI's."""
    with answer_server() as running:
        yield running


def agent(server):
    provider = OpenAIProvider(base_url=server.url, api_key="none")
    return Agent(OpenAIChatModel("gpt-4o", provider=provider))


def numbers(reading):
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    return {name: getattr(reading, name) or 0 for name in names}


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_the_result_of_a_run_is_read(server, answer):
    """What the run says it used is what the provider said."""
    server.document = answer
    result = agent(server).run_sync("Hello!")

    assert numbers(answer.expected) == numbers(read(result))


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_a_run_is_recorded_by_itself(server, answer):
    """A primitive that returns the result of a run needs no call of ours."""
    server.document = answer

    @traced_primitive(type="llm", name="ask")
    def ask():
        return agent(server).run_sync("Hello!")

    with captured_telemetry() as telemetry:
        ask()
    found = telemetry.span("ask").attributes

    assert answer.expected.prompt_tokens == found[semconv.LLM_PROMPT_TOKENS]
    assert answer.expected.prompt_tokens + answer.expected.completion_tokens == telemetry.total(LLM_TOKENS)


def test_a_run_that_asks_twice_counts_both():
    """A tool makes a second request of its run; its tokens are in the sum."""
    asking = Agent(TestModel())

    @asking.tool_plain
    def weather() -> str:
        return "sunny"

    result = asking.run_sync("How is the weather?")
    found = read(result)

    assert 2 == result.usage.requests
    assert (result.usage.input_tokens, result.usage.output_tokens) == (found.prompt_tokens, found.completion_tokens)
