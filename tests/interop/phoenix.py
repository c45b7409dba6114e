"""
What Phoenix makes of a span.

Read in Arize-ai/phoenix, as released in arize-phoenix 20.26.1: ``src/phoenix/trace/otel.py``,
``src/phoenix/trace/gen_ai/conversion.py``, ``src/phoenix/db/insertion/span.py``, ``src/phoenix/server/cost_tracking``.
What it translates from ``gen_ai.*`` never replaces an OpenInference attribute that the span has; it adds up the tokens
of kind LLM alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interop.seen import Seen, first

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_OPERATION = {
    "chat": "LLM",
    "text_completion": "LLM",
    "generate_content": "LLM",
    "embeddings": "EMBEDDING",
    "execute_tool": "TOOL",
    "retrieval": "RETRIEVER",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
}

TOKENS = {
    "prompt": ("llm.token_count.prompt", "gen_ai.usage.input_tokens"),
    "completion": ("llm.token_count.completion", "gen_ai.usage.output_tokens"),
    "cache_read": ("llm.token_count.prompt_details.cache_read", "gen_ai.usage.cache_read.input_tokens"),
    "cache_write": ("llm.token_count.prompt_details.cache_write", "gen_ai.usage.cache_creation.input_tokens"),
}


def read(attributes: Mapping[str, Any]) -> Seen:
    operation = BY_OPERATION.get(attributes.get("gen_ai.operation.name", ""), "UNKNOWN")
    kind = attributes.get("openinference.span.kind", operation)
    model = first(attributes, "llm.model_name", "gen_ai.request.model")
    told = {name: first(attributes, *keys) for name, keys in TOKENS.items()}
    tokens = {name: value for name, value in told.items() if value is not None}
    counted = tokens if kind == "LLM" else {}
    return Seen(
        kind,
        model,
        tokens,
        session=first(attributes, "session.id", "gen_ai.conversation.id"),
        provider=first(attributes, "llm.provider", "gen_ai.provider.name"),
        prices_itself=model is not None and bool(counted.get("prompt") or counted.get("completion")),
    )
