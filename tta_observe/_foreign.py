"""
Spans that somebody else's instrumentation records inside an LLM call of ours, as OpenLLMetry and OpenInference do.

A backend that gets both spans would bill the call twice. Theirs is not ours to change, so ours steps back: it keeps
its own ``llm.*`` attributes, and leaves to theirs what other backends add up. What theirs says was used is read where
nothing else says it: the client's response may have become a mere string by the time that our call returns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from tta_observe._guard import SharedLock, guarded
from tta_observe._responses.reading import Reading, added, normal
from tta_observe._values import clean_label, whole_number
from tta_observe.context import current_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe.usage import UsageSum

_MOST_READINGS: Final = 256
"""Foreign calls in one LLM call; the rest is added to the last."""

_TOKENS: Final = (
    ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
)
"""Of :func:`normal`, in its order. Both libraries count the cached part in, whatever the provider does."""

_MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name")
_PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")

_LOCK: Final = SharedLock()
_RUNNING: Final[WeakValueDictionary[int, UsageSum]] = WeakValueDictionary()
"""Foreign spans that are open, by identifier, and the LLM call that each is in. One that never ends goes with that."""


class Underneath:
    """What was used inside one LLM call, as foreign spans say; made when the first of them says anything."""

    __slots__ = ("_readings", "_said")

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._said: set[int] = set()

    @property
    def readings(self) -> tuple[Reading, ...]:
        """One for each call."""
        with _LOCK.lock:
            return tuple(self._readings)

    def ended(self, span_id: int, parent_id: int | None, reading: Reading | None) -> None:
        """Take in what one span says, unless a span inside it has said it before; with the lock held."""
        said = span_id in self._said
        self._said.discard(span_id)
        if reading is not None and not said:
            before = self._readings.pop() if len(self._readings) >= _MOST_READINGS else None
            self._readings.append(added(before, reading) or reading)
        if parent_id is not None and parent_id in _RUNNING and (said or reading is not None):
            self._said.add(parent_id)


@guarded
def started(span_id: int) -> None:
    """A foreign span has started in the current context."""
    frame = current_frame()
    if frame is not None and frame.around is not None:
        _RUNNING[span_id] = frame.around


@guarded
def ended(span: Any) -> None:
    """*span*, as the SDK hands it to processors, has ended, in whatever context; it may be one of ours."""
    call = _RUNNING.pop(span.context.span_id, None) if _RUNNING else None
    if call is None:
        return
    reading = read(span.attributes)
    with _LOCK.lock:
        if reading is not None and call.underneath is None:
            call.underneath = Underneath()
        if call.underneath is not None:
            call.underneath.ended(span.context.span_id, span.parent.span_id if span.parent else None, reading)


def read(attributes: Mapping[str, Any]) -> Reading | None:
    """What *attributes* of a foreign span say was used; None when they do not."""
    tokens = normal(*(_first(attributes, keys, whole_number) for keys in _TOKENS))
    if tokens.prompt is None and tokens.completion is None:
        return None
    provider, model = (_first(attributes, keys, clean_label) for keys in (_PROVIDER, _MODEL))
    return Reading(provider, model, *tokens)


def _first(attributes: Mapping[str, Any], keys: tuple[str, ...], clean: Any) -> Any:
    found = (clean(attributes[key]) for key in keys if key in attributes)
    return next((value for value in found if value is not None), None)
