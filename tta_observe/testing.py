"""
See in a test what your code records: real providers, in memory, for one test alone.

The pytest fixture ``telemetry`` comes with the package::

    def test_failure_is_counted(telemetry):
        with pytest.raises(ValueError):
            pick_model("")

        assert {"error": 1} == telemetry.counts(EXECUTIONS, by="execution.status")
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tta_observe import _prices, _telemetry, semconv
from tta_observe.instruments import CONNECTIONS, InstrumentSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import ReadableSpan

    from tta_observe.pricing import Price

__all__ = ["CapturedSpan", "CapturedTelemetry", "captured_telemetry"]

_PRICES_S: Final = 10.0
"""Reading the prices takes a fraction of a second; what waits for them is recorded before it is looked at."""


@dataclass(frozen=True)
class CapturedSpan:
    """One ended span and the spans inside it, in order of their start."""

    span: ReadableSpan
    children: tuple[CapturedSpan, ...]

    @property
    def name(self) -> str:
        """The span's name."""
        return self.span.name

    @property
    def attributes(self) -> dict[str, Any]:
        """The span's attributes."""
        return dict(self.span.attributes or {})

    @property
    def shown(self) -> str:
        """Its primitive's, workflow's or step's name, else the span's own."""
        if self.name == semconv.LLM_USAGE_SPAN:  # names the primitive it was recorded in, which is another span
            return self.name
        found = self.attributes.get(semconv.STEP_NAME) or self.attributes.get(semconv.PRIMITIVE_NAME)
        return str(found or self.name)

    def tree(self) -> Any:
        """Names only: a string for a leaf, ``{name: [children]}`` for the others."""
        return {self.shown: [child.tree() for child in self.children]} if self.children else self.shown

    def text(self, depth: int = 0) -> str:
        """The tree as lines, for messages."""
        status = self.attributes.get(semconv.EXECUTION_STATUS, "")
        lines = [f"{'  ' * depth}{self.shown}  [{self.name}] {status}".rstrip()]
        return "\n".join([*lines, *(child.text(depth + 1) for child in self.children)])


class CapturedTelemetry:
    """What was recorded since :func:`captured_telemetry` was entered."""

    def __init__(self, exporter: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._exporter = exporter
        self._reader = reader

    @property
    def spans(self) -> tuple[CapturedSpan, ...]:
        """Every ended span, in order of start."""
        _prices.drain(_PRICES_S)
        finished = sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
        inside: dict[int | None, list[ReadableSpan]] = defaultdict(list)
        for span in finished:
            inside[span.parent.span_id if span.parent is not None else None].append(span)
        made: dict[int, CapturedSpan] = {}
        return tuple(_captured(span, inside, made) for span in finished)

    @property
    def roots(self) -> tuple[CapturedSpan, ...]:
        """The spans whose parent is not among them."""
        known = {found.span.context.span_id for found in self.spans if found.span.context}
        return tuple(s for s in self.spans if s.span.parent is None or s.span.parent.span_id not in known)

    def tree(self) -> list[Any]:
        """Names of all spans by who runs inside whom: see :meth:`CapturedSpan.tree`."""
        return [root.tree() for root in self.roots]

    def text(self) -> str:
        """All spans as an indented list, for messages."""
        return "\n".join(root.text() for root in self.roots) or "(no span has ended)"

    def span(self, name: str) -> CapturedSpan:
        """
        The one span called *name*: its own name, or that of its primitive, workflow or step.

        Raises:
            AssertionError: there is none, or more than one; shows all that there are.
        """
        found = [span for span in self.spans if name in (span.name, span.shown)]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} spans are called {name!r}. Recorded were:\n{self.text()}")
        return found[0]

    def points(self, spec: InstrumentSpec | str) -> list[Any]:
        """The data points of one instrument, by its row of the table or its name."""
        name = spec if isinstance(spec, str) else spec.name
        return [point for metric in self.metrics() if metric.name == name for point in metric.data.data_points]

    def metrics(self) -> list[Any]:
        """Every metric with a point, as the SDK has it."""
        _prices.drain(_PRICES_S)
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics]

    def counts(self, spec: InstrumentSpec | str, by: str) -> dict[str | None, float]:
        """Sum of one instrument for each value of the label *by*; a histogram counts its measurements."""
        found: Counter[str | None] = Counter()
        for point in self.points(spec):
            found[point.attributes.get(by)] += _amount(point)
        return dict(found)

    def total(self, spec: InstrumentSpec | str, labels: Mapping[str, str] | None = None) -> float:
        """Sum of one instrument over the points that have all of *labels*; a histogram counts its measurements."""
        wanted = (labels or {}).items()
        return float(sum(_amount(point) for point in self.points(spec) if wanted <= point.attributes.items()))

    def connections(self) -> dict[tuple[str, str, str], int]:
        """How often each (source, target, connection type) was seen."""
        return {
            (
                point.attributes[semconv.SOURCE_PRIMITIVE],
                point.attributes[semconv.TARGET_PRIMITIVE],
                point.attributes[semconv.CONNECTION_TYPE],
            ): point.value
            for point in self.points(CONNECTIONS)
        }


def _captured(
    span: ReadableSpan, inside: Mapping[int | None, list[ReadableSpan]], made: dict[int, CapturedSpan]
) -> CapturedSpan:
    own = span.context.span_id if span.context else 0
    if own not in made:
        children = inside.get(own, ())
        made[own] = CapturedSpan(span, tuple(_captured(child, inside, made) for child in children))
    return made[own]


def _amount(point: Any) -> Any:
    return point.count if hasattr(point, "bucket_counts") else point.value


@contextmanager
def captured_telemetry(
    *,
    prices: Mapping[str, Price] | None = None,
    label_limit: int = 200,
    error_detail: str = "message",
    capture_content: bool = False,
) -> Iterator[CapturedTelemetry]:
    """
    Record into memory while the block runs, whatever was configured; yields what was recorded.

    The global providers are not touched.
    """
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    slot = _telemetry.make_slot(
        tracers.get_tracer(semconv.SCOPE),
        (meters.get_meter(semconv.SCOPE),),
        label_limit=label_limit,
        error_detail=error_detail,
        prices=prices,
        captures="all" if capture_content else None,
    )
    before = _telemetry.capture(slot)
    try:
        yield CapturedTelemetry(exporter, reader)
    finally:
        _telemetry.capture(before)
        _prices.drain(_PRICES_S)
        meters.shutdown()  # the tracers are not: they have no thread, and a span that ends late would be told
