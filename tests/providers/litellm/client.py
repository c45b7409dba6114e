"""LiteLLM, which turns every provider's answers into OpenAI's form: numbers stay, names and identifiers are its own."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, nullcontext

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # importing it would ask the network for prices

import litellm

litellm.telemetry = False

PROVIDERS = ("openai", "anthropic")
ERROR = Exception  # it wraps what the provider's client raises, differently in each release
NUMBERS_ONLY = True
MODELS = ("gpt-4o", "claude-sonnet-4-20250514")  # its chunks name the model that was asked for
OTHERWISE = {
    "openai/chat_stream_without_usage": "it counts the words itself where the provider says nothing",
    "anthropic/stream_error": "it drops the input's numbers of a stream that breaks",
}
"""Documents that it passes on with other numbers than the provider's."""
_MESSAGES = [{"role": "user", "content": "Hello!"}]


class _Asked:
    """Where the server is, and whether a coroutine is wanted."""

    def __init__(self, url, completion, embedding):
        self.url = url
        self.completion = completion
        self.embedding = embedding


def client(url):
    return nullcontext(_Asked(url, litellm.completion, litellm.embedding))


@asynccontextmanager
async def async_client(url):
    yield _Asked(url, litellm.acompletion, litellm.aembedding)
    await litellm.close_litellm_async_clients()


def _asking(model, path=""):
    def complete(made, *, stream=False):
        how = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        asked = {
            "model": model,
            "messages": _MESSAGES,
            "api_base": made.url + path,
            "api_key": "none",
            "max_retries": 0,
        }
        return made.completion(**asked, **how)

    return complete


def _embed(made):
    return made.embedding(model="openai/text-embedding-3-small", input=["Hello"], api_base=made.url, api_key="none")


ENDPOINTS = {
    "chat": _asking("openai/gpt-4o"),
    "messages": _asking("anthropic/claude-sonnet-4-20250514"),
    "embedding": _embed,
}


def as_dict(response):
    return response.model_dump()
