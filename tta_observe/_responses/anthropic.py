"""
Anthropic's messages and the events of their streams.

``input_tokens`` leave out what was read from and written to the cache: "Total input tokens in a request is the
summation of input_tokens, cache_creation_input_tokens, and cache_read_input_tokens", says the API reference.
"""

from __future__ import annotations

from typing import Final

from tta_observe._responses.fields import Fields, count, get, name, part, parts, texts
from tta_observe._responses.reading import Reading, Tokens, normal, plus

_PARTS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def read_message(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """A message with its usage."""
    return said(fields, counted(usage)) if name(fields, "type") == "message" else None


def said(message: Fields, counts: dict[str, int]) -> Reading:
    """What *message* says, with the *counts* of it or of the events after it."""
    model = name(message, "model")
    # Others answer in this shape, too: it is Anthropic's when the model is.
    known = model is not None and "claude" in model
    return Reading(
        "anthropic" if known else None,
        model,
        *tokens(counts),
        response_id=name(message, "id"),
        finish_reasons=texts(get(message, "stop_reason")),
        provider_hint=None if known else "anthropic",
    )


def counted(usage: Fields) -> dict[str, int]:
    """The counts of *usage* by their own names; those of a later event replace those of an earlier one."""
    # What summing up a long context takes on the server stands among the iterations, and not in the fields at the top.
    compactions = [each for each in parts(usage, "iterations") if name(each, "type") == "compaction"]
    found = {}
    for key in _PARTS:
        if (number := count(get(usage, key))) is not None:
            found[key] = number + sum(count(get(each, key)) or 0 for each in compactions)
    thinking = count(get(part(usage, "output_tokens_details"), "thinking_tokens"))
    return found if thinking is None else found | {"thinking_tokens": thinking}


def tokens(counts: dict[str, int]) -> Tokens:
    """The normal form of *counts*."""
    fresh, cached, written, completion = map(counts.get, _PARTS)
    return normal(plus(fresh, cached, written), completion, cached, written, counts.get("thinking_tokens"))
