"""Which price a call has, and the order of what has to wait until the prices are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tta_observe.pricing import find_price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe.pricing import Price
    from tta_observe.usage import LLMUsage


class Cost(NamedTuple):
    """What a call cost: *source* is whose price it was (``"user"``, ``"genai-prices 0.2.3"``), *date* of when."""

    usd: float
    source: str
    date: str | None = None


def cost_of(usage: LLMUsage, prices: Mapping[str, Price]) -> Cost | None:
    """What *usage* cost by the user's *prices*, else by genai-prices; None when nobody knows its price."""
    price = find_price(prices, usage.provider, usage.model)
    if price is None:
        return None
    usd = price.cost_usd(usage.prompt_tokens or 0, usage.completion_tokens or 0, usage.cached_tokens or 0)
    return Cost(usd, "user")


def in_order(work: Callable[[], None]) -> None:
    """
    Do *work* that needs a price, or has to come after such work.

    At once, as a rule. Until the prices are read it waits behind what is waiting; nobody's call waits for it.
    """
    work()
