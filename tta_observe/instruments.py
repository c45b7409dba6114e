"""
The ten instruments as data.

The recorder, the README table, the dashboards, the rules and the tests loop over :data:`INSTRUMENTS`.
Units are annotations in braces, so that no backend appends a unit to a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tta_observe import semconv

Kind = Literal["counter", "up_down_counter", "histogram"]


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """One instrument: what it is called, what it counts, and which labels it may carry."""

    name: str
    kind: Kind
    unit: str
    description: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    label_sets: int = 1500
    """How many label sets it may have; the SDK drops every label past 2,000."""

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus: dots to underscores, nothing added."""
        return self.name.replace(".", "_")


EXECUTIONS: Final = InstrumentSpec(
    name="primitive.execution.count",
    kind="counter",
    unit="{execution}",
    description="Primitives and workflows that ended.",
    labels=(
        semconv.PRIMITIVE_NAME,
        semconv.PRIMITIVE_TYPE,
        semconv.EXECUTION_STATUS,
        semconv.WORKFLOW_NAME,
        semconv.AGENT_TYPE,
        semconv.ERROR_TYPE,
    ),
)

EXECUTION_DURATION: Final = InstrumentSpec(
    name="primitive.execution.duration",
    kind="histogram",
    unit="ms",
    description="From entering a primitive or workflow to leaving it.",
    labels=(
        semconv.PRIMITIVE_NAME,
        semconv.PRIMITIVE_TYPE,
        semconv.EXECUTION_STATUS,
        semconv.WORKFLOW_NAME,
    ),
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000),
    label_sets=500,
)

CONNECTIONS: Final = InstrumentSpec(
    name="primitive.connection.count",
    kind="counter",
    unit="{connection}",
    description="One primitive ran after, or inside, another.",
    labels=(semconv.SOURCE_PRIMITIVE, semconv.TARGET_PRIMITIVE, semconv.CONNECTION_TYPE),
)

LLM_TOKENS: Final = InstrumentSpec(
    name="llm.tokens.total",
    kind="counter",
    unit="{token}",
    description="Tokens of recorded LLM calls.",
    labels=(
        semconv.LLM_PROVIDER,
        semconv.LLM_MODEL_NAME,
        semconv.LLM_TOKEN_TYPE,
        semconv.PRIMITIVE_NAME,
        semconv.WORKFLOW_NAME,
        semconv.AGENT_TYPE,
    ),
)

CACHE_HITS: Final = InstrumentSpec(
    name="cache.hits",
    kind="counter",
    unit="{hit}",
    description="Cache lookups that found something.",
    labels=(semconv.PRIMITIVE_NAME, semconv.CACHE_TYPE),
)

CACHE_LOOKUPS: Final = InstrumentSpec(
    name="cache.total",
    kind="counter",
    unit="{lookup}",
    description="Cache lookups.",
    labels=(semconv.PRIMITIVE_NAME, semconv.CACHE_TYPE),
)

ACTIVE_WORKFLOWS: Final = InstrumentSpec(
    name="agent.workflows.active",
    kind="up_down_counter",
    unit="{workflow}",
    description="Workflows running now.",
    labels=(semconv.WORKFLOW_NAME, semconv.AGENT_TYPE),
)

LLM_COST: Final = InstrumentSpec(
    name="llm.cost.total",
    kind="counter",
    unit="{USD}",
    description="Estimated cost of priced LLM calls.",
    labels=(
        semconv.LLM_PROVIDER,
        semconv.LLM_MODEL_NAME,
        semconv.PRIMITIVE_NAME,
        semconv.WORKFLOW_NAME,
        semconv.AGENT_TYPE,
    ),
)

LLM_UNPRICED: Final = InstrumentSpec(
    name="llm.unpriced.total",
    kind="counter",
    unit="{call}",
    description="LLM calls whose model has no known price.",
    labels=(semconv.LLM_PROVIDER, semconv.LLM_MODEL_NAME),
)

CACHE_SAVINGS: Final = InstrumentSpec(
    name="cache.savings.total",
    kind="counter",
    unit="{USD}",
    description="Estimated cost that cache hits avoided.",
    labels=(semconv.PRIMITIVE_NAME, semconv.CACHE_TYPE),
)

INSTRUMENTS: Final = (
    EXECUTIONS,
    EXECUTION_DURATION,
    CONNECTIONS,
    LLM_TOKENS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    ACTIVE_WORKFLOWS,
    LLM_COST,
    LLM_UNPRICED,
    CACHE_SAVINGS,
)
"""All of them, in the order in which they are documented."""

SPANS_EXPORTED: Final = InstrumentSpec(
    name="tta.export.spans",
    kind="counter",
    unit="{span}",
    description="Spans that an exporter is done with.",
    labels=(semconv.EXPORTER, semconv.OUTCOME),
)

SPANS_WAITING: Final = InstrumentSpec(
    name="tta.export.waiting",
    kind="up_down_counter",
    unit="{span}",
    description="Spans that an exporter still has.",
    labels=(semconv.EXPORTER, semconv.OUTCOME),
)

CONTEXT_LOST: Final = InstrumentSpec(
    name="tta.context.lost",
    kind="counter",
    unit="{execution}",
    description="Executions that a workflow had run in another thread, without its context.",
    labels=(semconv.PRIMITIVE_NAME,),
)

OWN_INSTRUMENTS: Final = (SPANS_EXPORTED, SPANS_WAITING, CONTEXT_LOST)
"""
What the telemetry says of itself; no dashboard depends on it.

The first two are sent from a process's second collection on. Spans recorded = the sum of both, over every outcome of an
exporter.
"""
