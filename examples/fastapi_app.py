"""
A FastAPI application: each request is a workflow, a streamed answer included, and belongs to the trace of its caller.

``python examples/fastapi_app.py`` asks it twice within this process; ``uvicorn --app-dir examples fastapi_app:app``
serves it. Both need ``pip install fastapi httpx uvicorn``. Then type ``tta-observe report``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tta_observe import Price, configure, record_llm_usage, traced_primitive, workflow
from tta_observe.web import TTAMiddleware, httpx_hooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

app = FastAPI()
app.add_middleware(TTAMiddleware)
configure(service_name="answers", prices={"small": Price(input=0.15, output=0.60)})


@traced_primitive(type="retriever", action="search")
async def find_sources(question: str) -> list[str]:
    """Stand in for a search."""
    await asyncio.sleep(0.01)
    return [f"notes on {word}" for word in question.split()]


@traced_primitive(type="llm", action="stream")
async def generate(question: str, sources: list[str]) -> AsyncIterator[str]:
    """Stand in for a model that speaks word by word."""
    for word in f"{question}? See {', '.join(sources)}.".split():
        await asyncio.sleep(0.005)
        yield f"{word} "
    record_llm_usage(provider="example", model="small", prompt_tokens=len(question), completion_tokens=2 * len(sources))


@workflow("stream-answer")
async def answer(question: str) -> AsyncIterator[str]:
    """Search, then pass on what the model says: the workflow lasts as long as somebody reads."""
    async for word in generate(question, await find_sources(question)):
        yield word


@app.get("/sources")
@workflow("list-sources")
async def sources(question: str) -> list[str]:
    """Answer at once; FastAPI reads the parameters of the decorated function as if it were bare."""
    return await find_sources(question)


@app.get("/answer")
async def stream(question: str) -> StreamingResponse:
    """Answer word by word."""
    return StreamingResponse(answer(question), media_type="text/plain")


async def main() -> None:
    """Be a client of this very application, with a trace that the hooks hand on."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app", event_hooks=httpx_hooks()) as client:
        for path in ("/sources", "/answer"):
            with workflow("ask"):
                print((await client.get(path, params={"question": "what is a span"})).text)


if __name__ == "__main__":
    asyncio.run(main())
