"""
The sixteen panels on four tabs.

Stats and gauges ask for this moment alone: the last value of a range would keep showing what was true an hour ago.
"""

from __future__ import annotations

from typing import Final

from tta_observe import semconv
from tta_observe.dashboards import service_map, thresholds, workflow_table
from tta_observe.dashboards.panel import Panel, Place, Query, Tab, Traces
from tta_observe.dashboards.promql import (
    ENDED,
    FAILED,
    NOT_A_RUN,
    RUN,
    increase,
    p95,
    rate,
    ratio,
    ratio_by,
    selected,
    total,
)
from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    CACHE_SAVINGS,
    EXECUTION_DURATION,
    EXECUTIONS,
    LLM_COST,
    LLM_TOKENS,
    LLM_UNPRICED,
)
from tta_observe.local import queries

_ERRORS: Final = total(rate(EXECUTIONS, FAILED))
_ERROR_RATE: Final = ratio(_ERRORS, total(rate(EXECUTIONS, ENDED)))
_HITS: Final = (total(rate(CACHE_HITS)), total(rate(CACHE_LOOKUPS)))
_HITS_BY: Final = (
    total(rate(CACHE_HITS), semconv.PRIMITIVE_NAME),
    total(rate(CACHE_LOOKUPS), semconv.PRIMITIVE_NAME),
)
_BUCKETS_OF_RUNS: Final = rate(EXECUTION_DURATION, RUN, part="bucket")
_BUCKETS_OF_PRIMITIVES: Final = rate(EXECUTION_DURATION, NOT_A_RUN, part="bucket")
_EVERY_LEVEL: Final = "Executions of every level count: a failing leaf counts at each level that it fails."
_SATURATES: Final = "P95 is estimated from a histogram that ends at 10 s: slower reads ≥ 10 s."

SERVICE_MAP: Final = Panel(
    id=1,
    title="Service Map",
    question="What is calling what?",
    note="Calls per second; the ring shows success (green), errors (red) and cancelled executions (grey).",
    empty="no connections yet",
    visual="nodeGraph",
    unit="ops",
    place=Place(0, 0, 14, 16),
    queries=service_map.QUERIES,
    local=queries.connections,
    traces=Traces(),
)

HEALTH: Final = Panel(
    id=2,
    title="System Health Score",
    question="Is my system working?",
    note=f"The share of executions that succeeded, cancelled ones left out. {_EVERY_LEVEL}",
    empty="idle",
    visual="gauge",
    unit="percentunit",
    place=Place(14, 0, 5, 8),
    queries=(Query("A", f"1 - {_ERROR_RATE}", "health"),),
    local=queries.health,
    thresholds=thresholds.HEALTH,
    traces=Traces(((semconv.EXECUTION_STATUS, semconv.ERROR),)),
    record="tta:primitive_execution_count:health_5m",
)

THROUGHPUT: Final = Panel(
    id=3,
    title="System Throughput",
    question="How much is going on?",
    note="Executions of primitives and workflows per second, of every level.",
    empty="idle",
    visual="timeseries",
    unit="reqps",
    place=Place(14, 8, 10, 8),
    queries=(Query("A", total(rate(EXECUTIONS)), "executions", over_time=True),),
    local=queries.throughput,
    record="tta:primitive_execution_count:rate_5m",
)

ACTIVE: Final = Panel(
    id=4,
    title="Active Workflows",
    question="How many workflows are running right now?",
    note="More than ten at once is red.",
    empty="0",
    visual="stat",
    unit="none",
    place=Place(19, 4, 5, 4),
    queries=(Query("A", total(selected(ACTIVE_WORKFLOWS)), "active"),),
    local=queries.active_workflows,
    thresholds=thresholds.ACTIVE,
)

ERROR_RATE: Final = Panel(
    id=5,
    title="Error Rate",
    question="How much of it fails?",
    note=f"Errors of what succeeded or failed. {_EVERY_LEVEL}",
    empty="idle",
    visual="stat",
    unit="percentunit",
    place=Place(19, 0, 5, 4),
    queries=(Query("A", _ERROR_RATE, "error rate"),),
    local=queries.health,
    thresholds=thresholds.ERROR_RATE,
    traces=Traces(((semconv.EXECUTION_STATUS, semconv.ERROR),)),
    record="tta:primitive_execution_count:error_rate_5m",
)

SLOWEST_WORKFLOWS: Final = Panel(
    id=6,
    title="Top 10 Workflows by P95 Latency",
    question="Which workflow is slow?",
    note=_SATURATES,
    empty="no workflow ended",
    visual="timeseries",
    unit="ms",
    place=Place(0, 0, 14, 9),
    queries=(
        # Without traffic a quantile is not a number; the comparison leaves it out.
        Query(
            "A",
            f"topk(10, {p95(_BUCKETS_OF_RUNS, semconv.WORKFLOW_NAME)}) > 0",
            "{{workflow_name}}",
            over_time=True,
        ),
    ),
    local=queries.workflows,
    traces=Traces(((semconv.PRIMITIVE_TYPE, semconv.WORKFLOW_TYPE),), semconv.WORKFLOW_NAME),
    style="bars",
    saturates=True,
)

WORKFLOWS: Final = Panel(
    id=7,
    title="Workflow Success Rates",
    question="How do the runs of each workflow end, how long do they take and what do they cost?",
    note=f"Within the time range shown; cost is an estimate, without calls of unknown price. {_SATURATES}",
    empty="no workflow ended",
    visual="table",
    unit="short",
    place=Place(0, 9, 24, 9),
    queries=workflow_table.QUERIES,
    local=queries.workflows,
    columns=workflow_table.COLUMNS,
    traces=Traces(((semconv.PRIMITIVE_TYPE, semconv.WORKFLOW_TYPE),), semconv.WORKFLOW_NAME),
)

ERRORS: Final = Panel(
    id=8,
    title="Error Distribution by Type",
    question="Why are requests failing?",
    note=f"Errors per second, by the class of the exception. {_EVERY_LEVEL}",
    empty="no errors",
    visual="piechart",
    unit="ops",
    place=Place(14, 0, 10, 9),
    queries=(Query("A", f"{total(rate(EXECUTIONS, FAILED), semconv.ERROR_TYPE)} > 0", "{{error_type}}"),),
    local=queries.errors_by_type,
    traces=Traces(((semconv.EXECUTION_STATUS, semconv.ERROR),), semconv.ERROR_TYPE),
)

HEATMAP: Final = Panel(
    id=9,
    title="Primitive Performance Heatmap",
    question="Which primitive is slow, and since when?",
    note="The average latency of each primitive; blue is fast, red is slow, and a gap is idle.",
    empty="no primitive ended",
    visual="heatmap",
    unit="ms",
    place=Place(0, 0, 24, 10),
    queries=(
        Query(
            "A",
            f"{total(rate(EXECUTION_DURATION, NOT_A_RUN, part='sum'), semconv.PRIMITIVE_NAME)}"
            f" / ({total(rate(EXECUTION_DURATION, NOT_A_RUN, part='count'), semconv.PRIMITIVE_NAME)} > 0)",
            "{{primitive_name}}",
            over_time=True,
        ),
    ),
    local=queries.primitives,
    traces=Traces((), semconv.PRIMITIVE_NAME),
    record="primitive:primitive_execution_duration:mean_5m",
)

BY_TYPE: Final = Panel(
    id=10,
    title="Primitive Execution Count by Type",
    question="What kind of work is done?",
    note="Executions per second by primitive type; a run of a workflow is one too.",
    empty="idle",
    visual="timeseries",
    unit="ops",
    place=Place(0, 10, 9, 9),
    queries=(Query("A", total(rate(EXECUTIONS), semconv.PRIMITIVE_TYPE), "{{primitive_type}}", over_time=True),),
    local=queries.executions_by_type,
    traces=Traces((), semconv.PRIMITIVE_TYPE),
    style="stacked",
    record="type:primitive_execution_count:rate_5m",
)

CACHE: Final = Panel(
    id=11,
    title="Cache Hit Rate",
    question="Am I wasting money?",
    note="The share of all cache lookups that found something.",
    empty="no lookups",
    visual="gauge",
    unit="percentunit",
    place=Place(9, 10, 5, 9),
    queries=(Query("A", ratio(*_HITS), "hit rate"),),
    local=queries.cache,
    thresholds=thresholds.CACHE,
    record="tta:cache_hits:ratio_5m",
)

SLOWEST_PRIMITIVES: Final = Panel(
    id=12,
    title="Top 5 Slowest Primitives",
    question="Which primitive holds everything up?",
    note=_SATURATES,
    empty="no primitive ended",
    visual="timeseries",
    unit="ms",
    place=Place(14, 10, 10, 9),
    queries=(
        Query(
            "A",
            f"topk(5, {p95(_BUCKETS_OF_PRIMITIVES, semconv.PRIMITIVE_NAME)}) > 0",
            "{{primitive_name}}",
            over_time=True,
        ),
    ),
    local=queries.primitives,
    traces=Traces((), semconv.PRIMITIVE_NAME),
    style="bars",
    saturates=True,
)

TOKENS: Final = Panel(
    id=13,
    title="LLM Tokens by Model",
    question="Which LLM costs the most?",
    note="Prompt and completion tokens per five minutes.",
    empty="no LLM calls",
    visual="timeseries",
    unit="short",
    place=Place(0, 0, 14, 9),
    queries=(
        Query("A", f"{total(rate(LLM_TOKENS), semconv.LLM_MODEL_NAME)} * 300", "{{llm_model_name}}", over_time=True),
    ),
    local=queries.models,
    traces=Traces((), semconv.LLM_MODEL_NAME),
    style="stacked",
    record="model:llm_tokens_total:per_5m",
)

COST: Final = Panel(
    id=14,
    title="Estimated LLM Cost",
    question="How much am I spending?",
    note="An estimate per hour, from the last five minutes. Calls without a known price are counted beside it.",
    empty="no LLM calls",
    visual="stat",
    unit="currencyUSD",
    place=Place(14, 0, 5, 9),
    queries=(
        Query("A", f"{total(rate(LLM_COST))} * 3600", "estimate per hour"),
        Query("unpriced", f"round({total(increase(LLM_UNPRICED))}) > 0", "unpriced calls in range"),
    ),
    local=queries.spending,
    traces=Traces(((semconv.LLM_COST_STATUS, semconv.PRICED),)),
    record="tta:llm_cost_total:usd_per_hour_5m",
)

CACHES: Final = Panel(
    id=15,
    title="Cache Hit Rate by Primitive",
    question="Which cache is worth having?",
    note="The share of lookups of each primitive that found something.",
    empty="no lookups",
    visual="timeseries",
    unit="percentunit",
    place=Place(0, 9, 24, 8),
    queries=(Query("A", ratio_by(*_HITS_BY), "{{primitive_name}}", over_time=True),),
    local=queries.caches_by_primitive,
    record="primitive:cache_hits:ratio_5m",
)

SAVINGS: Final = Panel(
    id=16,
    title="Cache Cost Savings",
    question="What do the caches save?",
    note="An estimate per hour, from the last five minutes: what the hits would have cost.",
    empty="no savings known",
    visual="stat",
    unit="currencyUSD",
    place=Place(19, 0, 5, 9),
    queries=(Query("A", f"{total(rate(CACHE_SAVINGS))} * 3600", "estimate per hour"),),
    local=queries.cache,
    record="tta:cache_savings_total:usd_per_hour_5m",
)

TABS: Final = (
    Tab("Overview: system health", (SERVICE_MAP, HEALTH, THROUGHPUT, ACTIVE, ERROR_RATE)),
    Tab("Workflows: performance & errors", (SLOWEST_WORKFLOWS, WORKFLOWS, ERRORS)),
    Tab("Primitives: detailed performance", (HEATMAP, BY_TYPE, CACHE, SLOWEST_PRIMITIVES)),
    Tab("Resources: LLM & cache", (TOKENS, COST, CACHES, SAVINGS)),
)
PANELS: Final = tuple(panel for tab in TABS for panel in tab.panels)
"""All of them, in the order of their numbers."""
