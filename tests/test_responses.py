"""What a response says of its call, in one normal form; documented answers stand under ``providers/documents``."""

import dataclasses
import json
import time
from collections import OrderedDict
from random import Random
from types import SimpleNamespace
from unittest.mock import MagicMock

import pydantic
import pytest
from genai_prices import extract_usage
from hostile import KINDS, RAN
from hypothesis import given
from hypothesis import strategies as st
from provider_documents import documents

from tta_observe._responses import Reading, read

CHAT = {"object": "chat.completion", "model": "m", "choices": []}


def numbers(reading):
    """Input, output, read from the cache, written to it, reasoning."""
    return dataclasses.astuple(reading)[2:7]


def chat(model="m", **usage):
    return {**CHAT, "model": model, "usage": usage}


def made_by(module, **fields):
    """An object of a class of *module*, which is not installed here."""
    return type("Response", (SimpleNamespace,), {"__module__": module})(**fields)


def as_object(value):
    """JSON as clients give it: objects all the way down."""
    if isinstance(value, dict):
        return made_by("client.types", **{key: as_object(item) for key, item in value.items()})
    return [as_object(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("document", documents(streamed=False), ids=str)
def test_an_object_says_the_same_as_the_dict(document):
    """Whether a program keeps the client's object or its JSON decides nothing about its bill."""
    assert document.expected == read(as_object(document.body))


_EXTRACTORS = {
    "anthropic": {"messages": ("anthropic", "default")},
    "bedrock": {"converse": ("aws", "default"), "invoke": ("aws", "anthropic")},
    "cohere": {"chat": ("cohere", "default"), "embedding": ("cohere", "embeddings")},
    "google": {"generate": ("google", "default")},
    "groq": {"chat": ("groq", "default")},
    "mistral": {"chat": ("mistral", "default"), "embedding": ("mistral", "default")},
    "openai": {
        "chat": ("openai", "chat"),
        "completion": ("openai", "chat"),
        "embedding": ("openai", "embeddings"),
        "responses": ("openai", "responses"),
    },
}
"""What genai-prices has to be told beforehand: whose answer it is, and of which interface."""

_MORE_THAN_EXTRACTED = {"cohere/chat_cached"}
"""It knows no cached tokens among those that Cohere bills."""


def _extracted():
    for document in documents(streamed=False):
        how = _EXTRACTORS.get(document.provider, {}).get(document.endpoint)
        if how and document.expected and document.expected.counted and str(document) not in _MORE_THAN_EXTRACTED:
            yield pytest.param(document, *how, id=str(document))


@pytest.mark.parametrize(("document", "provider", "interface"), list(_extracted()))
def test_an_independent_reader_finds_the_same_numbers(document, provider, interface):
    """Prices come from genai-prices: what it calls input and output is what we have to give it."""
    usage = extract_usage(document.body, provider_id=provider, api_flavor=interface).usage
    theirs = usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens

    assert [number or 0 for number in theirs] == [number or 0 for number in numbers(read(document.body))[:4]]


@pytest.mark.parametrize("details", ["completion_tokens_details", None])
def test_reasoning_that_the_server_counts_apart_is_part_of_the_output(details):
    """Some bill reasoning and leave it out of the completion, xAI for one: the total gives them away."""
    reasoning = {"reasoning_tokens": 340}
    usage = {details: reasoning} if details else reasoning

    assert (41, 444, None, None, 340) == numbers(
        read(chat(prompt_tokens=41, completion_tokens=104, total_tokens=485, **usage))
    )


def test_reasoning_within_the_output_is_not_added():
    """OpenAI's reasoning is in the completion already; twice would double the bill."""
    usage = {"completion_tokens_details": {"reasoning_tokens": 64}}

    assert (10, 100, None, None, 64) == numbers(
        read(chat(prompt_tokens=10, completion_tokens=100, total_tokens=110, **usage))
    )


def test_more_reasoning_than_output_stands_beside_it():
    """Perplexity's total leaves out what its completion leaves out."""
    usage = {"prompt_tokens": 33, "completion_tokens": 100, "total_tokens": 133, "reasoning_tokens": 900}

    assert (33, 1000, None, None, 900) == numbers(read(chat(**usage)))


def test_thoughts_that_gemini_names_in_the_total_alone_are_reasoning():
    """Through OpenAI's endpoint Gemini says nothing of its thoughts, and bills them as output."""
    usage = {"prompt_tokens": 758, "completion_tokens": 102, "total_tokens": 1725}

    assert (758, 967, None, None, 865) == numbers(read(chat("gemini-2.5-pro", **usage)))
    assert (758, 102, None, None, None) == numbers(read(chat("another", **usage)))


@pytest.mark.parametrize("key", ["prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"])
def test_servers_that_name_cached_tokens_otherwise_are_understood(key):
    """DeepSeek, Moonshot and Databricks: without it their cheap tokens would cost the full price."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, key: 900}

    assert (1000, 5, 900, None, None) == numbers(read(chat(**usage)))


def test_a_part_that_is_larger_than_its_whole_is_cut_to_it():
    """Otherwise the rest, billed at the full price, would be less than nothing."""
    details = {"cached_tokens": 80, "cache_write_tokens": 80}
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": details}

    assert (100, 5, 80, 20, None) == numbers(read(chat(**usage)))


def test_a_client_is_a_hint_and_its_server_may_be_anyone():
    """DeepSeek, vLLM and a hundred more are asked through OpenAI's client."""
    response = made_by("openai.types.chat", **chat(prompt_tokens=1))

    assert (None, "openai") == (read(response).provider, read(response).provider_hint)


def test_litellm_says_which_provider_it_asked():
    """Its objects look like OpenAI's whoever answered; it keeps the name among its private attributes."""

    class ModelResponse(pydantic.BaseModel, extra="allow"):
        _hidden_params: dict = pydantic.PrivateAttr({"custom_llm_provider": "bedrock"})

    ModelResponse.__module__ = "litellm.types.utils"

    assert "bedrock" == read(ModelResponse(**chat(prompt_tokens=1))).provider


def test_fields_that_a_model_does_not_declare_are_read():
    """What is newer than the client, or its server's own, is kept apart from the fields."""

    class Usage(pydantic.BaseModel, extra="allow"):
        prompt_tokens: int

    usage = Usage(prompt_tokens=9, prompt_cache_hit_tokens=8)

    assert (9, None, 8, None, None) == numbers(read({**CHAT, "usage": usage}))
    assert (9, None, None, None, None) == numbers(read({**CHAT, "usage": Usage(prompt_tokens=9)}))


def test_a_field_named_like_pydantics_own_holds_what_is_not_declared():
    """Mistral's client generates one, which hides the attribute of the same name."""
    held = {"prompt_tokens": 9, "__pydantic_extra__": {"prompt_tokens_details": {"cached_tokens": 8}}}

    class Usage(pydantic.BaseModel, extra="allow"):
        pass

    usage = Usage()
    usage.__dict__.update(held)

    assert (9, None, 8, None, None) == numbers(read({**CHAT, "usage": usage}))


def test_a_response_with_slots_is_read():
    """Dataclasses and msgspec's structs have no dictionary."""

    @dataclasses.dataclass(slots=True)
    class Usage:
        prompt_tokens: int
        completion_tokens: int

    assert (3, 4, None, None, None) == numbers(read({**CHAT, "usage": Usage(3, 4)}))


def test_slots_that_were_never_set_are_left_out():
    """A struct that is half made is no reason to fail."""

    class Usage:
        __slots__ = ("completion_tokens", "prompt_tokens")

    usage = Usage()
    usage.prompt_tokens = 3

    assert (3, None, None, None, None) == numbers(read({**CHAT, "usage": usage}))


def test_an_object_whose_own_dictionary_is_hidden_is_none():
    """A model that is a proxy for something else is not looked through."""

    class Proxy(pydantic.BaseModel, extra="allow"):
        __dict__ = property(lambda _self: {"choices": []})

    assert read(Proxy.__new__(Proxy)) is None


def test_litellms_objects_without_private_attributes_name_no_provider():
    """Its dicts do not carry them, and neither did its objects at first."""
    response = made_by("litellm.types.utils", **chat(prompt_tokens=1))

    assert (None, None) == (read(response).provider, read(response).provider_hint)


def test_compaction_on_the_server_is_paid_for():
    """Anthropic lists it among the iterations and leaves it out of the fields at the top."""
    compaction = {
        "type": "compaction",
        "input_tokens": 1000,
        "output_tokens": 50,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 0,
    }
    counts = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}
    usage = {**counts, "iterations": [compaction, {"type": "message", **counts}]}
    message = {"type": "message", "model": "claude-opus-4-6", "usage": usage}

    assert (1022, 55, 10, 2, None) == numbers(read(message))


def test_a_message_of_another_model_is_anthropics_by_its_shape_only():
    """DeepSeek and others offer Anthropic's interface, too."""
    message = {"type": "message", "model": "deepseek-chat", "usage": {"input_tokens": 1, "output_tokens": 1}}

    assert (None, "anthropic") == (read(message).provider, read(message).provider_hint)


def test_langchains_details_are_found_under_tier_and_duration():
    """A priority call's cached tokens have another name, and so have those cached for an hour."""
    usage = {
        "input_tokens": 500,
        "output_tokens": 90,
        "input_token_details": {
            "priority_cache_read": 200,
            "cache_creation": 0,
            "ephemeral_5m_input_tokens": 40,
            "ephemeral_1h_input_tokens": 60,
        },
        "output_token_details": {"flex_reasoning": 30},
    }
    metadata = {"model_name": "claude-x", "model_provider": "anthropic", "stop_reason": "end_turn", "id": "msg_1"}
    wanted = Reading("anthropic", "claude-x", 500, 90, 200, 100, 30, response_id="msg_1", finish_reasons=("end_turn",))

    assert wanted == read(_message(usage, metadata))


def _message(usage, metadata):
    return made_by("langchain_core.messages.ai", type="ai", usage_metadata=usage, response_metadata=metadata)


@pytest.mark.parametrize(
    ("key", "usage"),
    [
        ("token_usage", {"prompt_tokens": 3, "completion_tokens": 4}),
        ("usage", {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4}),
    ],
)
def test_a_message_of_langchains_falls_back_to_what_the_provider_said(key, usage):
    """Integrations older than ``usage_metadata`` pass the provider's numbers on as they are."""
    found = read(_message(None, {key: usage, "model_name": "m", "model_provider": "openai"}))

    assert (3, 4) == numbers(found)[:2]
    assert (None, "openai") == (found.provider, found.provider_hint)


def test_a_run_of_pydantic_ai_is_all_its_calls_together():
    """Its usage is a property, and in older releases a method: it is read where it is kept."""
    last = {"kind": "response", "model_name": "gpt-5", "provider_name": "openai", "usage": {}}
    usage = {"input_tokens": 51, "cache_read_tokens": 7, "cache_write_tokens": 2, "output_tokens": 4, "requests": 2}
    state = {"usage": usage, "message_history": [{"kind": "request"}, last, {"kind": "request"}]}

    assert Reading("openai", "gpt-5", 51, 4, 7, 2) == read(as_object({"output": "x", "_state": state}))


def test_a_run_of_pydantic_ai_without_a_response_has_no_model():
    """Its history may have been cut; the tokens were used all the same."""
    state = {"usage": {"input_tokens": 1, "output_tokens": 2}, "message_history": [{"kind": "request"}]}

    assert Reading(None, None, 1, 2) == read(as_object({"_state": state}))


def test_a_response_of_pydantic_ai_is_read():
    """What its models return inside a run."""
    usage = {"input_tokens": 51, "output_tokens": 40, "output_reasoning_tokens": 30}
    response = {"kind": "response", "model_name": "m", "provider_name": "groq", "usage": usage, "parts": []}

    assert Reading("groq", "m", 51, 40, reasoning_tokens=30) == read(as_object(response))


def test_an_interaction_of_googles_is_read():
    """The newer of its two interfaces has names of its own."""
    usage = {
        "total_input_tokens": 7,
        "total_cached_tokens": 2,
        "total_output_tokens": 20,
        "total_thought_tokens": 22,
        "total_tool_use_tokens": 1,
    }
    response = {"id": "v1", "model": "gemini-2.5-flash", "outputs": [], "usage": usage}

    assert Reading("google", "gemini-2.5-flash", 8, 42, 2, None, 22, response_id="v1") == read(response)


_COUNTED_EMBEDDINGS = [{"statistics": {"token_count": 4.0}}, {"statistics": {"token_count": 3.0}}]


@pytest.mark.parametrize(
    "response",
    [
        {"embeddings": _COUNTED_EMBEDDINGS},
        {"embeddings": [{"values": [0.1]}], "usage_metadata": {"prompt_token_count": 7}},
        {"embeddings": [{"values": [0.1]}], "usageMetadata": {"promptTokenCount": 7}},
    ],
)
def test_embeddings_of_googles_are_counted_one_by_one_or_together(response):
    """Vertex counts each of them, as a float; the Gemini API, where it does, all of them."""
    assert (7, None, None, None, None) == numbers(read(response))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"inputTextTokenCount": 5, "results": [{"tokenCount": 33, "completionReason": "FINISH"}]}, (5, 33)),
        ({"inputTextTokenCount": 8, "embedding": [0.1]}, (8, None)),
        ({"generation": "Hi", "prompt_token_count": 12, "generation_token_count": 34}, (12, 34)),
        ({"output": {}, "usage": {"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokenCount": 4}}, (9, 6)),
    ],
)
def test_bodies_of_bedrocks_models_are_read(body, wanted):
    """``invoke_model`` answers in the words of the model's maker: Titan, Llama, Nova."""
    assert ("aws.bedrock", *wanted) == (read(body).provider, *numbers(read(body))[:2])


def test_an_invocation_of_bedrocks_is_counted_by_its_headers():
    """The body can be read once, and that is the program's to do."""
    headers = {"x-amzn-bedrock-input-token-count": "25", "x-amzn-bedrock-cache-read-input-token-count": "100"}
    answer = {"body": object(), "ResponseMetadata": {"RequestId": "r1", "HTTPHeaders": headers}}

    assert Reading("aws.bedrock", None, 125, None, 100, response_id="r1") == read(answer)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"usage": None},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2}},  # no choices, no object: the user's own
        {"usage": {"input_tokens": 1, "output_tokens": 2}, "model": "m"},  # cached or not: nobody could tell
        {"usage": {"disk": 7}, "choices": ["a", "b"]},
        {"choices": ["red", "blue"], "object": "menu"},
        {"type": "message", "text": "hello"},
        {"meta": {"tokens": {"csrf": "x"}}},
        {"output": "x", "object": "response"},
        {"metadata": {"usage": {"inputTokens": "many"}}},
        {"usage": {"inputTokens": None}},
        {"usageMetadata": {"promptTokenCount": 5}, "quota": 7},
        {"inputTextTokenCount": 5, "text": "x"},
        {"generation": 3, "generation_token_count": 5},
        {"response_metadata": {"status": 200}, "content": "x"},
        {"embeddings": [[0.1, 0.2]]},
        {"done": True, "eval_count": 3},
        {"_state": {"usage": {"input_tokens": 3}}},
        {"ResponseMetadata": {"HTTPHeaders": {"content-length": "5"}}},
        [chat(prompt_tokens=1)],
        (chat(prompt_tokens=1), None),
        json.dumps(chat(prompt_tokens=1)),
        SimpleNamespace(usage=SimpleNamespace(prompt_tokens=1)),
        type("Usage", (), {"usage": {"prompt_tokens": 1}, "choices": []}),
    ],
    ids=repr,
)
def test_what_only_resembles_a_response_is_none(value):
    """A usage of disk space that is billed as tokens would be worse than no usage."""
    assert read(value) is None


@pytest.mark.parametrize("number", [-1, 10**12, 2**70, 1.5, float("nan"), "7", True, None, [1]], ids=repr)
def test_what_is_no_number_of_tokens_is_unknown(number):
    """A counter never recovers from a wrong number; an unknown one is said to be unknown."""
    assert (None, 2, None, None, None) == numbers(read(chat(prompt_tokens=number, completion_tokens=2)))


def test_a_whole_float_is_a_number_of_tokens():
    """Cohere's client types them as floats."""
    assert 5 == read(chat(prompt_tokens=5.0)).prompt_tokens


@pytest.mark.parametrize("mock", [MagicMock(), MagicMock(usage=MagicMock(prompt_tokens=3))], ids=["bare", "with usage"])
def test_a_mock_is_no_response(mock):
    """It answers every question, with another mock; a test of the user's must not be billed for it."""
    assert read(mock) is None


def test_no_property_is_asked():
    """A lazy object would do its work here, on the caller's time."""

    class Lazy:
        asked = 0

        @property
        def usage(self):
            Lazy.asked += 1
            raise SystemExit

        @property
        def __dict__(self):
            Lazy.asked += 1
            raise SystemExit

        def __getattr__(self, name):
            Lazy.asked += 1
            raise SystemExit

    assert (None, 0) == (read(Lazy()), Lazy.asked)


@pytest.mark.parametrize("value", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("place", ["whole", "usage", "number", "name", "choices", "item"])
def test_no_code_of_a_value_runs(value, place):
    """Whatever stands where a response, or a part of it, is expected: the user's program goes on as if unread."""
    places = {
        "whole": lambda: value,
        "usage": lambda: {**CHAT, "usage": value},
        "number": lambda: chat(prompt_tokens=value, completion_tokens=1),
        "name": lambda: {**chat(prompt_tokens=1), "id": value, "model": value, "object": value},
        "choices": lambda: {**chat(prompt_tokens=1), "choices": value},
        "item": lambda: {**chat(prompt_tokens=1), "choices": [value]},
    }
    response = places[place]()
    RAN.clear()
    begun = time.perf_counter()
    read(response)

    assert [] == RAN
    assert time.perf_counter() - begun < 1


def test_a_dict_that_answers_otherwise_is_read_as_a_dict():
    """A subclass may override how it is asked; what it holds is what counts."""

    class Odd(OrderedDict):
        def get(self, *args):
            raise RuntimeError

        __getitem__ = __contains__ = __len__ = __iter__ = __bool__ = get

    assert 4 == read(Odd(chat(prompt_tokens=4))).prompt_tokens


_JUNK = st.recursive(
    st.integers(0, 1000) | st.integers() | st.floats() | st.booleans() | st.none() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=5,
)


@st.composite
def altered(draw, trees):
    """What providers answer, with any number, any part and any length made into something else."""
    tree = draw(st.sampled_from(trees))
    return _altered(tree, Random(draw(st.integers())), draw(st.lists(_JUNK, min_size=1, max_size=8)))


def _altered(tree, dice, junk):
    if dice.random() < 0.04:
        return dice.choice(junk)
    if isinstance(tree, dict):
        return {key: _altered(value, dice, junk) for key, value in tree.items() if dice.random() > 0.02}
    if isinstance(tree, list):
        return [_altered(item, dice, junk) for item in tree for _ in range(dice.choice([0, 1, 1, 1, 1, 2]))]
    if type(tree) is int:
        return dice.choice([tree, dice.randrange(1000), dice.choice(junk)])
    return tree


BODIES = [document.body for document in documents(streamed=False)]


@given(altered(BODIES))
def test_what_is_read_is_in_normal_form(tree):
    """Prices multiply what is left after the parts are taken off: nothing may ever be less than nothing."""
    for response in (tree, as_object(tree)):
        found = read(response)
        prompt, completion, cached, written, reasoning = numbers(found) if found else (None,) * 5

        assert all(number is None or (type(number) is int and number >= 0) for number in (prompt, completion))
        assert (cached or 0) + (written or 0) <= (prompt or 0)
        assert (reasoning or 0) <= (completion or 0)
