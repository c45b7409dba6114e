"""The table of workflows: one query a column, all over the time range that the reader chose."""

from __future__ import annotations

from typing import Final

from tta_observe import semconv
from tta_observe.dashboards import thresholds
from tta_observe.dashboards.panel import Column, Query
from tta_observe.dashboards.promql import ENDED, FAILED, RUN, differs, increase, p95, ratio_by, total
from tta_observe.instruments import EXECUTION_DURATION, EXECUTIONS, LLM_COST

_BY: Final = semconv.WORKFLOW_NAME


def _over_runs(part: str) -> str:
    return total(increase(EXECUTION_DURATION, RUN, part=part), _BY)


_FAILED: Final = total(increase(EXECUTIONS, RUN, FAILED), _BY)
_ENDED: Final = total(increase(EXECUTIONS, RUN, ENDED), _BY)
_RUNS: Final = total(increase(EXECUTIONS, RUN), _BY)
_COST: Final = total(increase(LLM_COST, differs(_BY, "")), _BY)
_P95: Final = p95(increase(EXECUTION_DURATION, RUN, part="bucket"), _BY)

QUERIES: Final = (
    Query("success", f"1 - {ratio_by(_FAILED, _ENDED)}", as_table=True),
    Query("runs", f"round({_RUNS}) > 0", as_table=True),
    Query("average", f"{_over_runs('sum')} / ({_over_runs('count')} > 0)", as_table=True),
    Query("p95", f"{_P95} > 0", as_table=True),
    Query("cost", f"{_COST} / ({_RUNS} > 0)", as_table=True),
)

NAME: Final = "Workflow"
COLUMNS: Final = (
    Column("success", "Success rate", "percentunit", thresholds.HEALTH),
    Column("runs", "Total runs", "none"),
    Column("average", "Average", "ms"),
    Column("p95", "P95", "ms", saturates=True),
    Column("cost", "Cost per run", "currencyUSD"),
)
