"""What LLM calls cost: an unknown cost is never shown as 0, and a lower bound as what it is. Pure."""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tta_observe.cli import words
from tta_observe.cli.table import Column, Table, named

if TYPE_CHECKING:
    from tta_observe.cli.report import Report
    from tta_observe.local.rows import CostRow, Run

_EACH: Final = 3
"""Rows of each kind of spender."""


def known(cost_usd: float | None, is_lower_bound: bool) -> str:  # noqa: FBT001 - of a row
    """Name a cost of calls that were made."""
    return "unknown" if cost_usd is None else words.usd(cost_usd, at_least=is_lower_bound)


def of_calls(cost_usd: float | None, is_lower_bound: bool) -> str:  # noqa: FBT001 - of a row
    """Name a cost where there may have been no calls."""
    return words.NOTHING if cost_usd == 0 else known(cost_usd, is_lower_bound)


def of_run(run: Run) -> str | Text:
    """What it cost; beside its budget where it has one, in red when that is passed."""
    cost = known(run.cost_usd, run.unpriced_calls > 0) if run.llm_calls else words.NOTHING
    if run.budget_usd is None:
        return cost
    passed = (run.cost_usd or 0) > run.budget_usd
    return Text(f"{cost} of {words.usd(run.budget_usd)}", style="red" if passed else "")


def costs(report: Report) -> Table:
    """Draw who spends: workflows, types of agents, primitives."""
    spenders = groupby(report.costs, key=lambda row: row.by)
    return Table(
        "Costs (an estimate; unpriced: no price, or no usage told)",
        [named("by"), named("name"), *map(Column, ("calls", "tokens", "cost", "share", "unpriced"))],
        [_cost(row, report.spending.cost_usd) for _, rows in spenders for row in islice(rows, _EACH)],
    )


def _cost(row: CostRow, in_all_usd: float) -> tuple[str, ...]:
    return (
        row.by,
        row.name,
        words.count(row.calls) if row.calls else words.NOTHING,  # sampled out
        words.count(row.tokens),
        known(row.cost_usd, row.is_lower_bound),
        words.percent(row.cost_usd / in_all_usd if row.cost_usd and in_all_usd else None),
        words.count(row.unpriced_calls + row.no_usage_calls),
    )


def models(report: Report) -> Table:
    """Draw the models, what they used and what that cost."""
    return Table(
        "Models (cost is an estimate; unpriced: no price, or no usage told)",
        [
            *map(named, ("model", "provider")),
            *map(Column, ("calls", "prompt", "completion", "cost", "unpriced")),
        ],
        [
            (
                row.model or words.NOTHING,
                row.provider or words.NOTHING,
                words.count(row.calls) if row.calls else words.NOTHING,
                words.count(row.prompt_tokens),
                words.count(row.completion_tokens),
                known(row.cost_usd, row.is_lower_bound),
                words.count(row.unpriced_calls + row.no_usage_calls),
            )
            for row in report.models
        ],
    )
