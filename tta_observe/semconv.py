"""
Every name that leaves the process, written down once.

Own names follow the pattern of OpenTelemetry's semantic conventions.
Names taken over say from where, and at which version.
"""

from __future__ import annotations

from typing import Final

SCOPE: Final = "tta_observe"
"""Instrumentation scope of every span and instrument of this package."""

# Primitive: one observed call.

PRIMITIVE_NAME: Final = "primitive.name"
"""What ran, e.g. ``"pick_model"``. Allowed on metrics."""

PRIMITIVE_TYPE: Final = "primitive.type"
"""What kind of step ran, e.g. ``"router"``. Few values: allowed on metrics."""

PRIMITIVE_ACTION: Final = "primitive.action"
"""What it did, e.g. ``"select"``. Spans only."""

# Workflow, session, agent, step.

WORKFLOW_NAME: Final = "workflow.name"
"""Which workflow. Few values: allowed on metrics."""

WORKFLOW_ID: Final = "workflow.id"
"""One run of a workflow. A new value each time: spans only."""

SESSION_ID: Final = "session.id"
"""The conversation or user session. Source: OpenTelemetry semantic conventions 1.44, ``session``."""

AGENT_ID: Final = "agent.id"
"""One agent instance. Spans only."""

AGENT_TYPE: Final = "agent.type"
"""What kind of agent, e.g. ``"reviewer"``. Few values: allowed on metrics."""

STEP_INDEX: Final = "step.index"
"""Position of a step inside its parent, from 0."""

STEP_NAME: Final = "step.name"
"""What the step is called."""

# Code. Source: OpenTelemetry semantic conventions 1.44, ``code``, stable.

CODE_FUNCTION_NAME: Final = "code.function.name"
"""Module and qualified name of the function."""

CODE_FILE_PATH: Final = "code.file.path"
"""Source file, relative to the ``sys.path`` entry that it was imported from."""

CODE_LINE_NUMBER: Final = "code.line.number"
"""First line of the function, from 1."""

# How a call ended.

EXECUTION_STATUS: Final = "execution.status"
"""``success``, ``error`` or ``cancelled``. Allowed on metrics."""

EXECUTION_DURATION_MS: Final = "execution.duration_ms"
"""From entering the call to leaving it, in milliseconds."""

EXECUTION_CLOSED_EARLY: Final = "execution.closed_early"
"""True for a generator that its consumer closed before the end."""

SUCCESS: Final = "success"
"""Value of :data:`EXECUTION_STATUS`."""

ERROR: Final = "error"
"""Value of :data:`EXECUTION_STATUS`."""

CANCELLED: Final = "cancelled"
"""Value of :data:`EXECUTION_STATUS`; left out of health and error rate."""

STATUSES: Final = (SUCCESS, ERROR, CANCELLED)
"""Every value of :data:`EXECUTION_STATUS`."""

ERROR_TYPE: Final = "error.type"
"""Class of the failure. Source: OpenTelemetry semantic conventions 1.44, ``error``, stable. Allowed on metrics."""

ERROR_MESSAGE: Final = "error.message"
"""What the failure said. Spans only."""

EXCEPTION_EVENT: Final = "exception"
"""Name of the event of a failure. Source: OpenTelemetry semantic conventions 1.44, ``exceptions``, stable."""

EXCEPTION_TYPE: Final = "exception.type"
"""See :data:`EXCEPTION_EVENT`."""

EXCEPTION_MESSAGE: Final = "exception.message"
"""See :data:`EXCEPTION_EVENT`."""

EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""See :data:`EXCEPTION_EVENT`."""

# LLM usage.

LLM_PROVIDER: Final = "llm.provider"
"""Who served the model, e.g. ``"openai"``. Allowed on metrics."""

LLM_MODEL_NAME: Final = "llm.model_name"
"""Which model answered. Allowed on metrics."""

LLM_MODEL_TIER: Final = "llm.model_tier"
"""A class of models, e.g. ``"fast"``. Spans only."""

LLM_TEMPERATURE: Final = "llm.temperature"
"""Sampling temperature of the request."""

LLM_MAX_TOKENS: Final = "llm.max_tokens"
"""Limit of completion tokens of the request."""

LLM_PROMPT_TOKENS: Final = "llm.prompt_tokens"
"""Input tokens, cached ones included."""

LLM_COMPLETION_TOKENS: Final = "llm.completion_tokens"
"""Output tokens."""

LLM_TOTAL_TOKENS: Final = "llm.total_tokens"
"""Input and output tokens."""

LLM_CACHED_TOKENS: Final = "llm.cached_tokens"
"""Those of the input tokens that the provider read from its cache."""

LLM_CACHE_WRITE_TOKENS: Final = "llm.cache_write_tokens"
"""Those of the input tokens that the provider wrote to its cache."""

LLM_REASONING_TOKENS: Final = "llm.reasoning_tokens"
"""Those of the output tokens that the model spent on reasoning."""

LLM_COST_USD: Final = "llm.cost_usd"
"""Estimated cost in USD; absent when no price is known."""

LLM_COST_STATUS: Final = "llm.cost_status"
"""``priced``, ``unpriced`` (tokens, but no price known) or ``no_usage`` (no tokens known)."""

PRICED: Final = "priced"
"""Value of :data:`LLM_COST_STATUS`."""

UNPRICED: Final = "unpriced"
"""Value of :data:`LLM_COST_STATUS`."""

NO_USAGE: Final = "no_usage"
"""Value of :data:`LLM_COST_STATUS`."""

LLM_PRICE_SOURCE: Final = "llm.price_source"
"""Whose price the cost was estimated with: ``user``, or ``genai-prices`` and its version."""

LLM_PRICE_DATE: Final = "llm.price_date"
"""Of when that price list is, e.g. ``2026-11-09``; left out for prices of the user's own."""

LLM_STREAMING: Final = "llm.streaming"
"""True when the answer came as a stream."""

LLM_CHUNKS: Final = "llm.chunks"
"""How many chunks of the stream its consumer took."""

LLM_TIME_TO_FIRST_TOKEN_MS: Final = "llm.time_to_first_token_ms"
"""From entering the call to the first chunk that holds output, in milliseconds."""

LLM_TOKEN_TYPE: Final = "llm.token_type"
"""``prompt`` or ``completion``. Allowed on metrics."""

PROMPT: Final = "prompt"
"""Value of :data:`LLM_TOKEN_TYPE`."""

COMPLETION: Final = "completion"
"""Value of :data:`LLM_TOKEN_TYPE`."""

TOKEN_TYPES: Final = (PROMPT, COMPLETION)
"""Every value of :data:`LLM_TOKEN_TYPE`."""

LLM_USAGE_SPAN: Final = "primitive.llm.usage"
"""Name of the zero-length span of usage recorded outside an LLM primitive."""

# Cache.

CACHE_HIT: Final = "cache.hit"
"""Whether the lookup found something."""

CACHE_KEY: Final = "cache.key"
"""First 16 hexadecimal digits of a blake2b digest of the key, never the key. Spans only."""

CACHE_TYPE: Final = "cache.type"
"""What kind of cache, e.g. ``"memory"``. Few values: allowed on metrics."""

CACHE_TTL_SECONDS: Final = "cache.ttl_seconds"
"""How long the entry is valid, in seconds."""

CACHE_SAVINGS_USD: Final = "cache.savings_usd"
"""What a hit saved, in USD."""

CACHE: Final = "cache"
"""The ``primitive.type`` of a lookup, or of a lookup that computes what is missing: a miss owns what that costs."""

# Roll-up of a workflow, set when it ends.

WORKFLOW_COST_USD: Final = "workflow.cost_usd"
"""Cost of the priced LLM calls inside; absent when there were calls and none had a price."""

WORKFLOW_LLM_CALLS: Final = "workflow.llm_calls"
"""LLM calls whose usage was recorded inside."""

WORKFLOW_TOTAL_TOKENS: Final = "workflow.total_tokens"
"""Input and output tokens recorded inside."""

WORKFLOW_PRIMITIVES: Final = "workflow.primitives"
"""Primitives that ended inside."""

WORKFLOW_UNPRICED_CALLS: Final = "workflow.unpriced_calls"
"""
LLM calls of a run, nested ones included, whose cost is not known: no price, or no usage. Left out when there are none;
where it stands, ``workflow.cost_usd`` is a lower bound.
"""

WORKFLOW_BUDGET_USD: Final = "workflow.budget_usd"
"""What the run may cost, in USD, as given to ``workflow(budget_usd=)``; on its span and on the event."""

WORKFLOW_BUDGET_EXCEEDED: Final = "workflow.budget_exceeded"
"""Event on the span of a run, once, when its cost passes its budget; with both, in USD."""

# Connections.

SOURCE_PRIMITIVE: Final = "source.primitive"
"""What ran before. Allowed on metrics."""

TARGET_PRIMITIVE: Final = "target.primitive"
"""What ran after. Allowed on metrics."""

CONNECTION_TYPE: Final = "connection.type"
"""``sequential``, ``parallel``, ``nested`` or ``remote``. Allowed on metrics."""

SEQUENTIAL: Final = "sequential"
"""Value of :data:`CONNECTION_TYPE`: one after the other in one task or thread."""

PARALLEL: Final = "parallel"
"""Value of :data:`CONNECTION_TYPE`: across a fork or a join."""

NESTED: Final = "nested"
"""Value of :data:`CONNECTION_TYPE`: from a parent to the first inside it."""

REMOTE: Final = "remote"
"""Value of :data:`CONNECTION_TYPE`: from a calling service."""

CONNECTION_TYPES: Final = (SEQUENTIAL, PARALLEL, NESTED, REMOTE)
"""Every value of :data:`CONNECTION_TYPE`."""

# Baggage: what one service tells the next one of itself. Written by ``inject_context`` alone.

BAGGAGE_SERVICE: Final = "tta.service"
"""``service.name`` of the caller, by which its primitives are told from ours."""

BAGGAGE_PRIMITIVE: Final = "tta.primitive"
"""``primitive.name`` of the nearest primitive or workflow of the caller: the source of a ``remote`` connection."""

BAGGAGE_WORKFLOW: Final = "tta.workflow"
"""``workflow.name`` of the caller."""

BAGGAGE_AGENT: Final = "tta.agent"
"""``agent.type`` of the caller."""

# Interoperability: what other backends read. Source: OpenTelemetry semantic conventions 1.41, ``gen-ai``, development.

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
"""What is done: ``chat``, ``embeddings``, ``execute_tool``, ``invoke_agent``, ``invoke_workflow``."""

GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Who served the model, in the words of the conventions, e.g. ``"aws.bedrock"``."""

GEN_AI_SYSTEM: Final = "gen_ai.system"
"""The same as :data:`GEN_AI_PROVIDER_NAME` under its name before version 1.37, which Logfire and OpenLIT read."""

GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
"""The model that was asked for. LLM spans only: a reader may bill every span that has it."""

GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
"""Sampling temperature."""

GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
"""Limit of completion tokens."""

GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
"""True when the answer came as a stream."""

GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
"""The model that answered."""

GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
"""The provider's own identifier of the answer."""

GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
"""Why the model stopped, one for each choice."""

GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""From entering the call to the first chunk that holds output, in seconds."""

GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""Input tokens, those from and for the provider's cache included."""

GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""Output tokens, reasoning included."""

GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
"""Input tokens that the provider read from its cache."""

GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
"""Input tokens that the provider wrote to its cache."""

GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""The same as :data:`SESSION_ID`."""

GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"
"""The same as :data:`AGENT_ID`."""

GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
"""The same as :data:`AGENT_TYPE`, else the primitive's name."""

GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
"""The primitive's name."""

GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"
"""The same as :data:`WORKFLOW_NAME`. Source: OpenTelemetry semantic conventions for generative AI 1.42."""

GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
"""Output tokens spent on reasoning. Source: OpenTelemetry semantic conventions for generative AI 1.42."""

GEN_AI_USAGE_TOTAL_TOKENS: Final = "gen_ai.usage.total_tokens"
"""Input and output tokens. No convention has it; OpenLIT's panels and Langfuse read it."""

GEN_AI_USAGE_COST: Final = "gen_ai.usage.cost"
"""Estimated cost in USD. No convention has it; Langfuse and OpenLIT read it."""

GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
"""
The prompt of an LLM call, where capture is switched on: JSON text of ``[{"role": …, "parts": […]}]``.
Source: OpenTelemetry semantic conventions for generative AI, version 1.41.
"""

GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
"""The answers of an LLM call, likewise, with ``finish_reason``. Source: the same."""

GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
"""What the model is told beside the conversation, as parts of a message, likewise. Source: the same."""

OPERATION_COST: Final = "operation.cost"
"""Estimated cost in USD, as Logfire reads it."""

LANGFUSE_COMPLETION_START_TIME: Final = "langfuse.observation.completion_start_time"
"""When the first chunk that holds output came, ISO 8601 in UTC. Source: Langfuse's own attributes."""

OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
"""What kind of step Phoenix and Opik show. Source: OpenInference semantic conventions 0.1."""

INPUT_VALUE: Final = "input.value"
"""Arguments of a call, as JSON, where capture is switched on. Source: OpenInference semantic conventions."""

INPUT_MIME_TYPE: Final = "input.mime_type"
"""What kind of text :data:`INPUT_VALUE` is. Source: OpenInference semantic conventions."""

OUTPUT_VALUE: Final = "output.value"
"""Result of a call, as text or JSON, where capture is switched on. Source: OpenInference semantic conventions."""

OUTPUT_MIME_TYPE: Final = "output.mime_type"
"""What kind of text :data:`OUTPUT_VALUE` is. Source: OpenInference semantic conventions."""

# Resource. Source: OpenTelemetry semantic conventions 1.44, ``service`` and ``deployment``.

SERVICE_NAME: Final = "service.name"
"""Which service emits."""

SERVICE_VERSION: Final = "service.version"
"""Which version of it."""

SERVICE_INSTANCE_ID: Final = "service.instance.id"
"""Which process: a random UUID per process."""

DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""Where it runs, e.g. ``"production"``."""

PROCESS_PID: Final = "process.pid"
"""Process identifier. Source: OpenTelemetry semantic conventions 1.44, ``process``."""

# About this package's own telemetry. No convention covers it: the names are ours.

TRUNCATED: Final = "tta.truncated"
"""True on a span that was too large, or held a value that was, and was cut. Spans only."""

RUN_ID: Final = "tta.run.id"
"""One ``tta-observe run``: the same in all of its processes, random. Resource only, never a label."""

EXPORTER: Final = "tta.exporter"
"""Which exporter spans were given to, e.g. ``"otlp"``: allowed on metrics."""

OUTCOME: Final = "tta.outcome"
"""What became of them: ``delivered``, ``queued``, ``in_flight``, or why they were dropped: allowed on metrics."""

DELIVERED: Final = "delivered"
"""Value of :data:`OUTCOME`: acknowledged by the receiver, or committed to the store."""

QUEUED: Final = "queued"
"""Value of :data:`OUTCOME`: waiting to be sent."""

IN_FLIGHT: Final = "in_flight"
"""Value of :data:`OUTCOME`: in the request that is being sent."""

# Well-known values.

REDACTED: Final = "[redacted]"
"""Stands in every value that leaves the process for a secret that was in it."""

OTHER: Final = "other"
"""Stands for every label value past the limit."""

WORKFLOW_TYPE: Final = "workflow"
"""The ``primitive.type`` of a workflow run."""

WELL_KNOWN_TYPES: Final = (
    "sequential",
    "parallel",
    "router",
    "cache",
    "retry",
    "fallback",
    "llm",
    "embedding",
    "tool",
    "agent",
    "retriever",
    "processor",
    "validator",
    "function",
)
"""Types that dashboards and backends know; any other identifier is fine too."""

LLM_TYPES: Final = frozenset({"llm", "embedding"})
"""Primitives whose span carries tokens and cost, and is of kind CLIENT."""

OPENINFERENCE_KINDS: Final = {
    "llm": "LLM",
    "embedding": "EMBEDDING",
    "tool": "TOOL",
    "agent": "AGENT",
    "retriever": "RETRIEVER",
}
"""``primitive.type`` to :data:`OPENINFERENCE_SPAN_KIND`; all else is ``CHAIN``."""
