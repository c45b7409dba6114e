"""The usage of a streamed response, from chunks that are not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tta_observe._responses.reading import Reading


class StreamReader:
    """Reads the chunks of one stream as they pass; its state does not grow with their number."""

    __slots__ = ()

    def feed(self, _chunk: object, /) -> bool:
        """Take in one chunk; True when it holds output: text, reasoning, a call of a tool."""
        return True

    def reading(self) -> Reading | None:
        """What the chunks said so far; None when none of them was of an LLM that is known here."""
        return None
