"""What an answer has to be like before a customer sees it."""

from __future__ import annotations

import asyncio

LONGEST = 200


class RefusedError(Exception):
    """The answer must not be sent."""


async def check_length(text: str) -> None:
    """Refuse what nobody would read."""
    await asyncio.sleep(0)
    if len(text) > LONGEST:
        raise RefusedError(f"{len(text)} characters")


async def check_politeness(text: str) -> None:
    """Refuse what nobody should read."""
    await asyncio.sleep(0)
    if "damned" in text.lower():
        raise RefusedError("impolite")
