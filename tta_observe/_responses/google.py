"""
Google's answers: Gemini's ``generateContent``, embeddings and interactions, from the client or as JSON.

The cached part is within the prompt; thoughts and the prompt of tools stand beside candidates and prompt: the total is
"the sum of prompt_token_count, candidates_token_count, tool_use_prompt_token_count, and thoughts_token_count" (types of
the client).
"""

from __future__ import annotations

from tta_observe._responses.fields import NOTHING, Fields, filled, first_count, get, has, name, part, parts, texts
from tta_observe._responses.reading import UNKNOWN, Reading, Tokens, normal, plus


def read_content(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """Generated content, or a chunk of it, with the usage so far."""
    if not (has(fields, "candidates") or _model(fields)):
        return None
    candidates = parts(fields, "candidates")
    reasons = texts(*(get(each, key) for each in candidates for key in ("finish_reason", "finishReason")))
    return _reading(fields, content_tokens(usage), reasons)


def read_bare_content(fields: Fields, response: object) -> Reading | None:
    """Generated content, or a chunk of it, without usage."""
    return read_content(fields, NOTHING, response) if _model(fields) else None


def read_embeddings(fields: Fields, _response: object) -> Reading | None:
    """Embeddings; only some of Google's services count their tokens, one by one or all together."""
    counts = [
        first_count(part(each, "statistics"), "token_count", "tokenCount") for each in parts(fields, "embeddings")
    ]
    whole = first_count(part(fields, "usage_metadata"), "prompt_token_count")
    if whole is None:
        whole = first_count(part(fields, "usageMetadata"), "promptTokenCount")
    found = plus(*counts) if whole is None else whole
    return None if found is None else _reading(fields, Tokens(prompt=found), ())


def read_interaction(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """An interaction with its usage."""
    thoughts = first_count(usage, "total_thought_tokens")
    tokens = normal(
        plus(first_count(usage, "total_input_tokens"), first_count(usage, "total_tool_use_tokens")),
        plus(first_count(usage, "total_output_tokens"), thoughts),
        first_count(usage, "total_cached_tokens"),
        None,
        thoughts,
    )
    return None if tokens == UNKNOWN else _reading(fields, tokens, texts(get(fields, "status")))


def content_tokens(usage: Fields) -> Tokens:
    """Numbers of the *usage* of generated content."""
    thoughts = first_count(usage, "thoughts_token_count", "thoughtsTokenCount")
    answer = first_count(
        usage, "candidates_token_count", "candidatesTokenCount", "response_token_count", "responseTokenCount"
    )
    of_tools = first_count(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    cached = first_count(usage, "cached_content_token_count", "cachedContentTokenCount")
    prompt = plus(first_count(usage, "prompt_token_count", "promptTokenCount"), of_tools)
    return normal(prompt, plus(answer, thoughts), cached, None, thoughts)


def holds_output(fields: Fields) -> bool:
    """Whether a chunk has a part of an answer."""
    return any(filled(get(part(each, "content"), "parts")) for each in parts(fields, "candidates"))


def _reading(fields: Fields, tokens: Tokens, reasons: tuple[str, ...]) -> Reading:
    return Reading(
        "google",
        _model(fields) or name(fields, "model"),
        *tokens,
        response_id=name(fields, "response_id") or name(fields, "responseId") or name(fields, "id"),
        finish_reasons=reasons,
    )


def _model(fields: Fields) -> str | None:
    return name(fields, "model_version") or name(fields, "modelVersion")
