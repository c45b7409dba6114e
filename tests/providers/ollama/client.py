"""Ollama's own client."""

from __future__ import annotations

import ollama

PROVIDERS = ("ollama",)
STREAM = "application/x-ndjson"
ERROR = ollama.ResponseError
_MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


def client(url):
    return ollama.Client(host=url)


def async_client(url):
    return ollama.AsyncClient(host=url)


ENDPOINTS = {
    "chat": lambda made, **how: made.chat(model="llama3.2", messages=_MESSAGES, **how),
    "generate": lambda made, **how: made.generate(model="llama3.2", prompt="Why is the sky blue?", **how),
    "embedding": lambda made: made.embed(model="all-minilm", input="Why is the sky blue?"),
}


def as_dict(response):
    return response.model_dump()
