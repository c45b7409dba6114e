"""Cohere, Ollama, LangChain and pydantic-ai: each a shape of its own."""

from __future__ import annotations

from typing import Any, Final

from tta_observe._responses import anthropic, openai
from tta_observe._responses.fields import (
    Fields,
    count,
    fields_of,
    filled,
    first_count,
    get,
    has,
    name,
    part,
    texts,
)
from tta_observe._responses.reading import UNKNOWN, Reading, Tokens, normal, plus
from tta_observe._scalars import is_a

_TIERS: Final = ("", "priority_", "flex_")
"""LangChain puts the tier of the service before the names of its details."""


def read_cohere(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """Cohere's chat and embeddings, of both versions."""
    tokens = cohere_tokens(usage)
    if tokens == UNKNOWN:
        return None
    return Reading(
        "cohere",
        None,  # none of them names its model
        *tokens,
        response_id=name(fields, "response_id") or name(fields, "id"),
        finish_reasons=texts(get(fields, "finish_reason")),
    )


def cohere_tokens(usage: Fields) -> Tokens:
    """
    Numbers of Cohere's *usage*: those that are billed, where it tells them apart.

    The part from the cache is one of all tokens; it is cut to those that are billed.
    """
    billed, used = part(usage, "billed_units"), part(usage, "tokens")
    prompt, completion = (
        found if (found := first_count(billed, key)) is not None else first_count(used, key)
        for key in ("input_tokens", "output_tokens")
    )
    return normal(prompt, completion, first_count(usage, "cached_tokens"), None, None)


def read_ollama(fields: Fields, _response: object) -> Reading | None:
    """Ollama's chat, completion or embeddings, or the last chunk of a stream of them."""
    found = ollama_chunk(fields)
    known = has(fields, "model") and (has(fields, "embeddings") or get(fields, "done") is True)
    return found if found.counted and known else None


def ollama_chunk(fields: Fields) -> Reading:
    """What a chunk of Ollama's says; only the last one counts tokens, and a prompt that is in memory not even then."""
    tokens = Tokens(count(get(fields, "prompt_eval_count")), count(get(fields, "eval_count")))
    return Reading("ollama", name(fields, "model"), *tokens, finish_reasons=texts(get(fields, "done_reason")))


def ollama_output(fields: Fields) -> bool:
    """Whether a chunk has text, thoughts or calls."""
    message = part(fields, "message") if has(fields, "message") else fields
    return any(filled(get(message, key)) for key in ("content", "response", "thinking", "tool_calls"))


def read_langchain(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """A message of LangChain, with its own ``usage_metadata``."""
    if not has(fields, "response_metadata"):
        return None
    return _langchain(fields, _langchain_tokens(usage))


def read_langchain_bare(fields: Fields, _response: object) -> Reading | None:
    """A message of LangChain that has only what the provider said."""
    metadata = part(fields, "response_metadata")
    usage = part(metadata, "token_usage" if has(metadata, "token_usage") else "usage")
    if has(usage, "prompt_tokens"):
        return _langchain(fields, openai.chat_tokens(usage))
    return _langchain(fields, anthropic.tokens(anthropic.counted(usage)))


def langchain_output(fields: Fields) -> bool:
    """Whether a chunk has text, or a part of a tool's call."""
    return filled(get(fields, "content")) or filled(get(fields, "tool_call_chunks"))


def read_pydantic_ai(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """A response of pydantic-ai."""
    if name(fields, "kind") != "response" or not has(fields, "model_name"):
        return None
    return _pydantic_ai(fields, usage)


def read_pydantic_ai_run(fields: Fields, _response: object) -> Reading | None:
    """The result of a run of pydantic-ai: all its calls together; who served it is who served the last one."""
    state = part(fields, "_state")
    usage, history = part(state, "usage"), get(state, "message_history")
    if not has(usage, "input_tokens") or not is_a(history, list):
        return None
    return _pydantic_ai(_last_response(history), usage)


def _pydantic_ai(said: Fields, usage: Fields) -> Reading:
    tokens = normal(
        count(get(usage, "input_tokens")),
        count(get(usage, "output_tokens")),
        count(get(usage, "cache_read_tokens")),
        count(get(usage, "cache_write_tokens")),
        first_count(usage, "output_reasoning_tokens"),
    )
    return Reading(
        name(said, "provider_name"),
        name(said, "model_name"),
        *tokens,
        response_id=name(said, "provider_response_id"),
        finish_reasons=texts(get(said, "finish_reason")),
    )


def _last_response(history: Any) -> Fields:
    for message in reversed(list.__getitem__(history, slice(-8, None))):
        found = fields_of(message)
        if found is not None and name(found, "kind") == "response":
            return found
    return {}


def _langchain(fields: Fields, tokens: Tokens) -> Reading | None:
    metadata = part(fields, "response_metadata")
    model = name(metadata, "model_name") or name(metadata, "model") or name(metadata, "model_id")
    provider = name(metadata, "model_provider")
    if tokens == UNKNOWN and model is None:
        return None
    reasons = ("finish_reason", "stop_reason", "stopReason", "done_reason")
    return Reading(
        None if provider == "openai" else provider,
        model,
        *tokens,
        response_id=name(metadata, "id"),
        finish_reasons=texts(*(get(metadata, key) for key in reasons)),
        provider_hint="openai" if provider == "openai" else None,
    )


def _langchain_tokens(usage: Fields) -> Tokens:
    """LangChain's own normal form is ours; a detail may stand under the tier, or under how long the cache lives."""
    read, written = part(usage, "input_token_details"), part(usage, "output_token_details")
    lasting = plus(*(first_count(read, key) for key in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")))
    return normal(
        count(get(usage, "input_tokens")),
        count(get(usage, "output_tokens")),
        first_count(read, *(tier + "cache_read" for tier in _TIERS)),
        lasting or first_count(read, *(tier + "cache_creation" for tier in _TIERS)),
        first_count(written, *(tier + "reasoning" for tier in _TIERS)),
    )
