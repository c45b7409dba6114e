"""Questions about single runs of workflows, answered from their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe import semconv
from tta_observe.local.records import from_json
from tta_observe.local.rows import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe.local.reader import StoreReader
    from tta_observe.local.rows import Window

_LATEST: Final = """
    SELECT trace_id, span_id, name, start_ns, duration_ns, status, attributes FROM spans
    WHERE type = 'workflow' AND start_ns > ? AND start_ns <= ? ORDER BY start_ns DESC LIMIT ?
"""


def latest_runs(store: StoreReader, window: Window, limit: int = 10) -> tuple[Run, ...]:
    """The newest *limit* runs of workflows that began within *window*, nested ones included, newest first."""
    return tuple(_run(*row) for row in store.rows(_LATEST, (window.start_ns, window.end_ns, limit)))


def _run(trace_id: str, span_id: str, name: str, start_ns: int, duration_ns: int, status: str, attributes: str) -> Run:
    known: Mapping[str, Any] = from_json(attributes)
    ended = semconv.ERROR if status == "ERROR" else semconv.SUCCESS
    return Run(
        trace_id=trace_id,
        span_id=span_id,
        workflow=str(known.get(semconv.WORKFLOW_NAME, known.get(semconv.PRIMITIVE_NAME, name))),
        workflow_id=known.get(semconv.WORKFLOW_ID),
        start_ns=start_ns,
        duration_ms=known.get(semconv.EXECUTION_DURATION_MS, duration_ns / 1e6),
        status=known.get(semconv.EXECUTION_STATUS, ended),
        error_type=known.get(semconv.ERROR_TYPE),
        cost_usd=known.get(semconv.WORKFLOW_COST_USD),
        llm_calls=known.get(semconv.WORKFLOW_LLM_CALLS, 0),
        tokens=known.get(semconv.WORKFLOW_TOTAL_TOKENS, 0),
        primitives=known.get(semconv.WORKFLOW_PRIMITIVES, 0),
        unpriced_calls=known.get(semconv.WORKFLOW_UNPRICED_CALLS, 0),
        budget_usd=known.get(semconv.WORKFLOW_BUDGET_USD),
    )
