"""What one LLM call used, and the sum of several."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from tta_observe import semconv
from tta_observe._guard import SharedLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe._foreign import Underneath
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


_NOTHING: Final[Mapping[str, AttributeValue]] = MappingProxyType({})

_SUMS: Final = SharedLock()
"""Of all sums: a fork inside an LLM call must not inherit one that is held."""


class UsageSum:
    """
    The usages recorded on one LLM span, and what they mean for the LLM calls around it. Safe from any thread.

    Numbers add up, names are those of the last. A usage that is *told* inside is the bill of every call around it as
    well: none of them reads its own result any more.
    """

    __slots__ = ("__weakref__", "_found", "_open", "asked", "ended", "outer", "told", "underneath", "unmeasured")

    def __init__(self, outer: UsageSum | None = None, asked: Mapping[str, AttributeValue] = _NOTHING) -> None:
        self.outer = _first_running(outer)
        if self.outer is not None:  # a call that starts its successor for ever makes no endless chain
            self.outer.outer = _first_running(self.outer.outer)
        self.asked = asked
        """What the arguments of the call say of provider, model and request, as span attributes."""
        self.told = False
        """Whether a usage was recorded inside, or is sure to be: at once, though its price may still be looked up."""
        self.unmeasured = 0
        """Calls inside that ended without a usage which nobody outside has found since."""
        self.underneath: Underneath | None = None
        """What spans of another instrumentation say of it."""
        self.ended = False
        self._open = True
        self._found: dict[str, AttributeValue] = {}

    def tell(self) -> None:
        """Say that the usage of this call is known, and with it that of every call around it."""
        for usage in self._chain():
            usage.told = True

    def miss(self) -> None:
        """Say that this call has ended and its usage is not known."""
        with _SUMS.lock:
            for usage in self._chain():
                usage.unmeasured += 1

    def is_new(self) -> bool:
        """Whether a usage that is found now is of a call that was not counted before, when it ended without one."""
        with _SUMS.lock:
            if not self.unmeasured:
                return True
            for usage in self._chain():
                usage.unmeasured = max(0, usage.unmeasured - 1)
            return False

    @property
    def is_elsewhere(self) -> bool:
        """Whether a span inside, ours or another instrumentation's, is the one that other backends shall bill."""
        return self.underneath is not None or (self.told and not self._found)

    def add(self, attributes: Mapping[str, AttributeValue]) -> bool:
        """Add one usage; False when the span has ended meanwhile."""
        with _SUMS.lock:
            if self._open:
                for key, value in attributes.items():
                    self._found[key] = _joined(key, self._found.get(key), value)
            return self._open

    def close(self) -> dict[str, AttributeValue]:
        """End the adding and return what the span has to show."""
        with _SUMS.lock:
            self._open = False
            return dict(self._found)

    def _chain(self) -> Iterator[UsageSum]:
        usage: UsageSum | None = self
        while usage is not None:
            yield usage
            usage = usage.outer


def _first_running(usage: UsageSum | None) -> UsageSum | None:
    while usage is not None and usage.ended:
        usage = usage.outer
    return usage


_CALLS: Final[Counter[CostStatus]] = Counter()


def note_call(status: CostStatus, *, is_new: bool = True) -> None:
    """Count one LLM call for :func:`llm_calls`; not *is_new*: one that was counted before, as without usage."""
    with _SUMS.lock:
        _CALLS[status] += 1
        if not is_new:
            _CALLS["no_usage"] -= 1


def llm_calls() -> dict[str, int]:
    """How many LLM calls this process has recorded, by what is known of their cost."""
    with _SUMS.lock:
        return {status: count for status, count in _CALLS.items() if count}


_SUMMED = frozenset(
    {
        semconv.LLM_PROMPT_TOKENS,
        semconv.LLM_COMPLETION_TOKENS,
        semconv.LLM_CACHED_TOKENS,
        semconv.LLM_CACHE_WRITE_TOKENS,
        semconv.LLM_REASONING_TOKENS,
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
        semconv.LLM_CACHE_WRITE_TOKENS: usage.cache_write_tokens,
        semconv.LLM_REASONING_TOKENS: usage.reasoning_tokens,
        semconv.LLM_TOTAL_TOKENS: usage.total_tokens if usage.cost_status != semconv.NO_USAGE else None,
        semconv.LLM_COST_USD: usage.cost_usd,
        semconv.LLM_COST_STATUS: usage.cost_status,
        semconv.LLM_PRICE_SOURCE: usage.price_source,
        semconv.LLM_PRICE_DATE: usage.price_date,
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
