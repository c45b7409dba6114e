"""Cohere's own client: the second version of its API, and the first for what is still asked that way."""

from __future__ import annotations

import cohere
from cohere.core import ApiError

PROVIDERS = ("cohere",)
ERROR = ApiError
_MODEL = "command-r-08-2024"
_MESSAGES = [{"role": "user", "content": "Hello!"}]


class _Both:
    """One client for each version of the API."""

    def __init__(self, url, one, two):
        self.one = one(api_key="none", base_url=url)
        self.two = two(api_key="none", base_url=url)

    def __enter__(self):
        self.one.__enter__()
        self.two.__enter__()
        return self

    def __exit__(self, *error):
        self.one.__exit__(*error)
        self.two.__exit__(*error)

    async def __aenter__(self):
        await self.one.__aenter__()
        await self.two.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.one.__aexit__(*error)
        await self.two.__aexit__(*error)


def client(url):
    return _Both(url, cohere.Client, cohere.ClientV2)


def async_client(url):
    return _Both(url, cohere.AsyncClient, cohere.AsyncClientV2)


def _chat(made, *, stream=False):
    return (made.two.chat_stream if stream else made.two.chat)(model=_MODEL, messages=_MESSAGES)


def _embed(made):
    return made.two.embed(model="embed-v4.0", input_type="classification", embedding_types=["float"], texts=["hello"])


ENDPOINTS = {
    "chat": _chat,
    "chat_v1": lambda made: made.one.chat(model=_MODEL, message="Where was The Weeknd born?"),
    "embedding": _embed,
}


def as_dict(response):
    return response.model_dump()
