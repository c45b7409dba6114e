"""How a client is asked: plainly or from a coroutine, bare or inside a primitive, for an answer or for a stream."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

CALL = {"model": "model-of-the-call", "temperature": 0.25, "max_tokens": 64}
"""Keyword arguments of the function around the client: what is recorded when the response does not say it."""


def called(document):
    """:data:`CALL`, and who serves it where only the program can know."""
    return CALL if document.server is None else {**CALL, "provider": document.server}


@dataclass(frozen=True)
class Exchange:
    """What the client returned: a whole *answer*, or a stream, the *chunks* taken from it and how it failed."""

    answer: Any
    chunks: tuple[Any, ...]
    error: BaseException | None


def exchange(adapter, server, way, document, decorate=None, *, limit=None):
    """
    Ask for *document* in a function that *decorate* is put on.

    A stream is left after *limit* chunks: closed, and not kept.
    """
    server.document = document
    decorate = decorate or (lambda function: function)
    if way == "async":
        return asyncio.run(_in_a_loop(adapter, server.url, document, decorate, limit))
    return _plainly(adapter, server.url, document, decorate, limit)


def _plainly(adapter, url, document, decorate, limit):
    @decorate
    def ask(made, *, model, temperature, max_tokens, provider=None):
        return _asked(adapter, made, document)

    taken, error = [], None
    with adapter.client(url) as made:
        answer = ask(made, **called(document))
        if document.streamed:
            stream = _stream(adapter, answer)
            try:
                for chunk in stream:
                    taken.append(chunk)
                    if len(taken) == limit:
                        _close(stream)
                        answer = stream = None
                        break
            except adapter.ERROR as raised:
                error = raised
    return Exchange(answer, tuple(taken), error)


async def _in_a_loop(adapter, url, document, decorate, limit):
    @decorate
    async def ask(made, *, model, temperature, max_tokens, provider=None):
        found = _asked(adapter, made, document)
        return await found if inspect.isawaitable(found) else found

    taken, error = [], None
    async with adapter.async_client(url) as made:
        answer = await ask(made, **called(document))
        if document.streamed:
            stream = _stream(adapter, answer)
            try:
                async for chunk in stream:
                    taken.append(chunk)
                    if len(taken) == limit:
                        await _aclose(stream)
                        answer = stream = None
                        break
            except adapter.ERROR as raised:
                error = raised
    return Exchange(answer, tuple(taken), error)


def _asked(adapter, made, document):
    how = {"stream": True} if document.streamed else {}
    return adapter.ENDPOINTS[document.endpoint](made, **how)


def _stream(adapter, answer):
    return adapter.stream_of(answer) if hasattr(adapter, "stream_of") else answer


def _close(stream):
    """As programs leave a stream; LiteLLM's can only be dropped."""
    if hasattr(stream, "close"):
        stream.close()
    elif hasattr(stream.__class__, "__exit__"):
        stream.__exit__(None, None, None)


async def _aclose(stream):
    if hasattr(stream, "aclose"):
        await stream.aclose()
    elif hasattr(stream, "close"):
        await stream.close()
    else:
        await stream.__aexit__(None, None, None)
