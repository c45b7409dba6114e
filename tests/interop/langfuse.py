"""
What Langfuse makes of a span.

Read in langfuse/langfuse: ``packages/shared/src/server/otel/ObservationTypeMapper.ts`` at 98bf336c,
``packages/shared/src/server/otel/OtelIngestionProcessor.ts`` with its cache and usage tests at 769752ae,
``worker/src/services/IngestionService/index.ts`` at 287310b6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interop.seen import Seen, first

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_OPENINFERENCE = {"LLM": "GENERATION"}
"""All other kinds keep their names."""

BY_OPERATION = {
    "chat": "GENERATION",
    "text_completion": "GENERATION",
    "generate_content": "GENERATION",
    "embeddings": "EMBEDDING",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
    "execute_tool": "TOOL",
}

MODELS = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
)

USAGE = {
    "input": ("prompt_tokens", "input_tokens", "prompt"),
    "output": ("completion_tokens", "output_tokens", "completion"),
    "total": ("total_tokens", "total"),
    "input_cached_tokens": ("cache_read.input_tokens", "cache_read_input_tokens", "prompt_details.cache_read"),
    "input_cache_creation": ("cache_creation.input_tokens", "cache_write.input_tokens", "prompt_details.cache_write"),
    "output_reasoning_tokens": ("reasoning.output_tokens", "reasoning_tokens", "completion_details.reasoning"),
}
"""Its own keys, and by which it finds them below ``gen_ai.usage.`` or ``llm.token_count.``."""

CONTENT = ("input.value", "output.value", "gen_ai.input.messages", "gen_ai.output.messages")


def read(attributes: Mapping[str, Any], *, failed: bool = False) -> Seen:
    model = first(attributes, *MODELS)
    tokens = _tokens(attributes)
    cost = first(attributes, "gen_ai.usage.cost", "llm.cost.total")
    # Whatever kind a span is: with a model's name and no usage, its content is counted by a tokenizer, and priced.
    counts_content = not tokens and not failed and first(attributes, *CONTENT) is not None
    priced = model is not None and cost is None and (any(tokens.values()) or counts_content)
    session = first(attributes, "langfuse.session.id", "session.id", "gen_ai.conversation.id")
    return Seen(_kind(attributes), model, tokens, cost, session, prices_itself=priced)


def completion_started(attributes: Mapping[str, Any]) -> str | None:
    return first(attributes, "langfuse.observation.completion_start_time")


def model_parameters(attributes: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "gen_ai.request."
    return {key[len(prefix) :]: attributes[key] for key in attributes if key.startswith(prefix) and key != MODELS[2]}


def _kind(attributes: Mapping[str, Any]) -> str:
    inference = attributes.get("openinference.span.kind")
    if inference:
        return BY_OPENINFERENCE.get(inference, inference)
    operation = BY_OPERATION.get(attributes.get("gen_ai.operation.name", ""))
    if operation:
        return operation
    if first(attributes, "gen_ai.tool.name", "gen_ai.tool.call.id"):
        return "TOOL"
    return "GENERATION" if first(attributes, *MODELS) else "SPAN"


def _tokens(attributes: Mapping[str, Any]) -> dict[str, float]:
    told = {
        key.removeprefix(prefix): value
        for key, value in attributes.items()
        for prefix in ("gen_ai.usage.", "llm.token_count.")
        if key.startswith(prefix) and key != "gen_ai.usage.cost"
    }
    found = {name: told[key] for name, keys in USAGE.items() if (key := next((k for k in keys if k in told), None))}
    known = {key for keys in USAGE.values() for key in keys}
    found |= {key: value for key, value in told.items() if key not in known}
    if "input" in found:
        found["input"] -= found.get("input_cached_tokens", 0) + found.get("input_cache_creation", 0)
    if "output" in found:
        found["output"] -= found.get("output_reasoning_tokens", 0)
    return {key: max(0, value) for key, value in found.items()}
