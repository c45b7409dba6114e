"""
The last look at what leaves: every span and resource is cleaned and redacted before an exporter encodes it.

Spans of other libraries pass here too. One value that cannot be encoded costs itself, not its span, nor the batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode

from tta_observe._export import Batch, Exporter, in_turns
from tta_observe._guard import swallow
from tta_observe._pipeline.copies import EventCopy, LinkCopy, SpanCopy
from tta_observe._values import MARKED, clean, clean_text
from tta_observe.semconv import REDACTED

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData, ScopeMetrics
    from opentelemetry.sdk.trace import Event
    from opentelemetry.trace import Link

    from tta_observe._redact import Redactor

_LARGEST: Final = 2**63 - 1
_MAX_RESOURCES: Final = 64


class Outgoing:
    """An exporter that is given clean batches only."""

    def __init__(self, exporter: Exporter, redactor: Redactor) -> None:
        self._exporter = exporter
        self._redactor = redactor
        self._resources: dict[int, tuple[Resource, Resource]] = {}
        self._last: dict[int, tuple[ReadableSpan, ReadableSpan]] = {}
        self.name = exporter.name
        self.dropped = exporter.dropped
        """Spans that could not be encoded so far."""

    @property
    def target(self) -> str:
        """Where it goes, as far as it is known."""
        return self._exporter.target

    def encode(self, batch: Batch) -> Any:
        """Clean *batch* and have it encoded."""
        # A batch that failed comes again, or in halves: it is not searched again.
        self._last = {id(span): self._last.get(id(span)) or (span, self._span(span)) for span in in_turns(batch.spans)}
        safe = Batch([safe for _, safe in self._last.values()], self._metrics(batch.metrics))
        try:
            return self._exporter.encode(safe)
        finally:
            self.dropped = self._exporter.dropped

    def send(self, encoded: Any, timeout_s: float) -> None:
        """Send what :meth:`encode` made."""
        self._exporter.send(encoded, timeout_s)

    def close(self) -> None:
        """Close the exporter."""
        self._exporter.close()

    def _span(self, span: ReadableSpan) -> ReadableSpan:
        try:
            return _safe_span(span, self._redactor, self._resource(span.resource))
        except Exception as error:  # noqa: BLE001 - what is in a span of others may be anything
            MARKED["redact_failed"] += 1
            swallow("Outgoing", error)
            return ReadableSpan(
                REDACTED, span.context, span.parent, self._resource(span.resource), start_time=0, end_time=0
            )

    def _resource(self, resource: Resource) -> Resource:
        known = self._resources.get(id(resource))
        if known is None:
            given = resource.attributes
            attributes = self._redactor.attributes(given)
            safe = resource if attributes is given else Resource(dict(attributes or {}), resource.schema_url)
            if len(self._resources) >= _MAX_RESOURCES:
                self._resources.clear()
            known = self._resources[id(resource)] = resource, safe
        return known[1]

    def _metrics(self, data: MetricsData | None) -> MetricsData | None:
        if data is None:
            return None
        found = [
            replace(
                of, resource=self._resource(of.resource), scope_metrics=[_within_64_bits(s) for s in of.scope_metrics]
            )
            for of in data.resource_metrics
        ]
        return replace(data, resource_metrics=found)


def _within_64_bits(scope: ScopeMetrics) -> ScopeMetrics:
    """Sums that outgrew what the wire holds as whole numbers become floats, or no metric would be sent any more."""
    if all(_fits(point) for metric in scope.metrics for point in metric.data.data_points):
        return scope
    return replace(scope, metrics=[replace(metric, data=_as_floats(metric.data)) for metric in scope.metrics])


def _as_floats(data: Any) -> Any:
    points = [point if _fits(point) else replace(point, value=float(point.value)) for point in data.data_points]
    return replace(data, data_points=points)


def _fits(point: Any) -> bool:
    value = getattr(point, "value", 0)
    return type(value) is not int or -_LARGEST <= value <= _LARGEST


def _safe_span(span: ReadableSpan, redactor: Redactor, resource: Resource) -> ReadableSpan:
    """*span* itself when it may leave as it is, else a copy that may."""
    given, events, links = span.attributes, span.events, span.links
    start_ns = _nanoseconds(span.start_time, 0)
    before = (span.name, given, *events, *links, span.status, span.start_time, span.end_time)
    name, attributes = redactor.text("span.name", span.name), redactor.attributes(given)
    safe_events = [_safe_event(event, redactor, start_ns) for event in events]
    safe_links = [_safe_link(link, redactor) for link in links]
    status = _safe_status(span.status, redactor)
    end_ns = max(start_ns, _nanoseconds(span.end_time, start_ns))
    scope = _safe_scope(span.instrumentation_scope)
    after = (name, attributes, *safe_events, *safe_links, status, start_ns, end_ns)
    unchanged = all(one is other for one, other in zip(before, after, strict=True))
    if unchanged and resource is span.resource and scope is span.instrumentation_scope:
        return span
    return SpanCopy(
        span,
        name=name,
        resource=resource,
        attributes=attributes,
        events=safe_events,
        links=safe_links,
        kind=span.kind if type(span.kind) is SpanKind else SpanKind.INTERNAL,
        status=status,
        start_time=start_ns,
        end_time=end_ns,
        instrumentation_scope=scope,
    )


def _safe_event(event: Event, redactor: Redactor, start_ns: int) -> Event:
    given = event.attributes
    name, attributes = redactor.text("event.name", event.name), redactor.attributes(given)
    time_ns = _nanoseconds(event.timestamp, start_ns)
    if name is event.name and attributes is given and time_ns is event.timestamp:
        return event
    return EventCopy(event, name, attributes, time_ns)


def _safe_link(link: Link, redactor: Redactor) -> Link:
    given = link.attributes
    attributes = redactor.attributes(given)
    return link if attributes is given else LinkCopy(link, attributes)


def _safe_status(status: Status, redactor: Redactor) -> Status:
    if status.description is None:
        return status
    text = redactor.text("status.description", status.description)
    return status if text is status.description else Status(StatusCode.ERROR, text)


def _safe_scope(scope: InstrumentationScope | None) -> InstrumentationScope | None:
    if scope is None or (type(scope.name) is str and type(scope.version) in (str, type(None)) and not scope.attributes):
        return scope
    return InstrumentationScope(clean_text(str(clean(scope.name))), str(clean(scope.version)))


def _nanoseconds(time_ns: Any, otherwise: int) -> int:
    """*time_ns* when both the wire and the store have a form for it."""
    return time_ns if type(time_ns) is int and 0 <= time_ns <= _LARGEST else otherwise
