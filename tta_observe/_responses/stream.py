"""The usage of a streamed response, from chunks that are not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tta_observe._responses.events import State, take
from tta_observe._responses.fields import fields_of, filled
from tta_observe._scalars import is_a

if TYPE_CHECKING:
    from tta_observe._responses.reading import Reading


class StreamReader:
    """Reads the chunks of one stream as they pass; its state does not grow with their number."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = State()

    def feed(self, chunk: object, /) -> bool:
        """Take in one chunk; True when it holds output: text, reasoning, a call of a tool."""
        fields = fields_of(chunk)
        if fields is not None:
            return take(self._state, fields, chunk)
        return filled(chunk) if is_a(chunk, (str, bytes)) else chunk is not None

    def reading(self) -> Reading | None:
        """What the chunks said so far; None when none of them was of an LLM that is known here."""
        return self._state.reading
