"""
OpenAI's shapes: chat completions, completions, embeddings, responses, and the many servers that speak like it.

``prompt_tokens`` include the cached ones and ``completion_tokens`` the reasoning, says OpenAI's API reference. Servers
that follow it in everything else differ here: what is known of them stands where it is applied.
"""

from __future__ import annotations

from typing import Final

from tta_observe._responses.fields import (
    NOTHING,
    Fields,
    client_of,
    count,
    filled,
    first_count,
    get,
    has,
    name,
    number,
    part,
    parts,
    private,
    texts,
)
from tta_observe._responses.reading import UNKNOWN, Reading, Tokens, normal, plus
from tta_observe._scalars import is_a

_CARRIES: Final = {"openai": "openai", "groq": "groq", "mistralai": "mistralai", "huggingface_hub": "huggingface"}
"""Client libraries that give answers classes of their own, and what to call who answers through them."""

_OBJECTS: Final = ("chat.completion", "chat.completion.chunk", "text_completion")

_OUTPUT: Final = ("content", "reasoning_content", "reasoning", "tool_calls", "refusal", "audio", "function_call")


def read_chat(fields: Fields, usage: Fields, response: object) -> Reading | None:
    """A chat completion, a completion, embeddings, or a chunk of them, with its usage."""
    if not (is_a(get(fields, "choices"), list) or is_a(get(fields, "object"), str)):
        return None
    tokens = chat_tokens(usage, name(fields, "model") or "")
    return None if tokens == UNKNOWN else _chat(fields, tokens, response)


def read_choices(fields: Fields, response: object) -> Reading | None:
    """A chat completion, or a chunk of one, that has no usage: a stream that nobody asked to count."""
    if name(fields, "object") not in _OBJECTS or not is_a(get(fields, "choices"), list):
        return None
    groq = part(part(fields, "x_groq"), "usage")
    return _chat(fields, chat_tokens(groq), response)


def read_answer(fields: Fields, usage: Fields, response: object) -> Reading | None:
    """An answer of the responses API; it echoes temperature and the limit of tokens."""
    if name(fields, "object") != "response" or not is_a(get(fields, "output"), (list, tuple)):
        return None
    provider, hint = _who(fields, response)
    return Reading(
        provider,
        name(fields, "model"),
        *answer_tokens(usage),
        number(get(fields, "temperature")),
        count(get(fields, "max_output_tokens")),
        name(fields, "id"),
        provider_hint=hint,
    )


def read_bare_answer(fields: Fields, response: object) -> Reading | None:
    """An answer of the responses API that is not complete yet: it has no usage."""
    return read_answer(fields, NOTHING, response)


def chat_tokens(usage: Fields, model: str = "") -> Tokens:
    """Numbers of a chat completion's *usage*."""
    read, written = part(usage, "prompt_tokens_details"), part(usage, "completion_tokens_details")
    prompt, completion = count(get(usage, "prompt_tokens")), count(get(usage, "completion_tokens"))
    reasoning = _either(first_count(written, "reasoning_tokens"), first_count(usage, "reasoning_tokens"))
    cached = _either(
        first_count(read, "cached_tokens"),
        first_count(usage, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
    )
    cache_write = _either(
        first_count(read, "cache_write_tokens", "cache_creation_tokens"),
        first_count(usage, "cache_creation_input_tokens"),
    )
    apart = _apart(prompt, completion, reasoning, count(get(usage, "total_tokens")), model)
    return normal(prompt, plus(completion, apart), cached, cache_write, _either(apart, reasoning))


def answer_tokens(usage: Fields) -> Tokens:
    """Numbers of the *usage* of the responses API."""
    read, written = part(usage, "input_tokens_details"), part(usage, "output_tokens_details")
    return normal(
        count(get(usage, "input_tokens")),
        count(get(usage, "output_tokens")),
        first_count(read, "cached_tokens", "cache_read_input_tokens"),
        first_count(read, "cache_write_tokens", "cache_creation_input_tokens"),
        first_count(written, "reasoning_tokens"),
    )


def has_news(fields: Fields, choices: list[Fields]) -> bool:
    """Whether a chunk says more of its call than the one before: its usage, or why it ends."""
    if get(fields, "usage") is not None or get(fields, "x_groq") is not None:
        return True
    return any(get(choice, "finish_reason") is not None for choice in choices)


def holds_output(choices: list[Fields]) -> bool:
    """Whether the *choices* of a chunk have more than a role or a filter's verdict."""
    for choice in choices:
        delta = part(choice, "delta")
        if any(filled(get(delta, key)) for key in _OUTPUT) or filled(get(choice, "text")):
            return True
    return False


def _chat(fields: Fields, tokens: Tokens, response: object) -> Reading:
    provider, hint = _who(fields, response)
    return Reading(
        provider,
        name(fields, "model"),
        *tokens,
        response_id=name(fields, "id"),
        finish_reasons=texts(*(get(choice, "finish_reason") for choice in parts(fields, "choices"))),
        provider_hint=hint,
    )


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _apart(
    prompt: int | None, completion: int | None, reasoning: int | None, total: int | None, model: str
) -> int | None:
    """Reasoning that ``completion_tokens`` leave out, by the server's own total."""
    if prompt is None or completion is None or total is None:
        return None
    rest = total - prompt - completion
    if reasoning:  # xAI, Perplexity: beside the completion, not within it
        return reasoning if rest == reasoning or reasoning > completion else None
    # Gemini's OpenAI endpoint names its thoughts in the total alone.
    return rest if rest > 0 and "gemini" in model else None


def _who(fields: Fields, response: object) -> tuple[str | None, str | None]:
    """Provider as told and as hinted at."""
    client = client_of(response)
    if client == "litellm":
        return name(private(response, "_hidden_params"), "custom_llm_provider"), None
    return "groq" if has(fields, "x_groq") else None, _CARRIES.get(client)
