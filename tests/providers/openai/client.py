"""OpenAI's own client, for OpenAI and for servers that speak its protocol."""

from __future__ import annotations

import openai

PROVIDERS = ("openai", "compatible")
ERROR = openai.APIError
_MESSAGES = [{"role": "user", "content": "Hello!"}]


def client(url):
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


def async_client(url):
    return openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)


ENDPOINTS = {
    "chat": lambda made, **how: made.chat.completions.create(model="gpt-4o", messages=_MESSAGES, **how),
    "responses": lambda made, **how: made.responses.create(model="gpt-4o", input="Hello!", **how),
    "completion": lambda made, **how: made.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hello", **how),
    "embedding": lambda made: made.embeddings.create(
        model="text-embedding-3-small", input="Hello", encoding_format="float"
    ),
}


def as_dict(response):
    return response.model_dump()
