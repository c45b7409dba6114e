"""
One function per question.

Counters: how much they rose within the window, per series and never below zero.
Panels read metrics, never spans; :func:`latest_runs` does, and what counts LLM calls, of which no metric tells.
Times are arguments, in nanoseconds since 1970: there is no clock in here.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, TypeVar

from tta_observe import instruments, semconv
from tta_observe.local.costs import costs, models, spending
from tta_observe.local.increases import distributions, increases, labelled, total
from tta_observe.local.rows import (
    CacheRow,
    ConnectionRow,
    ErrorRow,
    Health,
    PrimitiveRow,
    ProcessRow,
    Throughput,
    TypeRow,
    Window,
    WorkflowRow,
)
from tta_observe.local.runs import latest_runs
from tta_observe.local.traffic import traffic_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe.instruments import InstrumentSpec
    from tta_observe.local.increases import Labels
    from tta_observe.local.reader import StoreReader

__all__ = [
    "active_workflows",
    "cache",
    "caches_by_primitive",
    "connections",
    "costs",
    "errors_by_type",
    "executions_by_type",
    "health",
    "last_measurement",
    "latest_runs",
    "models",
    "primitives",
    "processes",
    "spending",
    "throughput",
    "traffic_seconds",
    "window_before_last",
    "workflows",
]

SILENT_NS: Final = 15_000_000_000
"""A process that gave no sign of life for this long counts as gone."""

UNKNOWN: Final = "unknown"
"""Stands for a label that was left out where a name is needed."""

_P95: Final = 0.95
_CACHE: Final = (instruments.CACHE_HITS, instruments.CACHE_LOOKUPS, instruments.CACHE_SAVINGS)
_Key = TypeVar("_Key", bound=Hashable)

_LAST_MEASUREMENT: Final = """
    SELECT max((SELECT max(time_ns) FROM points WHERE points.series = series.id)) FROM series WHERE scope = ?
"""
_ACTIVE: Final = """
    SELECT coalesce(sum((
        SELECT value FROM points WHERE points.series = series.id AND time_ns <= :now_ns ORDER BY time_ns DESC LIMIT 1
    )), 0)
    FROM processes JOIN series ON series.process = processes.id
    WHERE processes.ended_ns IS NULL AND processes.heartbeat_ns > :silent_ns
    AND series.scope = :scope AND series.instrument = :instrument
"""
_PROCESSES: Final = """
    SELECT service_name, nullif(pid, 0), instance_id, started_ns, heartbeat_ns,
        ended_ns IS NULL AND heartbeat_ns > ? FROM processes ORDER BY heartbeat_ns DESC, id DESC
"""


def last_measurement(store: StoreReader) -> int | None:
    """When the newest measurement was made; None when there is none."""
    ((time_ns,),) = store.rows(_LAST_MEASUREMENT, (semconv.SCOPE,))
    return None if time_ns is None else int(time_ns)


def window_before_last(store: StoreReader, since_s: float = 3600.0) -> Window | None:
    """The *since_s* seconds up to the newest measurement; None when there is none."""
    end_ns = last_measurement(store)
    return None if end_ns is None else Window(end_ns - int(since_s * 1e9), end_ns)


def health(store: StoreReader, window: Window) -> Health:
    """Is my system working? Executions of every level, by how they ended."""
    return _ended(store, window, lambda _: "all").get("all", Health(0, 0, 0))


def throughput(store: StoreReader, window: Window) -> Throughput:
    """How many executions there were, and how many a second while there was traffic."""
    executions = round(total(store, instruments.EXECUTIONS, window))
    return Throughput(executions, _ratio(executions, traffic_seconds(store, window)) if executions else None)


def active_workflows(store: StoreReader, now_ns: int) -> int:
    """Workflows running now, in processes that gave a sign of life within 15 s. Never below 0."""
    asked = {"scope": semconv.SCOPE, "instrument": instruments.ACTIVE_WORKFLOWS.name}
    ((active,),) = store.rows(_ACTIVE, {"now_ns": now_ns, "silent_ns": now_ns - SILENT_NS, **asked})
    return max(0, round(float(active)))


def workflows(store: StoreReader, window: Window) -> tuple[WorkflowRow, ...]:
    """Which workflow is slow? One row per workflow, the slowest (P95) first."""
    durations = distributions(store, instruments.EXECUTION_DURATION, window, _workflow)
    spent = {row.name: row for row in costs(store, window) if row.by == "workflow"}
    rows = (
        WorkflowRow(
            name=name,
            runs=ended.total,
            success_rate=ended.score,
            mean_ms=durations[name].mean if name in durations else None,
            p95_ms=durations[name].quantile(_P95) if name in durations else None,
            cost_usd=(cost := spent[name].cost_usd if name in spent else 0.0),
            cost_per_run_usd=None if cost is None else _ratio(cost, ended.total),
            cost_is_lower_bound=name in spent and spent[name].is_lower_bound,
        )
        for name, ended in _ended(store, window, _workflow).items()
    )
    return tuple(sorted(rows, key=_slowest_first))


def primitives(store: StoreReader, window: Window) -> tuple[PrimitiveRow, ...]:
    """One row per primitive that is not a workflow, the slowest (P95) first."""
    durations = distributions(store, instruments.EXECUTION_DURATION, window, _primitive)
    rows = (
        PrimitiveRow(
            name=key[0],
            type=key[1],
            executions=ended.total,
            errors=ended.error,
            mean_ms=durations[key].mean if key in durations else None,
            p95_ms=durations[key].quantile(_P95) if key in durations else None,
        )
        for key, ended in _ended(store, window, _primitive).items()
    )
    return tuple(sorted(rows, key=_slowest_first))


def errors_by_type(store: StoreReader, window: Window) -> tuple[ErrorRow, ...]:
    """Why are requests failing? Failed executions of every level, the most frequent type first."""
    counts = _counts(store, instruments.EXECUTIONS, window, semconv.EXECUTION_STATUS, semconv.ERROR_TYPE)
    errors = [(kind, count) for (status, kind), count in counts if status == semconv.ERROR]
    total = sum(count for _, count in errors)
    return tuple(ErrorRow(kind, count, count / total) for kind, count in errors)


def executions_by_type(store: StoreReader, window: Window) -> tuple[TypeRow, ...]:
    """Executions by primitive type, the most frequent first."""
    counts = _counts(store, instruments.EXECUTIONS, window, semconv.PRIMITIVE_TYPE)
    return tuple(TypeRow(kind, count) for (kind,), count in counts)


def cache(store: StoreReader, window: Window) -> CacheRow:
    """Am I wasting money? All caches together."""
    hits, lookups, saved = (total(store, instrument, window) for instrument in _CACHE)
    return _cache_row(hits, lookups, saved)


def caches_by_primitive(store: StoreReader, window: Window) -> tuple[CacheRow, ...]:
    """The same per primitive, the most looked up first."""
    name = labelled(semconv.PRIMITIVE_NAME)
    hits, lookups, saved = (increases(store, instrument, window, name) for instrument in _CACHE)
    rows = (
        _cache_row(hits.get(key, 0), lookups.get(key, 0), saved.get(key, 0), *key) for key in lookups | hits | saved
    )
    used = (row for row in rows if row.lookups or row.saved_usd)
    return tuple(sorted(used, key=lambda row: (-row.lookups, row.primitive or "")))


def connections(store: StoreReader, window: Window) -> tuple[ConnectionRow, ...]:
    """What is calling what? The most frequent first."""
    ends = semconv.SOURCE_PRIMITIVE, semconv.TARGET_PRIMITIVE, semconv.CONNECTION_TYPE
    counts = _counts(store, instruments.CONNECTIONS, window, *ends)
    return tuple(ConnectionRow(source, target, kind, count) for (source, target, kind), count in counts)


def processes(store: StoreReader, now_ns: int) -> tuple[ProcessRow, ...]:
    """Who writes to this store, the latest sign of life first."""
    return tuple(
        ProcessRow(name, pid, instance_id, started_ns, heartbeat_ns, bool(alive))
        for name, pid, instance_id, started_ns, heartbeat_ns, alive in store.rows(_PROCESSES, (now_ns - SILENT_NS,))
    )


def _counts(
    store: StoreReader, instrument: InstrumentSpec, window: Window, *labels: str
) -> list[tuple[tuple[str, ...], int]]:
    """Whole numbers by the values of *labels*, the largest first; what is 0 is left out."""
    found = increases(store, instrument, window, lambda given: tuple(given.get(label, UNKNOWN) for label in labels))
    rows = ((values, round(count)) for values, count in found.items())
    return sorted(((values, count) for values, count in rows if count), key=lambda row: (-row[1], row[0]))


def _ended(store: StoreReader, window: Window, key: Callable[[Labels], _Key | None]) -> dict[_Key, Health]:
    """How executions ended, by *key*; those that did not run are left out."""

    def with_status(labels: Labels) -> tuple[_Key, str] | None:
        group = key(labels)
        return None if group is None else (group, labels.get(semconv.EXECUTION_STATUS, UNKNOWN))

    found = increases(store, instruments.EXECUTIONS, window, with_status)
    groups = dict.fromkeys(group for (group, _), count in found.items() if count)
    return {group: Health(*(round(found.get((group, status), 0)) for status in semconv.STATUSES)) for group in groups}


def _workflow(labels: Labels) -> str | None:
    """What a run of a workflow counts under; None for what is not one."""
    if labels.get(semconv.PRIMITIVE_TYPE) != semconv.WORKFLOW_TYPE:
        return None
    return labels.get(semconv.WORKFLOW_NAME) or labels.get(semconv.PRIMITIVE_NAME, UNKNOWN)


def _primitive(labels: Labels) -> tuple[str, str] | None:
    """What an execution of a primitive counts under; None for a run of a workflow."""
    kind = labels.get(semconv.PRIMITIVE_TYPE, UNKNOWN)
    return None if kind == semconv.WORKFLOW_TYPE else (labels.get(semconv.PRIMITIVE_NAME, UNKNOWN), kind)


def _cache_row(hits: float, lookups: float, saved_usd: float, primitive: str | None = None) -> CacheRow:
    return CacheRow(round(hits), round(lookups), _ratio(hits, lookups), float(saved_usd), primitive)


def _slowest_first(row: WorkflowRow | PrimitiveRow) -> tuple[float, str]:
    return 1.0 if row.p95_ms is None else -row.p95_ms, row.name


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
