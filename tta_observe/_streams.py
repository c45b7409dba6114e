"""Streams that an LLM call returns: the call ends when its stream does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tta_observe._generators import Opened


def follow(_opened: Opened, _result: object) -> Any:
    """What stands for the stream *result*, and closes *opened* when it ends; None when it is no stream."""
    return None
