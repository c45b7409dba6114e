"""What tokens cost. Pure: no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tta_observe._values import finite_number
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Price:
    """
    USD per million tokens.

    *cached_input* is the price of input tokens that the provider read from its cache; None means as *input*.

    Raises:
        ConfigurationError: a price is not a finite number, or negative.
    """

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input"):
            value = getattr(self, name)
            if finite_number(value) is None and not (name == "cached_input" and value is None):
                raise ConfigurationError(
                    f"Price({name}={value!r}) is not a price. Write USD per million tokens, e.g. {name}=2.50."
                )

    def cost_usd(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """Cost in USD; *prompt_tokens* include *cached_tokens*, as in OpenTelemetry's conventions."""
        cached = min(cached_tokens, prompt_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        millionths = (prompt_tokens - cached) * self.input + cached * cached_price + completion_tokens * self.output
        return millionths / 1_000_000


def find_price(prices: Mapping[str, Price], provider: str | None, model: str | None) -> Price | None:
    """The price of *model*: under ``provider/model``, else under ``model``, else None."""
    if model is None:
        return None
    return prices.get(f"{provider}/{model}") or prices.get(model)
