"""
What a response of an LLM client says of its own call: recognised by its shape, no client is imported.

Nor is any code of a response's class run: what it holds is looked at, its attributes are not asked for.
"""

from __future__ import annotations

from tta_observe._responses.reading import Reading
from tta_observe._responses.shapes import recognised
from tta_observe._responses.stream import StreamReader

__all__ = ["Reading", "StreamReader", "read"]


def read(response: object, /) -> Reading | None:
    """
    What a response, or the final chunk of a stream, says of its call.

    None when it has no shape of an LLM's response that is known here.
    """
    found = recognised(response)
    return _last_event(response) if found is None else found


def _last_event(chunk: object) -> Reading | None:
    stream = StreamReader()
    stream.feed(chunk)
    found = stream.reading()
    counted = found is not None and (found.prompt_tokens is not None or found.completion_tokens is not None)
    return found if counted else None
