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

# Roll-up of a workflow, set when it ends.

WORKFLOW_COST_USD: Final = "workflow.cost_usd"
"""Cost of the priced LLM calls inside; absent when there were calls and none had a price."""

WORKFLOW_LLM_CALLS: Final = "workflow.llm_calls"
"""LLM calls whose usage was recorded inside."""

WORKFLOW_TOTAL_TOKENS: Final = "workflow.total_tokens"
"""Input and output tokens recorded inside."""

WORKFLOW_PRIMITIVES: Final = "workflow.primitives"
"""Primitives that ended inside."""

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

# Interoperability.

OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
"""What kind of step Phoenix and Opik show. Source: OpenInference semantic conventions 0.1."""

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
