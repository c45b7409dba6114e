"""
Puts arguments and results on spans, where that is switched on: ``configure(capture_content=)``, or for one primitive.

Prompts and answers of LLM calls become messages in the form of OpenTelemetry's conventions, everything else a value in
the words of OpenInference. It happens on the call, as lists of messages go on growing after it.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

from tta_observe import semconv
from tta_observe._capture import Room, plain, written
from tta_observe._guard import guarded, quietly
from tta_observe._messages import chunk_text, input_messages, output_messages, system_instructions
from tta_observe._scalars import CUT, MARKED, MAX_BYTES, clean_text, is_a
from tta_observe._sites import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._call import Live
    from tta_observe._sites import Args, Kwargs, Watcher
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue

Attributes = dict[str, "AttributeValue"]

_GEN_AI: Final = frozenset({"llm", "embedding", "tool", "agent"})
"""Types whose content OpenTelemetry's variable is about."""

_MOST_ITEMS: Final = 60
"""Of a generator that gives something else than text; a few less than are written of any list."""

_JSON: Final = "application/json"
_TEXT: Final = "text/plain"


def content_watcher(
    function: Any, type_: str, *, capture_args: bool | None = None, capture_result: bool | None = None
) -> Watcher:
    """What captures the content of calls of *function*; None follows what was configured."""
    names, skipped = _parameters(function)

    def watch(slot: Slot, args: Args, kwargs: Kwargs) -> Watch | None:
        default = slot.captures == "all" or (slot.captures == "gen_ai" and type_ in _GEN_AI)
        wants_result = default if capture_result is None else capture_result
        given: Attributes = {}
        if default if capture_args is None else capture_args:
            given = _input(type_, _named(names, args[skipped:], kwargs))
        return _Content(given, type_, wants_result=wants_result) if given or wants_result else None

    return watch


class _Content(Watch):
    """The content of one call."""

    __slots__ = ("_given", "_joined", "_type", "_wants_result")

    def __init__(self, given: Attributes, type_: str, *, wants_result: bool) -> None:
        self._given, self._type, self._wants_result = given, type_, wants_result
        self._joined: _Joined | None = None

    def attributes(self) -> Mapping[str, AttributeValue]:
        return self._given

    @guarded
    def returned(self, live: Live, result: object) -> None:
        if self._wants_result and result is not None and live.span.is_recording():
            live.span.set_attributes(_output(self._type, result))

    @guarded
    def yielded(self, live: Live, item: object) -> None:
        if self._wants_result and live.span.is_recording():
            if self._joined is None:
                self._joined = _Joined()
            self._joined.add(chunk_text(item) if self._type == "llm" else item)

    @guarded
    def left(self, live: Live, error: BaseException | None) -> None:
        if self._joined is not None:
            live.span.set_attributes(self._joined.attributes(self._type))


class _Joined:
    """What a generator or stream gave, put together: as much of it as a span has room for."""

    __slots__ = ("_are_texts", "_is_cut", "_items", "_room", "_size")

    def __init__(self) -> None:
        self._room = Room()
        self._items: list[object] = []
        self._size = 0
        self._are_texts = True
        self._is_cut = False

    def add(self, item: object) -> None:
        """Take in one item, as it is now; None adds nothing."""
        if item is None or (type(item) is str and not item):
            return
        self._are_texts = self._are_texts and is_a(item, str)
        if self._size < MAX_BYTES and not self._room.is_full and (self._are_texts or len(self._items) < _MOST_ITEMS):
            self._items.append(self._taken(item))
        elif not self._is_cut:
            self._is_cut = True
            self._items.append(CUT)
            MARKED["cut"] += 1

    def _taken(self, item: object) -> object:
        if not is_a(item, str):
            return plain(item, self._room)
        text = clean_text(item, MAX_BYTES)  # type: ignore[arg-type]
        self._size += len(text)
        return text

    def attributes(self, type_: str) -> Attributes:
        """What the span shows of it: one text where all items are text."""
        if not self._are_texts:
            return _value(semconv.OUTPUT_VALUE, written(self._items), _JSON)
        return _output(type_, "".join(map(str, self._items))) if self._items else {}


def _input(type_: str, given: Mapping[str, Any]) -> Attributes:
    if type_ == "llm" and (messages := input_messages(given)) is not None:
        system = system_instructions(given)
        told = {} if system is None else {semconv.GEN_AI_SYSTEM_INSTRUCTIONS: written(system)}
        return {semconv.GEN_AI_INPUT_MESSAGES: written(messages), **told}
    return _value(semconv.INPUT_VALUE, written(given), _JSON) if given else {}


def _output(type_: str, result: object) -> Attributes:
    if type_ == "embedding":
        return {}  # thousands of numbers that nobody reads
    if type_ == "llm" and (messages := output_messages(result)) is not None:
        return {semconv.GEN_AI_OUTPUT_MESSAGES: written(messages)}
    if is_a(result, str):
        return _value(semconv.OUTPUT_VALUE, clean_text(result), _TEXT)  # type: ignore[arg-type]
    return _value(semconv.OUTPUT_VALUE, written(result), _JSON)


def _value(key: str, text: str, mime_type: str) -> Attributes:
    return {key: text, _MIME_TYPES[key]: mime_type}


_MIME_TYPES: Final = {
    semconv.INPUT_VALUE: semconv.INPUT_MIME_TYPE,
    semconv.OUTPUT_VALUE: semconv.OUTPUT_MIME_TYPE,
}


def _named(names: tuple[str, ...], args: Args, kwargs: Kwargs) -> dict[str, Any]:
    """The arguments of a call by their names, as given; those that have none are ``args``."""
    found = dict(zip(names, args, strict=False))
    more = {"args": args[len(names) :]} if len(args) > len(names) else {}
    return {**found, **more, **kwargs}


def _parameters(function: Any) -> tuple[tuple[str, ...], int]:
    """Names of the positional parameters, and how many in front of them are the object or class of a method."""
    inner = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
    signature = quietly(inspect.signature, inner)
    parameters = signature.parameters.values() if signature is not None else ()
    names = tuple(each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD))
    skipped = int(isinstance(function, classmethod) or (names[:1] in (("self",), ("cls",)) and _is_method(inner)))
    return names[skipped:], skipped


def _is_method(function: Any) -> bool:
    # A function outside of any class may call its first parameter `self`, and mean what the caller gave.
    if isinstance(function, functools.partial) or not isinstance(name := getattr(function, "__qualname__", None), str):
        return False
    owner = name.rpartition(".")[0]
    return bool(owner) and not owner.endswith("<locals>")
