"""What the runs of workflows spend, and when that is more than they should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe import semconv
from tta_observe._guard import SharedLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tta_observe._values import AttributeValue

_SUMS: Final = SharedLock()
"""Of all totals, held for an addition: a fork inside a workflow must not inherit one that is held."""

_ROUNDING: Final = 1 + 1e-9
"""What a sum of many costs may be off by."""


class Totals:
    """
    What one workflow run spent so far, nested workflows included.

    Adding reaches the totals of the outer workflows as well; safe from any thread.
    """

    __slots__ = (
        "_passed",
        "budget_usd",
        "cost_usd",
        "llm_calls",
        "open",
        "outer",
        "priced_calls",
        "primitives",
        "tokens",
    )

    def __init__(self, outer: Totals | None = None) -> None:
        self.outer = _first_open(outer)
        if self.outer is not None:  # a workflow that starts its successor for ever makes no endless chain
            self.outer.outer = _first_open(self.outer.outer)
        self.open = True
        """False after the workflow ended: what still runs is its own."""
        self.cost_usd = 0.0
        self.llm_calls = self.priced_calls = self.tokens = self.primitives = 0
        self.budget_usd: float | None = None
        self._passed: Callable[[float], object] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Totals, ()  # in a copy or another process nothing was spent yet

    def watch(self, budget_usd: float, passed: Callable[[float], object]) -> None:
        """Have *passed* called with the cost, once and under no lock, when that is more than *budget_usd*."""
        with _SUMS.lock:
            self.budget_usd, self._passed = budget_usd, passed

    def add_llm_call(self, tokens: int, cost_usd: float | None, *, calls: int = 1) -> None:
        """
        Count one LLM call of *tokens* tokens; *cost_usd* is None when it is not known.

        With no *calls* it is one that was counted before its usage was found.
        """
        for totals in self._chain():
            with _SUMS.lock:
                totals.llm_calls += calls
                totals.tokens += tokens
                if cost_usd is not None:
                    totals.priced_calls += 1
                    totals.cost_usd += cost_usd
                cost, passed = totals.cost_usd, totals._take_passed()  # noqa: SLF001
            if passed is not None:
                passed(cost)

    def add_primitive(self) -> None:
        """Count one primitive that ended."""
        for totals in self._chain():
            with _SUMS.lock:
                totals.primitives += 1

    def close(self) -> dict[str, AttributeValue]:
        """
        End the counting and return the roll-up as span attributes.

        The cost is left out when calls were made and that of none is known. Where that of some is not known it is a
        lower bound, which the number of unpriced calls beside it says.
        """
        with _SUMS.lock:
            self.open, self._passed = False, None
            found: dict[str, AttributeValue] = {
                semconv.WORKFLOW_LLM_CALLS: self.llm_calls,
                semconv.WORKFLOW_TOTAL_TOKENS: self.tokens,
                semconv.WORKFLOW_PRIMITIVES: self.primitives,
            }
            if self.priced_calls or not self.llm_calls:
                found[semconv.WORKFLOW_COST_USD] = self.cost_usd
            if self.llm_calls > self.priced_calls:
                found[semconv.WORKFLOW_UNPRICED_CALLS] = self.llm_calls - self.priced_calls
            if self.budget_usd is not None:
                found[semconv.WORKFLOW_BUDGET_USD] = self.budget_usd
            return found

    def _take_passed(self) -> Callable[[float], object] | None:
        # Three times 0.1 is a little more than 0.3, and no more than a budget of 0.3.
        if self._passed is None or self.budget_usd is None or self.cost_usd <= self.budget_usd * _ROUNDING:
            return None
        passed, self._passed = self._passed, None
        return passed

    def _chain(self) -> Iterator[Totals]:
        totals: Totals | None = self
        while totals is not None:
            if totals.open:
                yield totals
            totals = totals.outer


def _first_open(totals: Totals | None) -> Totals | None:
    while totals is not None and not totals.open:
        totals = totals.outer
    return totals
