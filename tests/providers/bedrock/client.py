"""Amazon's own client, whose parser makes dicts of the answers. It has no asynchronous half."""

from __future__ import annotations

import json
from contextlib import closing

import boto3
from botocore.config import Config
from botocore.exceptions import EventStreamError

PROVIDERS = ("bedrock",)
STREAM = "application/vnd.amazon.eventstream"
ERROR = EventStreamError
_MODEL = "anthropic.claude-3-5-sonnet-20241022-v2:0"
_MESSAGES = [{"role": "user", "content": [{"text": "Hello!"}]}]
async_client = None


def client(url):
    made = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return closing(made)


def _converse(made, *, stream=False):
    return (made.converse_stream if stream else made.converse)(modelId=_MODEL, messages=_MESSAGES)


def _invoke(made):
    with made.invoke_model(modelId=_MODEL, body=b"{}")["body"] as body:
        return json.load(body)


ENDPOINTS = {"converse": _converse, "invoke": _invoke}


def stream_of(response):
    return response["stream"]


def as_dict(response):
    return response
