"""What tokens cost. Pure: no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tta_observe._values import finite_number
from tta_observe.errors import ConfigurationError

_UNIT: Final = 10**12
"""A rate is so many to one USD per million tokens; integers add up without rounding."""

_PER_TOKEN: Final = _UNIT * 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """
    What each kind of token costs, as :func:`rate` makes it; None where nobody says.

    *beyond* holds for the whole call once its input tokens exceed *limit*: with the providers, all tokens are billed
    at the rate of the tier that the input reaches.
    """

    input: int | None
    output: int | None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    request: int = 0
    limit: int = 0
    beyond: Rates | None = None

    def cost_usd(
        self,
        prompt_tokens: int,
        completion_tokens: int,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> float | None:
        """
        Cost in USD of one call, rounded once; None when it used a kind of tokens whose rate nobody says.

        *prompt_tokens* include *cached_tokens* and *cache_write_tokens*, *completion_tokens* include
        *reasoning_tokens*. A part without a rate of its own costs what the whole does.
        """
        if self.beyond is not None and prompt_tokens > self.limit:
            return self.beyond.cost_usd(
                prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens
            )
        if (prompt_tokens and self.input is None) or (completion_tokens and self.output is None):
            return None
        cached = min(cached_tokens, prompt_tokens)
        written = min(cache_write_tokens, prompt_tokens - cached)
        thought = min(reasoning_tokens, completion_tokens)
        total = self.request + (
            (prompt_tokens - cached - written) * (self.input or 0)
            + cached * _either(self.cached, self.input)
            + written * _either(self.cache_write, self.input)
            + (completion_tokens - thought) * (self.output or 0)
            + thought * _either(self.reasoning, self.output)
        )
        return total / _PER_TOKEN


def rate(usd_per_million: float | Decimal) -> int:
    """A price as the integer that :class:`Rates` counts in; a float means the decimal number that it is written as."""
    exact = usd_per_million if type(usd_per_million) is Decimal else Decimal(repr(usd_per_million))
    return round(exact * _UNIT)


def _optional_rate(usd_per_million: float | None) -> int | None:
    number = finite_number(usd_per_million)
    return None if number is None else rate(number)


def _either(own: int | None, whole: int | None) -> int:
    return own if own is not None else whole or 0


@dataclass(frozen=True, slots=True)
class Price:
    """
    USD per million tokens.

    *cached_input* is the price of input tokens that the provider read from its cache, *cache_write* of those that it
    wrote to it; None means as *input*.

    Raises:
        ConfigurationError: a price is not a finite number, or negative.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input", "cache_write"):
            value = getattr(self, name)
            if finite_number(value) is None and not (name in _OPTIONAL and value is None):
                raise ConfigurationError(
                    f"Price({name}={value!r}) is not a price. Write USD per million tokens, e.g. {name}=2.50."
                )

    @property
    def rates(self) -> Rates:
        """The same in integers."""
        return Rates(
            _optional_rate(self.input),
            _optional_rate(self.output),
            _optional_rate(self.cached_input),
            _optional_rate(self.cache_write),
        )

    def cost_usd(
        self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0, cache_write_tokens: int = 0
    ) -> float:
        """Cost in USD; *prompt_tokens* include cached and written ones, as in OpenTelemetry's conventions."""
        return self.rates.cost_usd(prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens) or 0.0


_OPTIONAL: Final = ("cached_input", "cache_write")
