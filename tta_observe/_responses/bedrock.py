"""
Bedrock's answers as boto3 gives them: converse, its stream, and bodies of ``invoke_model`` that carry numbers.

``inputTokens`` leave out what was read from and written to the cache. None of them names its model.
"""

from __future__ import annotations

from typing import Final

from tta_observe._responses.fields import Fields, first_count, get, name, part, parts, texts
from tta_observe._responses.reading import UNKNOWN, Reading, Tokens, normal, plus
from tta_observe._scalars import is_a

PROVIDER: Final = "aws.bedrock"

_INVOKED: Final = "x-amzn-bedrock-{}-token-count"


def read_converse(fields: Fields, usage: Fields, _response: object) -> Reading | None:
    """An answer of converse, or a body in its shape, such as Nova's."""
    tokens = converse_tokens(usage)
    if tokens == UNKNOWN:
        return None
    request = name(part(fields, "ResponseMetadata"), "RequestId")
    reasons = texts(get(fields, "stopReason"))
    return Reading(PROVIDER, None, *tokens, response_id=request, finish_reasons=reasons)


def converse_tokens(usage: Fields) -> Tokens:
    """Numbers of the *usage* of converse."""
    cached = first_count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = first_count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    fresh = first_count(usage, "inputTokens")
    return normal(plus(fresh, cached, written), first_count(usage, "outputTokens"), cached, written, None)


def read_titan(fields: Fields, _response: object) -> Reading | None:
    """The body of a Titan model: text or an embedding."""
    results = parts(fields, "results")
    completion = plus(*(first_count(each, "tokenCount") for each in results))
    tokens = normal(first_count(fields, "inputTextTokenCount"), completion, None, None, None)
    if tokens.prompt is None or not (results or is_a(get(fields, "embedding"), list)):
        return None
    return Reading(PROVIDER, None, *tokens, finish_reasons=texts(*(get(each, "completionReason") for each in results)))


def read_llama(fields: Fields, _response: object) -> Reading | None:
    """The body of a Llama model."""
    prompt = first_count(fields, "prompt_token_count")
    if prompt is None or not is_a(get(fields, "generation"), str):
        return None
    tokens = normal(prompt, first_count(fields, "generation_token_count"), None, None, None)
    return Reading(PROVIDER, None, *tokens, finish_reasons=texts(get(fields, "stop_reason")))


def read_invoked(fields: Fields, _response: object) -> Reading | None:
    """
    An answer of ``invoke_model`` whose body nobody has read yet: its headers count the tokens.

    They are strings.
    """
    metadata = part(fields, "ResponseMetadata")
    headers = part(metadata, "HTTPHeaders")
    fresh, completion, cached, written = (
        _header(headers, _INVOKED.format(kind)) for kind in ("input", "output", "cache-read-input", "cache-write-input")
    )
    tokens = normal(plus(fresh, cached, written), completion, cached, written, None)
    return None if tokens == UNKNOWN else Reading(PROVIDER, None, *tokens, response_id=name(metadata, "RequestId"))


def _header(headers: Fields, key: str) -> int | None:
    value = name(headers, key)
    return int(value) if value is not None and value.isdecimal() and len(value) <= 12 else None  # noqa: PLR2004 - fewer digits than MOST_TOKENS has
