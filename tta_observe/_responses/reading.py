"""The normal form of what every provider says in words of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What one response says of its call; what it does not say is None.

    *prompt_tokens* include those read from the provider's cache (*cached_tokens*) and written to it
    (*cache_write_tokens*), *completion_tokens* include *reasoning_tokens*: the rule of OpenTelemetry's conventions.

    *provider* is told by the response itself. *provider_hint* is only whose client library carried it, to be used when
    nothing else names a provider: through OpenAI's client any compatible server may answer.
    """

    provider: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    provider_hint: str | None = None

    @property
    def counted(self) -> bool:
        """Whether it says how many tokens were used."""
        return self.prompt_tokens is not None or self.completion_tokens is not None


class Tokens(NamedTuple):
    """The numbers of one response in normal form, in the order of :class:`Reading`."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


UNKNOWN: Final = Tokens()


def normal(
    prompt: int | None, completion: int | None, cached: int | None, cache_write: int | None, reasoning: int | None
) -> Tokens:
    """
    Numbers of which each part fits into its whole: what a provider says too much of a part is left out.

    No tokens at all are no numbers: a client such as LiteLLM fills in zeros where the server said nothing.
    """
    if not prompt and not completion:
        return UNKNOWN
    cached = _within(cached, prompt)
    cache_write = _within(cache_write, None if prompt is None else prompt - (cached or 0))
    return Tokens(prompt, completion, cached, cache_write, _within(reasoning, completion))


def plus(*numbers: int | None) -> int | None:
    """The sum of those *numbers* that are known; None when none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def later(before: Reading | None, now: Reading | None) -> Reading | None:
    """What a stream has said when it said *before* and then *now*; numbers are taken over all together."""
    if before is None or now is None:
        return before or now
    said = {
        name: getattr(now, name)
        for name in _NAMES
        if getattr(now, name) not in {None, ()} or (now.counted and name in _NUMBERS)
    }
    return replace(before, **said)


def added(before: Reading | None, now: Reading | None) -> Reading | None:
    """The same for a stream whose chunks each count their own tokens."""
    if before is None or now is None:
        return before or now
    sums = {name: plus(getattr(before, name), getattr(now, name)) for name in _NUMBERS}
    return replace(later(before, now) or now, **sums)  # type: ignore[arg-type]


_NUMBERS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_NAMES: Final = tuple(field.name for field in fields(Reading))


def _within(number: int | None, whole: int | None) -> int | None:
    if number is None or whole is None:
        return None
    return min(number, whole)
