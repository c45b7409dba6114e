"""What one LLM call used, and the sum of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tta_observe import semconv
from tta_observe._guard import SharedLock

if TYPE_CHECKING:
    from tta_observe._values import AttributeValue

CostStatus = Literal["priced", "unpriced", "no_usage"]


@dataclass(frozen=True, slots=True)
class LLMUsage:
    """
    One LLM call in normal form.

    *prompt_tokens* include those read from the provider's cache (*cached_tokens*) and written to it
    (*cache_write_tokens*), *completion_tokens* include *reasoning_tokens*.

    *cost_usd* is None unless *cost_status* is ``priced``: an unknown price is never 0.
    """

    provider: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    cost_status: CostStatus
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    price_source: str | None = None
    price_date: str | None = None

    @property
    def total_tokens(self) -> int:
        """Input and output tokens; those not known count as 0."""
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)


_SUMS: Final = SharedLock()
"""Of all sums: a fork inside an LLM call must not inherit one that is held."""


@dataclass(slots=True)
class UsageSum:
    """The usages recorded on one LLM span: numbers add up, names are those of the last."""

    span: Any
    attributes: dict[str, AttributeValue] = field(default_factory=dict)

    def add(self, usage: LLMUsage) -> dict[str, AttributeValue]:
        """Add *usage* and return the attributes that the span has to show now."""
        with _SUMS.lock:
            for key, value in usage_attributes(usage).items():
                before = self.attributes.get(key)
                self.attributes[key] = _joined(key, before, value)
            return dict(self.attributes)


_SUMMED = frozenset(
    {
        semconv.LLM_PROMPT_TOKENS,
        semconv.LLM_COMPLETION_TOKENS,
        semconv.LLM_CACHED_TOKENS,
        semconv.LLM_TOTAL_TOKENS,
        semconv.LLM_COST_USD,
    }
)
_WORST_LAST = (semconv.NO_USAGE, semconv.PRICED, semconv.UNPRICED)


def usage_attributes(usage: LLMUsage) -> dict[str, AttributeValue]:
    """The span attributes of one usage; what is not known is left out."""
    found: dict[str, AttributeValue | None] = {
        semconv.LLM_PROVIDER: usage.provider,
        semconv.LLM_MODEL_NAME: usage.model,
        semconv.LLM_PROMPT_TOKENS: usage.prompt_tokens,
        semconv.LLM_COMPLETION_TOKENS: usage.completion_tokens,
        semconv.LLM_CACHED_TOKENS: usage.cached_tokens,
        semconv.LLM_TOTAL_TOKENS: usage.total_tokens if usage.cost_status != semconv.NO_USAGE else None,
        semconv.LLM_COST_USD: usage.cost_usd,
        semconv.LLM_COST_STATUS: usage.cost_status,
    }
    return {key: value for key, value in found.items() if value is not None}


def _joined(key: str, before: Any, value: Any) -> AttributeValue:
    if before is None:
        return value  # type: ignore[no-any-return]
    if key in _SUMMED:
        return before + value  # type: ignore[no-any-return]
    if key == semconv.LLM_COST_STATUS:  # one unpriced call makes the sum a lower bound: say so
        return max(before, value, key=_WORST_LAST.index)  # type: ignore[no-any-return]
    return value  # type: ignore[no-any-return]
