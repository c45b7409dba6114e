"""
Our attributes in the words of OpenTelemetry's ``gen_ai`` conventions, as other backends read them. Pure.

Every function takes what a span carries of ours and returns what to set beside it. What must be known when the span
starts, because samplers ask for it: operation, provider, model. Names are those of version 1.41, which is what backends
read today; ``tests/interop`` holds the rules of four of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tta_observe import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tta_observe._values import AttributeValue

Attributes = dict[str, "AttributeValue"]

_OPERATIONS: Final = {
    "llm": "chat",
    "embedding": "embeddings",
    "tool": "execute_tool",
    "agent": "invoke_agent",
    semconv.WORKFLOW_TYPE: "invoke_workflow",
}
"""``primitive.type`` to ``gen_ai.operation.name``; all else has none."""

_NAMES: Final = {
    "tool": semconv.GEN_AI_TOOL_NAME,
    "agent": semconv.GEN_AI_AGENT_NAME,
    semconv.WORKFLOW_TYPE: semconv.GEN_AI_WORKFLOW_NAME,
}

_PROVIDERS: Final = {
    "anthropic": "",
    "aws.bedrock": "amazon_bedrock aws bedrock bedrock_converse",
    "azure.ai.inference": "azure_ai",
    "azure.ai.openai": "azure azure_openai",
    "cohere": "",
    "deepseek": "",
    "gcp.gemini": "gemini google google_genai google_gla",
    "gcp.vertex_ai": "google_vertex google_vertexai vertex vertex_ai vertexai",
    "groq": "",
    "ibm.watsonx.ai": "ibm watsonx",
    "mistral_ai": "mistral mistralai",
    "openai": "",
    "perplexity": "",
    "x_ai": "grok xai",
}
"""Values of ``gen_ai.provider.name``, and what programs and clients call them."""


def _plain(provider: str) -> str:
    return provider.lower().translate(_SIGNS)


_SIGNS: Final = str.maketrans("-. ", "___")
_KNOWN: Final = {_plain(word): name for name, words in _PROVIDERS.items() for word in (name, *words.split())}

_OF_REQUEST: Final = {
    semconv.LLM_MODEL_NAME: semconv.GEN_AI_REQUEST_MODEL,
    semconv.LLM_TEMPERATURE: semconv.GEN_AI_REQUEST_TEMPERATURE,
    semconv.LLM_MAX_TOKENS: semconv.GEN_AI_REQUEST_MAX_TOKENS,
    semconv.LLM_STREAMING: semconv.GEN_AI_REQUEST_STREAM,
}

_OF_USAGE: Final = {
    semconv.LLM_PROMPT_TOKENS: (semconv.GEN_AI_USAGE_INPUT_TOKENS,),
    semconv.LLM_COMPLETION_TOKENS: (semconv.GEN_AI_USAGE_OUTPUT_TOKENS,),
    semconv.LLM_TOTAL_TOKENS: (semconv.GEN_AI_USAGE_TOTAL_TOKENS,),
    semconv.LLM_CACHED_TOKENS: (semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,),
    semconv.LLM_CACHE_WRITE_TOKENS: (semconv.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,),
    semconv.LLM_REASONING_TOKENS: (semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,),
    semconv.LLM_COST_USD: (semconv.GEN_AI_USAGE_COST, semconv.OPERATION_COST),
    semconv.LLM_MODEL_NAME: (semconv.GEN_AI_RESPONSE_MODEL,),
}


def site_attributes(type_: str, name: str) -> Attributes:
    """What is constant about a primitive or workflow of *type_* called *name*; empty for most types."""
    operation = _OPERATIONS.get(type_)
    if operation is None:
        return {}
    named = _NAMES.get(type_)
    return {semconv.GEN_AI_OPERATION_NAME: operation, **({named: name} if named is not None else {})}


def context_attributes(found: Mapping[str, AttributeValue]) -> Attributes:
    """
    Who a span of an LLM, a tool, an agent or a workflow works for, from its own attributes *found*.

    To be set when it starts, for types that have :func:`site_attributes`.
    """
    renamed = ((semconv.SESSION_ID, semconv.GEN_AI_CONVERSATION_ID), (semconv.AGENT_ID, semconv.GEN_AI_AGENT_ID))
    own = {theirs: found[ours] for ours, theirs in renamed if ours in found}
    if semconv.AGENT_TYPE in found:
        own[semconv.GEN_AI_AGENT_NAME] = found[semconv.AGENT_TYPE]
    return own


def request_attributes(found: Mapping[str, AttributeValue]) -> Attributes:
    """What an LLM span asks for, from its ``llm.*`` attributes *found* when it starts, or as soon as they are known."""
    own = {theirs: found[ours] for ours, theirs in _OF_REQUEST.items() if ours in found}
    return {**own, **_provider(found)}


def usage_attributes(found: Mapping[str, AttributeValue]) -> Attributes:
    """
    What an LLM span used, from its ``llm.*`` attributes *found*: the sums, where several usages were recorded.

    Says nothing of the request: a model that was asked for and not the one that answered stays as it was set.
    """
    own = {theirs: found[ours] for ours, names in _OF_USAGE.items() if ours in found for theirs in names}
    return {**own, **_provider(found)}


def elsewhere() -> Attributes:
    """
    What an LLM span says whose usage stands on a span underneath it, ours or another instrumentation's.

    To be set when it ends, in place of :func:`usage_attributes`: a backend that sums spans up must not bill both. The
    zeros are told because Langfuse counts the tokens of captured content by itself, and prices them, wherever there is
    a model's name and no usage.
    """
    return {
        semconv.OPENINFERENCE_SPAN_KIND: "CHAIN",
        semconv.GEN_AI_USAGE_INPUT_TOKENS: 0,
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: 0,
    }


def response_attributes(response_id: str | None, finish_reasons: Sequence[str]) -> Attributes:
    """What a response says of itself beside its usage."""
    own: Attributes = {}
    if response_id:
        own[semconv.GEN_AI_RESPONSE_ID] = response_id
    if finish_reasons:
        own[semconv.GEN_AI_RESPONSE_FINISH_REASONS] = tuple(finish_reasons)
    return own


def stream_attributes(started_ns: int, first_output_ns: int | None) -> Attributes:
    """What a stream adds: its call began at *started_ns*, its first output came at *first_output_ns*, wall clock."""
    own: Attributes = {semconv.GEN_AI_REQUEST_STREAM: True}
    if first_output_ns is not None:
        own[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = max(0, first_output_ns - started_ns) / 1e9
        first = datetime.fromtimestamp(first_output_ns / 1e9, UTC)
        own[semconv.LANGFUSE_COMPLETION_START_TIME] = first.isoformat(timespec="milliseconds")
    return own


def provider_name(provider: str) -> str:
    """*provider* as ``gen_ai.provider.name``, however it is spelled; unknown ones as given."""
    return _KNOWN.get(_plain(provider), provider)


def _provider(found: Mapping[str, AttributeValue]) -> Attributes:
    if semconv.LLM_PROVIDER not in found:
        return {}
    name = provider_name(str(found[semconv.LLM_PROVIDER]))
    return {semconv.GEN_AI_PROVIDER_NAME: name, semconv.GEN_AI_SYSTEM: name}
