"""What the answers of :mod:`tta_observe.local.queries` look like. Frozen; units are part of the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time: after *start_ns*, up to and including *end_ns*. Nanoseconds since 1970."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Health:
    """How executions of every level ended: a failing leaf counts at each level that it fails."""

    success: int
    error: int
    cancelled: int

    @property
    def total(self) -> int:
        """All executions, cancelled ones included."""
        return self.success + self.error + self.cancelled

    @property
    def score(self) -> float | None:
        """Share of success, 0 to 1, cancelled ones left out; None when there was nothing."""
        rate = self.error_rate
        return None if rate is None else 1 - rate

    @property
    def error_rate(self) -> float | None:
        """Share of errors, 0 to 1, cancelled ones left out; None when there was nothing."""
        ended = self.success + self.error
        return self.error / ended if ended else None


@dataclass(frozen=True, slots=True)
class Throughput:
    """Executions of every level, and how many a second while there was traffic; None when there was none."""

    executions: int
    per_second: float | None


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """
    All runs of one workflow.

    *success_rate* is 0 to 1 and leaves cancelled runs out.
    *p95_ms* is 10,000 for anything slower than 10 s: show it as "≥ 10 s".
    """

    name: str
    runs: int
    success_rate: float | None
    mean_ms: float | None
    p95_ms: float | None
    cost_usd: float | None
    """None when LLM calls were made and the cost of none is known."""
    cost_per_run_usd: float | None
    cost_is_lower_bound: bool = False
    """Whether there are LLM calls whose cost is not known."""


@dataclass(frozen=True, slots=True)
class PrimitiveRow:
    """All executions of one primitive. *p95_ms* is 10,000 for anything slower than 10 s."""

    name: str
    type: str
    executions: int
    errors: int
    mean_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Failed executions with one error type; *share* of all failed ones, 0 to 1."""

    error_type: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class TypeRow:
    """Executions of one primitive type."""

    primitive_type: str
    count: int


@dataclass(frozen=True, slots=True)
class CacheRow:
    """Lookups of one cache, or of all: *primitive* is None for all together, and for lookups outside any primitive."""

    hits: int
    lookups: int
    hit_rate: float | None
    saved_usd: float
    primitive: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """
    Tokens and estimated cost of one model.

    *cost_usd* is None when that of no call is known, and a lower bound when that of some is not.
    """

    provider: str | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    """Without a known price."""
    no_usage_calls: int = 0
    """Of which the provider did not tell what they used. From spans, as *calls*."""
    calls: int = 0

    @property
    def is_lower_bound(self) -> bool:
        """Whether there are calls whose cost is not known."""
        return self.unpriced_calls + self.no_usage_calls > 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Spending:
    """
    Estimated cost, and what an hour of such traffic costs; None when there was no traffic.

    Both are lower bounds where there are calls without a price (*unpriced_calls*) or without usage (*no_usage_calls*).
    """

    cost_usd: float
    per_hour_usd: float | None
    unpriced_calls: int
    no_usage_calls: int = 0


Spender = Literal["workflow", "agent", "primitive"]
"""Who spends: the innermost workflow, a type of agent, a primitive."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """
    What the LLM calls of one spender cost, as an estimate.

    *cost_usd* is None when that of no call is known, and *is_lower_bound* says that of some is not. *calls*,
    *unpriced_calls* (no price) and *no_usage_calls* (the provider did not tell what they used) are from spans: those of
    traces that were sampled out are missing.
    """

    by: Spender
    name: str
    calls: int
    tokens: int
    cost_usd: float | None
    is_lower_bound: bool
    unpriced_calls: int
    no_usage_calls: int


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """How often *target* ran right after, or inside, *source*."""

    source: str
    target: str
    connection_type: str
    count: int


@dataclass(frozen=True, slots=True)
class Run:
    """
    One run of a workflow, from its span.

    *cost_usd* is None when LLM calls were made and the cost of none is known, and a lower bound when that of
    *unpriced_calls* is not. *budget_usd* is what it should cost at most; None without a budget.
    """

    trace_id: str
    span_id: str
    workflow: str
    workflow_id: str | None
    start_ns: int
    duration_ms: float
    status: str
    error_type: str | None
    cost_usd: float | None
    llm_calls: int
    tokens: int
    primitives: int
    unpriced_calls: int = 0
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process that wrote to the store. *alive* is False once it ended, or said nothing for 15 s."""

    service_name: str
    pid: int | None
    instance_id: str
    started_ns: int
    heartbeat_ns: int
    alive: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the spans that one exporter was given; *dropped* is by reason."""

    exporter: str
    delivered: int
    queued: int
    in_flight: int
    dropped: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Neither delivered nor dropped."""
        return self.queued + self.in_flight

    @property
    def recorded(self) -> int:
        """All of them."""
        return self.delivered + self.waiting + sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one exporter of one process, as the process told it last."""

    service_name: str
    pid: int | None
    instance_id: str
    alive: bool
    """False once the process ended, or said nothing for 15 s."""
    ended: bool
    """Whether it said so itself; one that is neither alive nor ended was killed, or is stuck."""
    account: Account


@dataclass(frozen=True, slots=True)
class ExportRow:
    """What became of the spans that live processes gave to an exporter."""

    exporter: str
    delivered: int
    waiting: int
    dropped: Mapping[str, int]
    """By reason."""

    @property
    def recorded(self) -> int:
        """All of them."""
        return self.delivered + self.waiting + sum(self.dropped.values())
