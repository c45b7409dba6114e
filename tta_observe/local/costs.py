"""
What LLM calls cost: in all, by model, and by who made them.

Costs and tokens are those of the metrics; how many calls there were, and what of them is not known, is in the spans.
A cost that is not known is None, and one that leaves calls out is marked as a lower bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe import instruments, semconv
from tta_observe.local.calls import Calls, added_up, llm_calls
from tta_observe.local.increases import increases, labelled, total
from tta_observe.local.rows import CostRow, ModelRow, Spending
from tta_observe.local.traffic import traffic_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe.instruments import InstrumentSpec
    from tta_observe.local.calls import Owner
    from tta_observe.local.reader import StoreReader
    from tta_observe.local.rows import Spender, Window

_MODEL: Final = semconv.LLM_PROVIDER, semconv.LLM_MODEL_NAME
_NONE: Final = Calls()
_SPENDERS: Final[Mapping[Spender, str]] = {
    "workflow": semconv.WORKFLOW_NAME,
    "agent": semconv.AGENT_TYPE,
    "primitive": semconv.PRIMITIVE_NAME,
}


def models(store: StoreReader, window: Window) -> tuple[ModelRow, ...]:
    """Which model costs the most? By cost, then by tokens."""
    tokens = increases(store, instruments.LLM_TOKENS, window, labelled(*_MODEL, semconv.LLM_TOKEN_TYPE))
    costs = increases(store, instruments.LLM_COST, window, labelled(*_MODEL))
    unpriced = increases(store, instruments.LLM_UNPRICED, window, labelled(*_MODEL))
    calls: dict[tuple[str | None, ...], Calls] = added_up(llm_calls(store, window), lambda owner: owner[:2])
    rows = (
        ModelRow(
            provider=key[0],
            model=key[1],
            prompt_tokens=round(tokens.get((*key, semconv.PROMPT), 0)),
            completion_tokens=round(tokens.get((*key, semconv.COMPLETION), 0)),
            cost_usd=_known(costs.get(key), is_all=not (unpriced.get(key) or calls.get(key, _NONE).no_usage)),
            unpriced_calls=round(unpriced.get(key, 0)),
            no_usage_calls=calls.get(key, _NONE).no_usage,
            calls=calls.get(key, _NONE).number,
        )
        for key in dict.fromkeys((*(each[:2] for each in tokens), *costs, *unpriced, *calls))
    )
    used = (row for row in rows if row.total_tokens or row.cost_usd or row.unpriced_calls or row.calls)
    return tuple(sorted(used, key=lambda row: (-(row.cost_usd or 0), -row.total_tokens, row.model or "")))


def spending(store: StoreReader, window: Window) -> Spending:
    """How much am I spending? Estimated; calls whose cost is not known are counted, not priced."""
    cost_usd = float(total(store, instruments.LLM_COST, window))
    seconds = traffic_seconds(store, window)
    return Spending(
        cost_usd,
        cost_usd / seconds * 3600 if seconds else None,
        round(total(store, instruments.LLM_UNPRICED, window)),
        sum(calls.no_usage for calls in llm_calls(store, window).values()),
    )


def costs(store: StoreReader, window: Window) -> tuple[CostRow, ...]:
    """Where does the money go? By workflow (the innermost), agent type and primitive, of each the dearest first."""
    calls = llm_calls(store, window)
    return tuple(row for by in _SPENDERS for row in _costs_by(store, window, by, calls))


def _costs_by(store: StoreReader, window: Window, by: Spender, calls: Mapping[Owner, Calls]) -> list[CostRow]:
    costs = _by_model(store, instruments.LLM_COST, window, by)
    tokens = _by_model(store, instruments.LLM_TOKENS, window, by)
    unpriced = increases(store, instruments.LLM_UNPRICED, window, labelled(*_MODEL))
    made: dict[str | None, Calls] = added_up(calls, lambda owner: getattr(owner, by))
    rows = []
    for name in dict.fromkeys((*tokens, *costs, *made)):
        of = made.get(name, _NONE)
        # Of traces that were sampled out nothing is known but their tokens, and which models have no price.
        is_all = not (of.unpriced or of.no_usage or any(unpriced.get(model) for model in tokens.get(name, ())))
        cost_usd = _known(sum(costs[name].values()) if name in costs else None, is_all=is_all)
        used = round(sum(tokens.get(name, {}).values()))
        if name is not None and (used or cost_usd or of.number):
            rows.append(CostRow(by, name, of.number, used, cost_usd, not is_all, of.unpriced, of.no_usage))
    return sorted(rows, key=lambda row: (-(row.cost_usd or 0), -row.tokens, row.name))


def _known(cost_usd: float | None, *, is_all: bool) -> float | None:
    """*cost_usd*, unless it is nothing because nothing is known; *is_all*: that of every call is."""
    return float(cost_usd) if cost_usd is not None and (cost_usd or is_all) else None


def _by_model(
    store: StoreReader, instrument: InstrumentSpec, window: Window, by: Spender
) -> dict[str | None, dict[tuple[str | None, ...], float]]:
    """How much *instrument* rose, by spender and then by provider and model; what did not rise has no model."""
    found: dict[str | None, dict[tuple[str | None, ...], float]] = {}
    for (name, *model), rise in increases(store, instrument, window, labelled(_SPENDERS[by], *_MODEL)).items():
        of_name = found.setdefault(name, {})
        if rise:
            of_name[tuple(model)] = rise
    return found
