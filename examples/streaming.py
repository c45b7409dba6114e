"""
A streamed answer: when its first token came, what it cost, and what becomes of a reader who leaves early.

Run ``python examples/streaming.py``, then type ``tta-observe report``. Nothing has to be called for any of it: a
primitive of type ``llm`` that yields the chunks of a provider is measured from its first to its last.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from tta_observe import Price, configure, semconv, traced_primitive, workflow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ANSWER = "A span is one timed operation and what hangs on it."


@traced_primitive(type="llm", action="stream")
async def answer(question: str, *, model: str) -> AsyncGenerator[dict[str, Any], None]:
    """Stand in for a provider's stream, whose last chunk says how many tokens it was."""
    await asyncio.sleep(0.05)  # a model thinks before it speaks
    for word in ANSWER.split():
        await asyncio.sleep(0.01)
        yield chunk(model, f"{word} ")
    yield chunk(model, "", usage={"prompt_tokens": len(question), "completion_tokens": 12})


def chunk(model: str, text: str, **more: Any) -> dict[str, Any]:
    """One event of the stream, as OpenAI's API and its many imitators send it."""
    choice = {"index": 0, "delta": {"content": text}}
    return {"object": "chat.completion.chunk", "model": model, "choices": [choice], **more}


@workflow("chat")
async def read(question: str, *, at_most: int | None = None) -> None:
    """Print the answer as it comes; stop after *at_most* chunks."""
    taken = 0
    async with aclosing(answer(question, model="small")) as chunks:  # leaving early closes the stream here and now
        async for one in chunks:
            print(one["choices"][0]["delta"]["content"], end="", flush=True)
            taken += 1
            if taken == at_most:
                break
    print()


class Show(SpanProcessor):
    """Says what is known of each stream when it ends: spans are OpenTelemetry's own, and your processors get them."""

    def on_end(self, span: ReadableSpan) -> None:
        """Print one line for a stream, none for anything else."""
        known: Any = span.attributes or {}
        if known.get(semconv.LLM_STREAMING):
            cost = known.get(semconv.LLM_COST_USD)
            print(f"\n  first token after {known[semconv.LLM_TIME_TO_FIRST_TOKEN_MS]:.0f} ms", end=", ")
            print("closed early" if known.get(semconv.EXECUTION_CLOSED_EARLY) else "read to its end", end=", ")
            print("cost unknown, as no usage came" if cost is None else f"${cost:.6f}")


async def main() -> None:
    """Ask twice; the second reader has heard enough after four words."""
    telemetry = configure(service_name="streaming", prices={"small": Price(input=0.15, output=0.60)})
    if telemetry.tracer_provider is not None:  # None where telemetry is switched off
        telemetry.tracer_provider.add_span_processor(Show())
    await read("what is a span")
    await read("what is a span", at_most=4)


if __name__ == "__main__":
    asyncio.run(main())
