"""
What a response of an LLM client says of its own call: recognised by its shape, no client is imported.

Nor is any code of a response's class run: what it holds is looked at, its attributes are not asked for.
"""

from __future__ import annotations

from typing import Final

from tta_observe._responses.events import State, take
from tta_observe._responses.fields import Fields, fields_of, has
from tta_observe._responses.reading import Reading
from tta_observe._responses.shapes import shaped
from tta_observe._responses.stream import StreamReader

__all__ = ["Reading", "StreamReader", "read"]

_WRAPPED: Final = ("type", "metadata", "data", "event_type", "event_kind")
"""What an event holds when the usage stands deeper in it."""


def read(response: object, /) -> Reading | None:
    """
    What a response, or the final chunk of a stream, says of its call.

    None when it has no shape of an LLM's response that is known here.
    """
    fields = fields_of(response)
    if fields is None:
        return None
    found = shaped(fields, response)
    return _event(fields, response) if found is None else found


def _event(fields: Fields, response: object) -> Reading | None:
    """What the last event of a stream says by itself."""
    alone = State()
    for key in _WRAPPED:
        if has(fields, key):
            take(alone, fields, response)
            break
    return alone.reading if alone.reading is not None and alone.reading.counted else None
