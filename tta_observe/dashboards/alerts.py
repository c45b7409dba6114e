"""
The seven alerts.

A counter that is first seen at 1 does not rise as far as ``increase()`` can tell, so the first failure of a program
whose pipeline sends no zeros would never be told. Alerts therefore take a series younger than the window by its value.
Ratios need a minimum of traffic: one failure at night is no 100 % outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tta_observe import semconv
from tta_observe.dashboards.promql import ENDED, FAILED, RUN, WINDOW, increase, p95, ratio, selected, total
from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    EXECUTION_DURATION,
    EXECUTIONS,
    LLM_COST,
    LLM_UNPRICED,
)

if TYPE_CHECKING:
    from tta_observe.instruments import InstrumentSpec

GROUP: Final = "tta_primitives"
INTERVAL: Final = "30s"

REPORTING: Final = "job:primitive_execution_count:series"
"""How many series each job reports: one series a job, so that a day of it can be read every half minute."""

# The conditions below say these numbers in words.
_LEAST_EXECUTIONS: Final = 10
_LEAST_LOOKUPS: Final = 20
_LEAST_RUNS: Final = 3
_HOUR_IN_WINDOWS: Final = 12


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: when it fires, how bad that is, and what to do."""

    name: str
    condition: str
    """When it fires, in words."""
    promql: str
    lasts: str
    """How long the expression has to hold; ``for`` in a rule."""
    keep_firing: str
    severity: Literal["warning", "info"]
    summary: str
    description: str
    runbook: str


def risen(spec: InstrumentSpec, *matchers: str, part: str = "", window: str = WINDOW) -> str:
    """How much each series rose within *window*; one that is younger rose by all that it stands at."""
    series = selected(spec, *matchers, part=part)
    return f"{series} unless {series} offset {window} or {increase(spec, *matchers, part=part, window=window)}"


def _at_least(number: int, series: str, *on: str) -> str:
    joined = f"on ({', '.join(on)}) " if on else ""
    by = f" by ({', '.join(on)}) " if on else ""
    return f"and {joined}sum{by}({series}) >= {number}"


_FAILED: Final = risen(EXECUTIONS, FAILED)
_ENDED: Final = risen(EXECUTIONS, ENDED)
_LOOKUPS: Final = risen(CACHE_LOOKUPS)
_RUNS: Final = risen(EXECUTIONS, RUN)

ALERTS: Final = (
    Alert(
        name="HighErrorRate",
        condition="more than 5 % of at least 10 executions in 5 minutes fail",
        promql=f"{ratio(total(_FAILED), total(_ENDED))} > 0.05\n{_at_least(_LEAST_EXECUTIONS, _ENDED)}",
        lasts="5m",
        keep_firing="5m",
        severity="warning",
        summary="{{ $value | humanizePercentage }} of executions fail",
        description=(
            "More than 5 % of the executions that succeeded or failed were errors for five minutes. "
            "Executions of every level count: a failing leaf counts at each level that it fails."
        ),
        runbook=(
            "Look at Error Distribution by Type, then at the red nodes of the Service Map, "
            "then at the traces behind them."
        ),
    ),
    Alert(
        name="LowCacheHitRate",
        condition="less than 50 % of at least 20 lookups in 5 minutes hit",
        promql=f"{ratio(total(risen(CACHE_HITS)), total(_LOOKUPS))} < 0.5\n{_at_least(_LEAST_LOOKUPS, _LOOKUPS)}",
        lasts="10m",
        keep_firing="5m",
        severity="info",
        summary="Only {{ $value | humanizePercentage }} of cache lookups hit",
        description="Less than half of the cache lookups found something for ten minutes.",
        runbook=(
            "Cache Hit Rate by Primitive names the cache. Was it emptied? Do its keys hold something that never "
            "repeats? Is its lifetime too short?"
        ),
    ),
    Alert(
        name="HighLLMCost",
        condition="LLM calls cost more than 100 USD an hour",
        # What it costs is the traffic itself: idle programs and free ones cannot reach it.
        promql=f"{total(risen(LLM_COST))} * {_HOUR_IN_WINDOWS} > 100",
        lasts="15m",
        keep_firing="5m",
        severity="warning",
        summary='LLM calls cost {{ $value | printf "%.0f" }} USD an hour',
        description="The estimated cost of LLM calls was above 100 USD an hour for fifteen minutes.",
        runbook=(
            "LLM Tokens by Model names the model, Workflow Success Rates the workflow with the highest cost per run. "
            "Is something retried in a loop?"
        ),
    ),
    Alert(
        name="HighWorkflowLatency",
        condition="P95 of a workflow with at least 3 runs in 5 minutes is above 5 s",
        promql=(
            f"{p95(risen(EXECUTION_DURATION, RUN, part='bucket'), semconv.WORKFLOW_NAME)} > 5000\n"
            f"{_at_least(_LEAST_RUNS, _RUNS, 'workflow_name')}"
        ),
        lasts="10m",
        keep_firing="5m",
        severity="warning",
        summary='{{ $labels.workflow_name }} takes {{ $value | printf "%.0f" }} ms (P95)',
        description="For ten minutes one in twenty runs of {{ $labels.workflow_name }} took more than 5 s.",
        runbook="Top 5 Slowest Primitives and the heatmap say which part of it became slow, and since when.",
    ),
    Alert(
        name="StuckWorkflows",
        condition="workflows are active and nothing ends",
        promql=f"{total(selected(ACTIVE_WORKFLOWS))} > 0\nunless on () {total(risen(EXECUTIONS))} > 0",
        lasts="30m",
        keep_firing="1m",
        severity="warning",
        summary='{{ $value | printf "%.0f" }} workflows are active and nothing has ended for half an hour',
        description="Workflows are running, and no primitive and no workflow has ended for 30 minutes.",
        runbook=(
            "Look for a call without a timeout; the latest traces show what ran last. "
            "A process that was killed takes its workflows with it within five minutes."
        ),
    ),
    Alert(
        name="UnpricedLLMCalls",
        condition="a model without a known price was called in the last 15 minutes",
        promql=f"{total(risen(LLM_UNPRICED, window='15m'), semconv.LLM_PROVIDER, semconv.LLM_MODEL_NAME)} > 0",
        lasts="1m",
        keep_firing="5m",
        severity="info",
        summary="Calls of {{ $labels.llm_model_name }} have no known price",
        description="Their cost is missing from every figure: it is unknown, not zero.",
        runbook=(
            'Write configure(prices={"{{ $labels.llm_model_name }}": Price(input=..., output=...)}), '
            "in USD per million tokens."
        ),
    ),
    Alert(
        name="TelemetryMissing",
        condition="a service that reported within the last day reports nothing",
        promql=f"last_over_time({REPORTING}[1d])\nunless on (job) count by (job) ({selected(EXECUTIONS)})",
        lasts="10m",
        keep_firing="1m",
        severity="warning",
        summary="{{ $labels.job }} reports nothing any more",
        description="There were series of {{ $labels.job }} within the last day, and none for ten minutes.",
        runbook=(
            "Does the process run? Then try: tta-observe doctor --prometheus URL. "
            "A program that ended on purpose is forgotten after a day."
        ),
    ),
)
