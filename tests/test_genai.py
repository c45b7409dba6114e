"""Our attributes in the words of the ``gen_ai`` conventions."""

from datetime import datetime

import pytest

from tta_observe import _genai, semconv


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("llm", {"gen_ai.operation.name": "chat"}),
        ("embedding", {"gen_ai.operation.name": "embeddings"}),
        ("tool", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"}),
        ("agent", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "x"}),
        ("workflow", {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "x"}),
        *((other, {}) for other in sorted({*semconv.WELL_KNOWN_TYPES} - {"llm", "embedding", "tool", "agent"})),
        ("anything", {}),
    ],
)
def test_what_a_site_does_is_known_before_it_is_called(type_, expected):
    """
    Samplers ask for it when a span starts; a router or a cache has no operation of the conventions.
    """
    assert expected == _genai.site_attributes(type_, "x")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("openai", "openai"),
        ("Anthropic", "anthropic"),
        ("bedrock", "aws.bedrock"),
        ("aws.bedrock", "aws.bedrock"),
        ("azure", "azure.ai.openai"),
        ("azure-openai", "azure.ai.openai"),
        ("google-genai", "gcp.gemini"),
        ("gemini", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("google-vertex", "gcp.vertex_ai"),
        ("mistral", "mistral_ai"),
        ("Mistral AI", "mistral_ai"),
        ("xai", "x_ai"),
        ("x-ai", "x_ai"),
        ("deepseek", "deepseek"),
        ("My Own Gateway", "My Own Gateway"),
        ("", ""),
    ],
)
def test_providers_by_any_of_their_names(ours, theirs):
    """
    Every client has a word of its own for the same company; who is not known keeps the name that was given.
    """
    assert theirs == _genai.provider_name(ours)


def test_the_request_is_told_in_both_names_of_the_provider():
    """
    Logfire and OpenLIT read the name that the conventions gave up.
    """
    found = {"llm.provider": "bedrock", "llm.model_name": "m", "llm.temperature": 0.5, "llm.max_tokens": 9}
    expected = {
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.system": "aws.bedrock",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
    }

    assert expected == _genai.request_attributes({**found, "workflow.name": "w"})
    assert {} == _genai.request_attributes({"workflow.name": "w"})


def test_usage_is_told_under_every_name_that_is_read():
    """
    A cost that only one backend finds is a contradiction between two screens.
    """
    found = {
        "llm.model_name": "m",
        "llm.prompt_tokens": 10,
        "llm.completion_tokens": 5,
        "llm.total_tokens": 15,
        "llm.cached_tokens": 4,
        "llm.cache_write_tokens": 3,
        "llm.reasoning_tokens": 2,
        "llm.cost_usd": 0.5,
        "llm.cost_status": "priced",
    }
    expected = {
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.total_tokens": 15,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.usage.cost": 0.5,
        "operation.cost": 0.5,
    }

    assert expected == _genai.usage_attributes(found)


def test_no_price_is_no_cost():
    """
    0 would be believed.
    """
    told = _genai.usage_attributes({"llm.prompt_tokens": 10, "llm.cost_status": "unpriced"})

    assert {"gen_ai.usage.input_tokens": 10} == told


def test_who_it_works_for():
    """
    Conversations and agents are put together by these, and an agent's type is more than a function's name.
    """
    found = {"session.id": "s", "agent.id": "a-1", "agent.type": "writer", "workflow.name": "w"}
    expected = {"gen_ai.conversation.id": "s", "gen_ai.agent.id": "a-1", "gen_ai.agent.name": "writer"}

    assert expected == _genai.context_attributes(found)
    assert {} == _genai.context_attributes({"workflow.name": "w"})


def test_the_first_chunk_is_told_as_a_time_and_as_a_duration():
    """
    One backend reads how long it took, another one when it was.
    """
    started_ns = 1_700_000_000_000_000_000
    told = _genai.stream_attributes(started_ns, started_ns + 250_000_000)

    assert 0.25 == pytest.approx(told["gen_ai.response.time_to_first_chunk"])
    assert told["gen_ai.request.stream"] is True
    moment = datetime.fromisoformat(told["langfuse.observation.completion_start_time"])
    assert 1_700_000_000.25 == pytest.approx(moment.timestamp())


def test_a_stream_without_output_has_no_first_chunk():
    """
    A consumer that never asked for the first item waited for nothing.
    """
    assert {"gen_ai.request.stream": True} == _genai.stream_attributes(1, None)


def test_what_a_response_says_of_itself():
    """
    Support of a provider asks for the identifier; a model that was cut off says so in its reason.
    """
    told = {"gen_ai.response.id": "r-1", "gen_ai.response.finish_reasons": ("length",)}

    assert told == _genai.response_attributes("r-1", ["length"])
    assert {} == _genai.response_attributes(None, ())
