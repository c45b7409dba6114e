"""Which shape a response has: a name that it holds tells who reads it, and the reader looks at the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe._responses import anthropic, bedrock, google, openai, other
from tta_observe._responses.fields import fields_of, has, part

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._responses.fields import Fields
    from tta_observe._responses.reading import Reading

_USAGES: Final = ("usage", "usage_metadata", "usageMetadata", "meta")

_BY_USAGE: Final[tuple[tuple[str, Callable[[Fields, Fields, Any], Reading | None]], ...]] = (
    ("prompt_tokens", openai.read_chat),
    ("input_tokens", anthropic.read_message),
    ("input_tokens", openai.read_answer),
    ("input_tokens", other.read_langchain),
    ("input_tokens", other.read_pydantic_ai),
    ("prompt_token_count", google.read_content),
    ("promptTokenCount", google.read_content),
    ("total_input_tokens", google.read_interaction),
    ("inputTokens", bedrock.read_converse),
    ("billed_units", other.read_cohere),
    ("tokens", other.read_cohere),
)
"""What a usage holds, and who reads it."""

_BY_FIELD: Final[tuple[tuple[str, Callable[[Fields, Any], Reading | None]], ...]] = (
    ("choices", openai.read_choices),
    ("output", openai.read_bare_answer),
    ("candidates", google.read_bare_content),
    ("response_metadata", other.read_langchain_bare),
    ("prompt_eval_count", other.read_ollama),
    ("eval_count", other.read_ollama),
    ("embeddings", google.read_embeddings),
    ("_state", other.read_pydantic_ai_run),
    ("inputTextTokenCount", bedrock.read_titan),
    ("generation_token_count", bedrock.read_llama),
    ("ResponseMetadata", bedrock.read_invoked),
)
"""The same for responses that have no usage, or count their tokens elsewhere."""


def recognised(response: object) -> Reading | None:
    """What a whole response says; None when it has no shape that is known here."""
    fields = fields_of(response)
    return None if fields is None else shaped(fields, response)


def shaped(fields: Fields, response: object) -> Reading | None:
    """The same of a *response* whose *fields* are at hand."""
    for holder in _USAGES:
        if has(fields, holder) and (found := _counted(fields, part(fields, holder), response)) is not None:
            return found
    for key, read in _BY_FIELD:
        if has(fields, key) and (found := read(fields, response)) is not None:
            return found
    return None


def _counted(fields: Fields, usage: Fields, response: object) -> Reading | None:
    for key, read in _BY_USAGE:
        if has(usage, key) and (found := read(fields, usage, response)) is not None:
            return found
    return None
