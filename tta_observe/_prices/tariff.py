"""How one model is billed, at any time of day."""

from __future__ import annotations

from math import inf
from time import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe.pricing import Rates
    from tta_observe.usage import LLMUsage

_MINUTE_S: Final = 60


class Tariff:
    """The rates of one model, and whose they are; those that change with day or hour are looked up every minute."""

    def __init__(self, find: Callable[[], Rates], source: str, date: str | None = None) -> None:
        self._find = find
        self._until = 0.0
        self._rates = find()
        self.source = source
        self.date = date

    @classmethod
    def fixed(cls, rates: Rates, source: str, date: str | None = None) -> Tariff:
        """One that never changes."""
        made = cls(lambda: rates, source, date)
        made._until = inf
        return made

    def cost_usd(self, usage: LLMUsage) -> float | None:
        """What *usage* costs now, in USD; None when it used tokens of a kind that has no price."""
        now = time()
        if now >= self._until:  # prices begin at whole minutes
            self._rates, self._until = self._find(), (now // _MINUTE_S + 1) * _MINUTE_S
        return self._rates.cost_usd(
            usage.prompt_tokens or 0,
            usage.completion_tokens or 0,
            usage.cached_tokens or 0,
            usage.cache_write_tokens or 0,
            usage.reasoning_tokens or 0,
        )
