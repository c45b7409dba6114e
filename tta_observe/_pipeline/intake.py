"""What a lane hands to providers, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from tta_observe import _foreign, _garbage, semconv
from tta_observe._guard import guarded

if TYPE_CHECKING:
    from tta_observe._pipeline.lane import Lane
    from tta_observe._pipeline.outlet import Outlet


class Processor(SpanProcessor):
    """Hands ended spans to a lane."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def on_end(self, span: ReadableSpan) -> None:
        self._lane.put(span)

    def shutdown(self) -> None:
        """The lane is ended by its pipeline, with a deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._lane.flush_for_application(timeout_millis)


class Onlooker(SpanProcessor):
    """Sees which spans of others are inside LLM calls of ours; keeps and sends nothing."""

    @guarded
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if span.instrumentation_scope.name != semconv.SCOPE:
            _foreign.started(span.get_span_context().span_id)

    def on_end(self, span: ReadableSpan) -> None:
        _foreign.ended(span)


class Reader(MetricReader):
    """Holds the last collection of metrics for a lane or an endpoint."""

    latest: MetricsData | None = None

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        self.latest = metrics_data

    def take(self) -> MetricsData | None:
        """Collect now. By one thread at a time, or another collection might be taken for this one."""
        self.latest = None
        _garbage.in_turn(self.collect)
        return self.latest

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._outlet.flush_for_application(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """The outlet is ended by its pipeline, with a deadline."""


@dataclass(frozen=True, slots=True)
class LaneStats:
    """What became of the spans of one exporter: recorded = delivered + dropped by reason + queued + in flight."""

    exporter: str
    target: str
    recorded: int
    delivered: int
    dropped: dict[str, int]
    """By reason: ``queue_full``, ``too_large``, ``encode``, ``export_failed`` or ``shutdown``."""
    waiting: int
    """Queued or in flight."""
    requests_failed: int
    in_flight: int = 0
    """In the request that is being sent now."""
    truncated: int = 0
    """Spans that were cut to size; they are among the others, too."""

    @property
    def queued(self) -> int:
        """Waiting, and not in flight."""
        return self.waiting - self.in_flight


def suppress_instrumentation() -> None:
    """Our own calls of gRPC must not become spans of the application's instrumentation, whichever key it asks for."""
    for key in ("suppress_instrumentation", getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", None)):
        if key is not None:
            otel_context.attach(otel_context.set_value(key, value=True))
