"""
How large a span is, before it is queued: about what its contents take, without encoding them.

Strings of ours are cut where they come in; those of other libraries are cut here, so that the queue never holds more
of a string than may leave the process.
"""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from opentelemetry.sdk.trace import Event
from opentelemetry.trace import Link, Status, StatusCode

from tta_observe import semconv
from tta_observe._pipeline.copies import EventCopy, LinkCopy, SpanCopy
from tta_observe._values import MAX_BYTES, MAX_DEPTH, clean_text, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_Part = TypeVar("_Part", Event, Link)

MAX_SPAN_BYTES: Final = 7 * 1024 * 1024 // 4
"""
Largest span: attributes, then events, then links, as many as fit.

Half of a request: text that is not ASCII takes up to twice as much on the wire as in memory.
"""

_TOO_LARGE: Final = MAX_SPAN_BYTES + 1
"""What a value counts that has to be cut, whatever stands beside it."""

_FRAME: Final = 70
"""Identifiers, times, kind and flags of a span; an event or a link takes less."""

_FIELD: Final = 12
"""Tags and lengths around one value and its key."""

_NUMBER: Final = 10
_PLAIN: Final = frozenset({bool, int, float, type(None)})
_MAX_ITEMS: Final = 4096
"""A longer sequence is cut; what is shorter is looked at item by item."""


class Measured(NamedTuple):
    """A span that may be queued, and about how many bytes it takes."""

    span: ReadableSpan
    size: int
    is_cut: bool = False


def measured(span: ReadableSpan) -> Measured:
    """*span* and its size; where it, or a value of it, is too large, a copy that carries :data:`semconv.TRUNCATED`."""
    size = _span_size(span)
    if size <= MAX_SPAN_BYTES:
        return Measured(span, size)
    made = _cut_span(span)
    return Measured(made, _span_size(made), is_cut=True)


def _span_size(span: ReadableSpan) -> int:
    size = _FRAME + _text_size(span.name) + _text_size(span.status.description or "") + _attributes_size(span)
    return size + sum(map(_event_size, span.events)) + sum(map(_link_size, span.links))


def _event_size(event: Event) -> int:
    return _FRAME + _text_size(event.name) + _attributes_size(event)


def _link_size(link: Link) -> int:
    return _FRAME + _attributes_size(link)


def _attributes_size(holder: ReadableSpan | Event | Link) -> int:
    size = 0
    for key, value in _copied(holder.attributes).items():
        size += len(key) + _size(value) + _FIELD
    return size


def _copied(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    # The SDK's own items() take a lock for each of them.
    copy: Callable[[], Mapping[str, Any]] | None = getattr(attributes, "copy", None)
    return copy() if copy is not None else dict(attributes or {})


def _size(value: Any, depth: int = MAX_DEPTH) -> int:
    kind = type(value)  # exactly: a class of somebody's own may bring a length of its own
    if kind is str or kind is bytes:
        return _text_size(value)
    if kind in _PLAIN:
        return _NUMBER
    if not depth or kind not in (tuple, list, dict) or len(value) > _MAX_ITEMS:
        return _TOO_LARGE
    if kind is dict:
        return sum(_text_size(key) + _size(item, depth - 1) + 2 * _FIELD for key, item in value.items())
    return sum(_size(item, depth - 1) + _FIELD for item in value)


def _text_size(text: Any) -> int:
    if type(text) not in (str, bytes) or len(text) > MAX_BYTES:
        return _TOO_LARGE
    return len(text) if type(text) is bytes or text.isascii() else getsizeof(text)


def _cut_span(span: ReadableSpan) -> ReadableSpan:
    """A copy of *span*, cut to size."""
    room = _Room(MAX_SPAN_BYTES - _FRAME - 3 * MAX_BYTES)  # less the name, the status and the mark
    attributes = room.attributes(span.attributes)
    events = room.kept(map(_cut_event, span.events), _event_size)
    links = room.kept(map(_cut_link, span.links), _link_size)
    return SpanCopy(
        span,
        (_missing(span, attributes), len(span.events) - len(events), len(span.links) - len(links)),
        name=_name(span.name),
        attributes={**attributes, semconv.TRUNCATED: True},
        events=events,
        links=links,
        status=_cut_status(span.status),
    )


class _Room:
    """What is left of a span's size."""

    def __init__(self, size: int) -> None:
        self._left = size

    def attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        """Those of *attributes* that fit, each cut to size."""
        return {k: v for k, v in _cut(attributes).items() if self._takes(len(k) + _size(v) + _FIELD)}

    def kept(self, parts: Iterable[_Part], size: Any) -> Sequence[_Part]:
        """Those of *parts* that fit."""
        return [part for part in parts if self._takes(size(part))]

    def _takes(self, size: int) -> bool:
        fits = size <= self._left
        self._left -= size if fits else 0
        return fits


def _cut(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    found = {k: v if _size(v) <= MAX_SPAN_BYTES else kept(v) for k, v in _copied(attributes).items()}
    return {key: value for key, value in found.items() if value is not None}


def _cut_event(event: Event) -> Event:
    attributes = _cut(event.attributes)
    return EventCopy(event, _name(event.name), attributes, event.timestamp, _missing(event, attributes))


def _cut_link(link: Link) -> Link:
    attributes = _cut(link.attributes)
    return LinkCopy(link, attributes, _missing(link, attributes))


def _missing(holder: ReadableSpan | Event | Link, kept_ones: Mapping[str, Any]) -> int:
    return len(holder.attributes or ()) - len(kept_ones)


def _cut_status(status: Status) -> Status:
    if status.status_code is not StatusCode.ERROR or not status.description:
        return status
    return Status(status.status_code, _name(status.description))


def _name(given: Any) -> str:
    return clean_text(given if type(given) is str else str(kept(given)))
