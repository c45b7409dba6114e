"""Google's own client for the Gemini API. Its asynchronous half is an attribute of the same object."""

from __future__ import annotations

from contextlib import asynccontextmanager

from google import genai

PROVIDERS = ("google",)
ERROR = genai.errors.APIError


def client(url):
    return genai.Client(api_key="none", http_options={"base_url": url})


@asynccontextmanager
async def async_client(url):
    with client(url) as made:
        yield made.aio
        await made.aio.aclose()


def _generate(made, *, stream=False):
    method = made.models.generate_content_stream if stream else made.models.generate_content
    return method(model="gemini-2.5-pro", contents="Hello!")


ENDPOINTS = {
    "generate": _generate,
    "embedding": lambda made: made.models.embed_content(model="gemini-embedding-001", contents="Hello!"),
}


def as_dict(response):
    return response.model_dump()
