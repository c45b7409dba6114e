"""Recording what LLM calls used and cost: by hand, from what they return, from the streams they give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Never

from tta_observe import _arguments, _genai, _sites, _telemetry, semconv
from tta_observe._billing import Owner, bill, owner_here, owner_of
from tta_observe._guard import guarded, warn_once
from tta_observe._request import Request, request_reader
from tta_observe._responses import Reading, StreamReader, read
from tta_observe._values import class_name, clean, clean_label, finite_number, whole_number
from tta_observe.errors import unknown_option
from tta_observe.instruments import LLM_TOKENS
from tta_observe.usage import LLMUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe._call import Live
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue
    from tta_observe.usage import CostStatus, UsageSum

_OPTIONS = (
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "temperature",
    "max_tokens",
    "cost_usd",
)


def record_llm_usage(
    response: object = None,
    *,
    provider: str | None = None,
    model: str | None = None,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    cached_tokens: int | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    cost_usd: float | None = None,
    **unknown: Never,
) -> LLMUsage:
    """
    Record tokens and cost of one LLM call, on the span of the LLM primitive around it and on the metrics.

    Not needed where an ``llm`` or ``embedding`` primitive returns the response, or yields its stream: that is recorded
    by itself, unless something inside was recorded by hand.

    Inside such a primitive several calls add up on its span; elsewhere each gets a span of its own,
    ``primitive.llm.usage``. Outside any span, and after the workflow has ended, only the metrics are recorded.
    A number that is negative, not finite or no number at all is left out, with one warning.

    In the first moments of a program, while the prices are being read, the usage that is returned is ``unpriced`` where
    they are needed; what is recorded gets its cost as soon as they are there.

    Args:
        response: what the client returned, object or dict, or the last chunk of a stream; the arguments below win over
            what it says. One that is not understood is left out, with one warning.
        provider: who served it; default: that of the response, of the call's arguments, of the context.
        model: which model; the same.
        prompt_tokens: input tokens, cached ones included.
        completion_tokens: output tokens.
        cached_tokens: those of the input tokens that the provider read from its cache.
        temperature: of the request.
        max_tokens: limit of output tokens of the request.
        cost_usd: what it cost in USD, when you know better than the prices given to ``configure()``.

    Raises:
        ConfigurationError: an option is unknown.
    """
    if unknown:
        raise unknown_option("record_llm_usage", unknown, _OPTIONS)
    given: dict[str, Any] = {
        "provider": clean_label(provider),
        "model": clean_label(model),
        "prompt_tokens": _count("prompt_tokens", prompt_tokens),
        "completion_tokens": _count("completion_tokens", completion_tokens),
        "cached_tokens": _count("cached_tokens", cached_tokens),
    }
    reading = replace(_understood(response), **{key: value for key, value in given.items() if value is not None})
    owner = owner_here()
    cost = None if cost_usd is None else _number("cost_usd", cost_usd)
    told = {**_told(reading), **_known({semconv.LLM_TEMPERATURE: temperature, semconv.LLM_MAX_TOKENS: max_tokens})}
    usage = _usage(reading, owner, cost)
    return bill(_telemetry.current(), usage, owner, told) or usage


def record_llm_tokens(provider: str | None, model: str | None, token_type: str, count: int) -> None:
    """
    Count *count* tokens on the metric alone: no span, no cost, no roll-up.

    Raises:
        ConfigurationError: *token_type* is neither ``prompt`` nor ``completion``.
    """
    kind = _arguments.one_of("token_type", token_type, semconv.TOKEN_TYPES)
    _count_tokens(clean_label(provider), clean_label(model), kind, count)


@guarded
def _count_tokens(provider: str | None, model: str | None, kind: str, count: int) -> None:
    slot = _telemetry.current()
    if slot is not None:
        slot.record(LLM_TOKENS, count, (provider, model, kind, *owner_here().labels))


class _LLMCall(_sites.Watch):
    """Follows one call of an LLM primitive and records what it used, unless something inside has been recorded."""

    __slots__ = ("_chunks", "_first_ms", "_reader", "_reading", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._reading: Reading | None = None
        self._reader: StreamReader | None = None
        self._chunks = 0
        self._first_ms: float | None = None

    def attributes(self) -> Mapping[str, AttributeValue]:
        return self._request.attributes()

    def returned(self, live: Live, result: object) -> None:
        if live.usage is not None and not live.usage.told:
            self._reading = read(result)

    def streamed(self, live: Live) -> None:
        self._reader = StreamReader()

    def yielded(self, live: Live, item: object) -> None:
        reader = self._reader = self._reader or StreamReader()
        self._chunks += 1
        if reader.feed(item) and self._first_ms is None:
            self._first_ms = live.elapsed_ms
        outer = live.usage.outer if live.usage is not None else None
        if outer is not None and not outer.told and _is_measured(reader.reading()):
            outer.tell()  # now, not at the end: the call around it may see this chunk, too, and end before

    def left(self, live: Live, error: BaseException | None) -> None:
        if self._reader is not None:
            live.span.set_attributes(self._stream_attributes(live))
            self._reading = self._reader.reading()
        if live.usage is not None and not live.usage.told:
            has_failed = error is not None and not isinstance(error, GeneratorExit)
            for reading in self._readings(live.usage, was_answered=not has_failed or bool(self._chunks)):
                self._bill(live, live.usage, reading)

    def _readings(self, own: UsageSum, *, was_answered: bool) -> tuple[Reading, ...]:
        """What the call says that it used, else what another instrumentation's spans inside it say."""
        if own.underneath is not None and not _is_measured(self._reading):
            return own.underneath.readings
        return (self._reading or Reading(),) if was_answered else ()

    def _bill(self, live: Live, own: UsageSum, reading: Reading) -> None:
        owner = owner_of(live)
        usage = _usage(reading, owner, None)
        bill(live.slot, usage, owner, _told(reading))
        if usage.cost_status == semconv.NO_USAGE:
            own.miss()

    def _stream_attributes(self, live: Live) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {semconv.LLM_STREAMING: True, semconv.LLM_CHUNKS: self._chunks}
        first_ns = None
        if self._first_ms is not None:
            found[semconv.LLM_TIME_TO_FIRST_TOKEN_MS] = self._first_ms
            first_ns = live.started_ns + int(self._first_ms * 1e6)
        return {**found, **_genai.stream_attributes(live.started_ns, first_ns)}


def _watcher(function: Any) -> Callable[[Slot, tuple[Any, ...], Mapping[str, Any]], _LLMCall]:
    read_request = request_reader(function)
    return lambda _slot, args, kwargs: _LLMCall(read_request(args, kwargs))


_sites.WATCHERS.update(dict.fromkeys(semconv.LLM_TYPES, _watcher))


def _understood(response: object) -> Reading:
    found = None if response is None else _read(response)
    if found is None and response is not None:
        warn_once(
            f"response:{class_name(type(response))}",
            "record_llm_usage does not understand %s. Pass what the client returned, the last chunk of a stream, or "
            "the numbers: record_llm_usage(model=..., prompt_tokens=..., completion_tokens=...).",
            class_name(type(response)),
        )
    return found or Reading()


@guarded
def _read(response: object) -> Reading | None:
    found = read(response)
    if found is None:
        reader = StreamReader()
        reader.feed(response)
        found = reader.reading()
    return found


def _usage(reading: Reading, owner: Owner, cost_usd: float | None) -> LLMUsage:
    """*reading* as a usage: what it does not say comes from the arguments of the call, then from the context."""
    asked, workflow = owner.usage.asked if owner.usage is not None else {}, owner.workflow
    provider = reading.provider or _text(asked.get(semconv.LLM_PROVIDER)) or workflow.llm_provider
    status: CostStatus = "unpriced" if _is_measured(reading) else "no_usage"
    return LLMUsage(
        provider or reading.provider_hint,
        reading.model or _text(asked.get(semconv.LLM_MODEL_NAME)) or workflow.llm_model_name,
        reading.prompt_tokens,
        reading.completion_tokens,
        reading.cached_tokens,
        cost_usd,
        status if cost_usd is None else "priced",
        reading.cache_write_tokens,
        reading.reasoning_tokens,
    )


def _is_measured(reading: Reading | None) -> bool:
    return reading is not None and not (reading.prompt_tokens is None and reading.completion_tokens is None)


def _told(reading: Reading) -> dict[str, AttributeValue]:
    request = {semconv.LLM_TEMPERATURE: reading.temperature, semconv.LLM_MAX_TOKENS: reading.max_tokens}
    return {**_known(request), **_genai.response_attributes(reading.response_id, reading.finish_reasons)}


def _known(attributes: Mapping[str, object]) -> dict[str, AttributeValue]:
    cleaned = ((key, clean(value)) for key, value in attributes.items())
    return {key: value for key, value in cleaned if value is not None}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(name: str, value: object) -> int | None:
    found = whole_number(value)
    return found if value is None or found is not None else _rejected(name)


def _number(name: str, value: object) -> float | None:
    found = finite_number(value)
    return _rejected(name) if found is None else float(found)


def _rejected(name: str) -> Any:
    warn_once(f"usage:{name}", "record_llm_usage: %s was not recorded. Pass a number that is not negative.", name)
