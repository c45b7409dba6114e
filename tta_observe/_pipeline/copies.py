"""Copies of spans, events and links with other contents; what was left out of them before is still told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link

if TYPE_CHECKING:
    from collections.abc import Mapping


class SpanCopy(ReadableSpan):
    """*span* with other *parts*; *more_left_out* counts attributes, events and links that are not among these."""

    def __init__(self, span: ReadableSpan, more_left_out: tuple[int, int, int] = (0, 0, 0), **parts: Any) -> None:
        super().__init__(
            **{
                "context": span.context,
                "parent": span.parent,
                "resource": span.resource,
                "kind": span.kind,
                "start_time": span.start_time,
                "end_time": span.end_time,
                "instrumentation_scope": span.instrumentation_scope,
                **parts,
            }
        )
        before = span.dropped_attributes, span.dropped_events, span.dropped_links
        self._left_out = tuple(map(sum, zip(before, more_left_out, strict=True)))

    @property
    def dropped_attributes(self) -> int:
        return self._left_out[0]

    @property
    def dropped_events(self) -> int:
        return self._left_out[1]

    @property
    def dropped_links(self) -> int:
        return self._left_out[2]


class EventCopy(Event):
    """*event* with another name, time or other attributes, of which *more_left_out* are missing."""

    def __init__(
        self, event: Event, name: str, attributes: Mapping[str, Any] | None, time_ns: int, more_left_out: int = 0
    ) -> None:
        super().__init__(name, attributes, time_ns)
        self._left_out = event.dropped_attributes + more_left_out

    @property
    def dropped_attributes(self) -> int:
        return self._left_out


class LinkCopy(Link):
    """*link* with other attributes, of which *more_left_out* are missing."""

    def __init__(self, link: Link, attributes: Mapping[str, Any] | None, more_left_out: int = 0) -> None:
        super().__init__(link.context, attributes)
        self._left_out = link.dropped_attributes + more_left_out

    @property
    def dropped_attributes(self) -> int:
        return self._left_out
