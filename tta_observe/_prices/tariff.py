"""How one model is billed, at any time of day."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe.pricing import Rates
    from tta_observe.usage import LLMUsage

_MINUTE_S: Final = 60


class Tariff:
    """
    The rates of one model, and whose they are.

    Those that change with day or hour are asked for again every minute: prices begin at whole ones.
    """

    def __init__(self, rates_at: Callable[[float], Rates], source: str, date: str | None = None) -> None:
        self._rates_at = rates_at
        self._now: tuple[float, float, Rates] = (0.0, 0.0, rates_at(0.0))
        self.source = source
        self.date = date

    @classmethod
    def fixed(cls, rates: Rates, source: str, date: str | None = None) -> Tariff:
        """One that never changes."""
        made = cls(lambda _: rates, source, date)
        made._now = (-inf, inf, rates)
        return made

    def cost_usd(self, usage: LLMUsage, now: float) -> float | None:
        """
        What *usage* costs at *now*, in seconds since 1970; in USD.

        None when it used tokens of a kind that has no price.
        """
        since, until, rates = self._now
        if not since <= now < until:
            since = now // _MINUTE_S * _MINUTE_S
            rates = self._rates_at(since)
            self._now = (since, since + _MINUTE_S, rates)
        return rates.cost_usd(
            usage.prompt_tokens or 0,
            usage.completion_tokens or 0,
            usage.cached_tokens or 0,
            usage.cache_write_tokens or 0,
            usage.reasoning_tokens or 0,
        )
