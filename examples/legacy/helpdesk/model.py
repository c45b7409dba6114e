"""Stands in for a language model, with answers of the shape that OpenAI's have."""

from __future__ import annotations

import asyncio
from typing import Any


async def complete(question: str, context: list[str]) -> dict[str, Any]:
    """Answer *question* from *context*."""
    await asyncio.sleep(0.02)
    text = " ".join(context) if context else "Damned if I know."
    tokens = {"prompt_tokens": len(question.split()) + len(context), "completion_tokens": len(text.split())}
    return {
        "object": "chat.completion",
        "model": "desk-small",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {**tokens, "total_tokens": sum(tokens.values())},
    }
