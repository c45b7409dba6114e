"""Groq's own client."""

from __future__ import annotations

import groq

PROVIDERS = ("groq",)
ERROR = groq.APIError
_ASKED = {"model": "llama-3.3-70b-versatile", "messages": [{"role": "user", "content": "Hello!"}]}


def client(url):
    return groq.Groq(base_url=url, api_key="none", max_retries=0)


def async_client(url):
    return groq.AsyncGroq(base_url=url, api_key="none", max_retries=0)


ENDPOINTS = {"chat": lambda made, **how: made.chat.completions.create(**_ASKED, **how)}


def as_dict(response):
    return response.model_dump()
