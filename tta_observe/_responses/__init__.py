"""What a response of an LLM client says of its own call: recognised by its shape, no client is imported."""

from __future__ import annotations

from tta_observe._responses.reading import Reading
from tta_observe._responses.stream import StreamReader

__all__ = ["Reading", "StreamReader", "read"]


def read(_response: object, /) -> Reading | None:
    """What a response says of its call; None when it is no response of an LLM that is known here."""
    return None
