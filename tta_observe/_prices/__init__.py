"""Which price a call has, and the order of what has to wait until the prices are read."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Final, NamedTuple

from tta_observe._guard import guarded
from tta_observe._prices import line, names
from tta_observe._prices.line import after_drain, drain, in_order, prepare, unread
from tta_observe._prices.tariff import Tariff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._prices.book import Book
    from tta_observe.pricing import Price
    from tta_observe.usage import LLMUsage

__all__ = ["Cost", "after_drain", "cost_of", "drain", "in_order", "needs_reading", "prepare", "unread"]

_MOST_MODELS: Final = 1_000
"""Names of models come from anywhere; past so many different ones they are looked up anew."""


class Cost(NamedTuple):
    """What a call cost: *source* is whose price it was (``"user"``, ``"genai-prices 0.2.3"``), *date* of when."""

    usd: float
    source: str
    date: str | None = None


@guarded
def cost_of(usage: LLMUsage, prices: Mapping[str, Price], *, now: float | None = None) -> Cost | None:
    """
    What *usage* cost by the user's *prices*, else by genai-prices; None when nobody knows its price.

    Until genai-prices is read, which :func:`in_order` waits for, the user's prices alone are known. Some prices depend
    on day or hour: *now* is in seconds since 1970.
    """
    tariff = _tariff(usage.provider, usage.model, prices)
    usd = tariff.cost_usd(usage, time() if now is None else now) if tariff is not None else None
    return None if usd is None or tariff is None else Cost(usd, tariff.source, tariff.date)


def needs_reading(provider: str | None, model: str | None, prices: Mapping[str, Price]) -> bool:
    """Whether the price of *model* has to wait until genai-prices is read: the user's *prices* do not say it."""
    return not line.is_read() and _tariff(provider, model, prices) is None


class _Memo:
    """What was found so far with one set of prices."""

    def __init__(self, prices: Mapping[str, Price], book: Book | None) -> None:
        self.prices = prices
        self.book = book
        self.found: dict[tuple[str | None, str | None], Tariff | None] = {}

    def learn(self, provider: str | None, model: str | None) -> Tariff | None:
        """Look a model up, and remember what was found."""
        if len(self.found) >= _MOST_MODELS:
            self.found.clear()
        found = self.found[provider, model] = self._look_up(provider, model)
        return found

    def _look_up(self, provider: str | None, model: str | None) -> Tariff | None:
        if model is None:
            return None
        for key in names.keys(provider, model) if self.prices else ():
            if key in self.prices:
                return Tariff.fixed(self.prices[key].rates, "user")
        return guarded(self.book.tariff)(provider, model) if self.book is not None else None


class _State:
    memo = _Memo({}, None)


def _tariff(provider: str | None, model: str | None, prices: Mapping[str, Price]) -> Tariff | None:
    memo, book = _State.memo, line.book()
    if memo.prices is not prices or memo.book is not book:
        memo = _State.memo = _Memo(prices, book)
    try:
        return memo.found[provider, model]
    except KeyError:
        return memo.learn(provider, model)
