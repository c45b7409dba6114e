"""Mistral's own client. Its asynchronous methods are beside the others, under names of their own."""

from __future__ import annotations

from mistralai.client import Mistral
from mistralai.client.errors import SDKError

PROVIDERS = ("mistral",)
ERROR = SDKError
_MESSAGES = [{"role": "user", "content": "Which cheese is best?"}]


def client(url):
    return Mistral(api_key="none", server_url=url)


class _Asynchronous:
    """The same calls by the same names, as coroutines."""

    def __init__(self, url):
        self.made = client(url)

    async def __aenter__(self):
        await self.made.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.made.__aexit__(*error)

    def chat(self, *, stream, **asked):
        return (self.made.chat.stream_async if stream else self.made.chat.complete_async)(**asked)

    def embed(self, **asked):
        return self.made.embeddings.create_async(**asked)


async_client = _Asynchronous


def _chat(made, *, stream=False):
    asked = {"model": "mistral-small-latest", "messages": _MESSAGES}
    if isinstance(made, _Asynchronous):
        return made.chat(stream=stream, **asked)
    return (made.chat.stream if stream else made.chat.complete)(**asked)


def _embed(made):
    asked = {"model": "mistral-embed", "inputs": ["Hello"]}
    return made.embed(**asked) if isinstance(made, _Asynchronous) else made.embeddings.create(**asked)


ENDPOINTS = {"chat": _chat, "embedding": _embed}


def as_dict(response):
    return response.model_dump()
