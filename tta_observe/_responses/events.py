"""One chunk of a stream, by the protocol that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from tta_observe._responses import anthropic, bedrock, google, openai, other
from tta_observe._responses.fields import Fields, fields_of, get, has, name, part, parts, texts
from tta_observe._responses.reading import Reading, added, later
from tta_observe._responses.shapes import recognised, shaped

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class State:
    """What the chunks of one stream said so far; *counts* are those of Anthropic's events, by their own names."""

    reading: Reading | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def says(self, now: Reading | None) -> None:
        """Take over what a chunk says."""
        self.reading = later(self.reading, now)


Take: TypeAlias = "Callable[[State, Fields, object], bool]"
"""Takes in one chunk, by what it holds and as it is; True when it holds output."""


def take(state: State, fields: Fields, chunk: object) -> bool:
    """Take in one chunk; one of an unknown kind counts as output."""
    for key, known in _CHUNKS:
        if has(fields, key):
            return known(state, fields, chunk)
    return True


def _choices(state: State, fields: Fields, chunk: object) -> bool:
    choices = parts(fields, "choices")
    if state.reading is None or openai.has_news(fields, choices):
        state.says(shaped(fields, chunk))
    return openai.holds_output(choices)


def _candidates(state: State, fields: Fields, chunk: object) -> bool:
    state.says(shaped(fields, chunk))
    return google.holds_output(fields)


def _line(state: State, fields: Fields, _chunk: object) -> bool:
    """One line of Ollama's."""
    if has(fields, "model") and (state.reading is None or get(fields, "done") is True):
        state.says(other.ollama_chunk(fields))
    return other.ollama_output(fields)


def _envelope(state: State, fields: Fields, _chunk: object) -> bool:
    """A chunk within an event: Mistral's client, and a helper of OpenAI's."""
    for key in ("data", "chunk"):
        inside = get(fields, key)
        held = fields_of(inside)
        if held is not None and has(held, "choices"):
            return _choices(state, held, inside)
    return name(fields, "type") not in _SILENT


def _block(state: State, fields: Fields, _chunk: object) -> bool:
    """An event of Bedrock's converse."""
    tokens = bedrock.converse_tokens(part(part(fields, "metadata"), "usage"))
    stop = texts(get(part(fields, "messageStop"), "stopReason"))
    state.says(Reading(bedrock.PROVIDER, None, *tokens, finish_reasons=stop))
    return has(fields, "contentBlockDelta")


def _metadata(state: State, fields: Fields, chunk: object) -> bool:
    """The event of Bedrock's that has the usage; others call other things so."""
    known = has(part(part(fields, "metadata"), "usage"), "inputTokens")
    return _block(state, fields, chunk) if known else True


def _event(state: State, fields: Fields, chunk: object) -> bool:
    """An event that names its type: OpenAI's responses, Anthropic, Cohere, LangChain."""
    kind = name(fields, "type") or name(fields, "event_type") or name(fields, "event_kind") or ""
    known = _EVENTS.get(kind)
    if known is not None:
        return known(state, fields, chunk)
    if kind.startswith("response."):
        state.says(recognised(get(fields, "response")))
        return kind.endswith(".delta")
    return _envelope(state, fields, chunk)


def _message(state: State, fields: Fields, _chunk: object) -> bool:
    message = part(fields, "message")
    if name(message, "type") == "message":
        state.counts |= anthropic.counted(part(message, "usage"))
        state.says(anthropic.said(message, state.counts))
    return False


def _message_delta(state: State, fields: Fields, _chunk: object) -> bool:
    state.counts |= anthropic.counted(part(fields, "usage"))
    stop = texts(get(part(fields, "delta"), "stop_reason"))
    hint = None if state.reading else "anthropic"
    state.says(Reading(None, None, *anthropic.tokens(state.counts), finish_reasons=stop, provider_hint=hint))
    return False


def _cohere(state: State, fields: Fields, _chunk: object) -> bool:
    delta = part(fields, "delta")
    tokens = other.cohere_tokens(part(delta, "usage"))
    reasons = texts(get(delta, "finish_reason"))
    state.says(Reading("cohere", None, *tokens, response_id=name(fields, "id"), finish_reasons=reasons))
    return False


def _whole(state: State, fields: Fields, _chunk: object) -> bool:
    """An event that holds the whole response: the last of Cohere's first version, and of pydantic-ai."""
    for key in ("response", "result"):
        state.says(recognised(get(fields, key)))
    return False


def _langchain(state: State, fields: Fields, chunk: object) -> bool:
    state.reading = added(state.reading, shaped(fields, chunk))
    return other.langchain_output(fields)


_CHUNKS: Final[tuple[tuple[str, Take], ...]] = (
    ("choices", _choices),
    ("type", _event),
    ("candidates", _candidates),
    ("usage_metadata", _candidates),
    ("usageMetadata", _candidates),
    ("done", _line),
    ("data", _envelope),
    ("contentBlockDelta", _block),
    ("contentBlockStart", _block),
    ("contentBlockStop", _block),
    ("messageStart", _block),
    ("messageStop", _block),
    ("metadata", _metadata),
    ("event_type", _event),
    ("event_kind", _event),
)
"""A name that a chunk holds, and who takes it."""

_EVENTS: Final[dict[str, Take]] = {
    "AIMessageChunk": _langchain,
    "ai": _langchain,
    "agent_run_result": _whole,
    "message-end": _cohere,
    "message-start": _cohere,
    "message_delta": _message_delta,
    "message_start": _message,
    "message_stop": _message,
    "stream-end": _whole,
}

_SILENT: Final = frozenset(
    {
        "content_block_start",
        "content_block_stop",
        "content-end",
        "content-start",
        "ping",
        "stream-start",
        "tool-call-end",
        "tool-call-start",
    }
)
"""Types of events that hold no output."""
