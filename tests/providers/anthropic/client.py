"""Anthropic's own client."""

from __future__ import annotations

import anthropic

PROVIDERS = ("anthropic",)
ERROR = anthropic.APIError
_ASKED = {"model": "a-claude", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello!"}]}


def client(url):
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)


def async_client(url):
    return anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0)


ENDPOINTS = {"messages": lambda made, **how: made.messages.create(**_ASKED, **how)}


def as_dict(response):
    return response.model_dump()
