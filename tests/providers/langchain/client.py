"""LangChain's chat model for OpenAI: messages and their chunks, whose usage is in LangChain's own form."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager

import openai
from langchain_openai import ChatOpenAI

PROVIDERS = ("openai",)
ERROR = openai.APIError
NUMBERS_ONLY = True


def _model(url, **transport):
    return ChatOpenAI(base_url=url, api_key="none", model="gpt-4o", max_retries=0, stream_usage=True, **transport)


@contextmanager
def client(url):
    with openai.DefaultHttpxClient() as transport:
        made = _model(url, http_client=transport)
        yield made.invoke, made.stream


@asynccontextmanager
async def async_client(url):
    async with openai.DefaultAsyncHttpxClient() as transport:
        made = _model(url, http_async_client=transport)
        yield made.ainvoke, made.astream


def _chat(made, *, stream=False):
    invoke, streamed = made
    return (streamed if stream else invoke)("Hello!")


ENDPOINTS = {"chat": _chat}


def as_dict(response):
    return response.model_dump()
