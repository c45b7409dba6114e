"""The normal form of what every provider says in words of its own."""

from __future__ import annotations

from dataclasses import dataclass


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
