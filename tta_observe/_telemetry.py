"""
The slot: where spans and measurements go right now.

One module-level slot, filled by ``configure()`` or by the tests; without one, the providers of the application.
This module and :mod:`tta_observe._otel_context` alone talk to the OpenTelemetry API, and work as no-ops where that is
not installed.
"""

from __future__ import annotations

import os
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tta_observe import _garbage, _guard, semconv
from tta_observe._bounds import LabelBounds, LabelSets, LabelValues
from tta_observe._savings import MissCosts
from tta_observe._values import finite_number
from tta_observe.instruments import CONTEXT_LOST, INSTRUMENTS, InstrumentSpec

try:
    from opentelemetry import metrics, trace
except ImportError:  # the host application runs exactly as before, without telemetry
    OTEL_INSTALLED = False
else:
    OTEL_INSTALLED = True

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tta_observe._values import AttributeValue
    from tta_observe.pricing import Price


class Recorder:
    """One instrument of the table, on one or more meters, with its labels bounded."""

    def __init__(self, spec: InstrumentSpec, meters: Sequence[Any], bounds: LabelBounds) -> None:
        self._spec = spec
        self._sets = LabelSets(spec, bounds)
        self._records = tuple(_record_function(spec, meter) for meter in meters)
        self.rejected = 0

    def record(self, value: float, labels: LabelValues, context: Any = None) -> None:
        """
        Record *value* with *labels* in the order of the instrument's table row.

        A value that would stop the SDK (not a number, not finite, negative, beyond 64 bits) is counted and left out.
        """
        # The number itself: a subclass of int or float would bring its own arithmetic under the SDK's locks.
        down = self._spec.kind == "up_down_counter" and type(value) is int and value == -1
        number = value if down else finite_number(value)
        if number is None:
            self.reject()
            return
        _garbage.in_turn(self._record, number, labels, context)

    def _record(self, value: float, labels: LabelValues, context: Any) -> None:
        attributes = self._sets.attributes(labels)
        for record in self._records:
            record(value, attributes, context)

    def reject(self) -> None:
        """Count a value that cannot be recorded, and say so once per instrument."""
        self.rejected += 1
        _guard.warn_once(
            f"rejected:{self._spec.name}",
            "%s: a value was not recorded. Pass a finite number that is not negative.",
            self._spec.name,
        )


Captures: TypeAlias = Literal["all", "gen_ai"] | None
"""Whose arguments and results go on spans: every primitive's, those of LLM calls, tools and agents, or nobody's."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A tracer, the recorders of all instruments, and what recording needs to know."""

    tracer: Any
    recorders: Mapping[str, Recorder]
    bounds: LabelBounds
    error_detail: str = "message"
    prices: Mapping[str, Price] = field(default_factory=dict)
    captures: Captures = None
    miss_costs: MissCosts = field(default_factory=MissCosts)

    def record(self, spec: InstrumentSpec, value: float, labels: LabelValues, context: Any = None) -> None:
        """Record *value* on the instrument of *spec*."""
        self.recorders[spec.name].record(value, labels, context)

    def start_span(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        started_ns: int | None,
        *,
        client: bool,
        server: bool = False,
    ) -> Any:
        """Start a span as a child of the current one; it is not made current."""
        kind = trace.SpanKind.CLIENT if client else trace.SpanKind.SERVER if server else trace.SpanKind.INTERNAL
        return self.tracer.start_span(name, kind=kind, attributes=attributes, start_time=started_ns)


def make_slot(
    tracer: Any,
    meters: Sequence[Any],
    *,
    label_limit: int = 200,
    error_detail: str = "message",
    prices: Mapping[str, Price] | None = None,
    captures: Captures = None,
) -> Slot:
    """Build a slot whose measurements go to every one of *meters*."""
    bounds = LabelBounds(label_limit)
    recorders = {spec.name: Recorder(spec, meters, bounds) for spec in (*INSTRUMENTS, CONTEXT_LOST)}
    return Slot(tracer, recorders, bounds, error_detail, prices or {}, captures)


def _record_function(spec: InstrumentSpec, meter: Any) -> Any:
    if spec.kind == "histogram":
        return meter.create_histogram(
            spec.name, spec.unit, spec.description, explicit_bucket_boundaries_advisory=spec.buckets
        ).record
    create = meter.create_counter if spec.kind == "counter" else meter.create_up_down_counter
    return create(spec.name, spec.unit, spec.description).add


def process_id() -> int:
    """Of this process."""
    return os.getpid()


def instance_id() -> str:
    """``service.instance.id``: a random UUID, another one in each process."""
    if _INSTANCE.pid != os.getpid():
        _INSTANCE.pid, _INSTANCE.id = os.getpid(), str(uuid.uuid4())
    return _INSTANCE.id


class _Instance:
    pid = 0
    id = ""


_INSTANCE: Final = _Instance()


class _Disabled:
    """Filled into the slot to switch everything off, whatever providers the application has."""


DISABLED: Final = _Disabled()


class Later:
    """Filled into the slot to make it when it is first needed, in a process that was forked."""

    def __init__(self, make: Callable[[], Slot | None]) -> None:
        self._make = make
        self._lock = threading.Lock()

    def slot(self) -> Slot | None:
        """Make the slot and put it in the place of this."""
        with self._lock:
            if _STATE.installed is self:
                _STATE.installed = self._make() or DISABLED
        return _STATE.installed if isinstance(_STATE.installed, Slot) else None


_Installed = Slot | _Disabled | Later


class _State(_guard.SharedLock):
    def __init__(self) -> None:
        super().__init__()
        self.installed: _Installed | None = None
        self.captured: Slot | None = None
        self.ambient: tuple[Any, Any, Slot] | None = None
        self.making = False


_STATE: Final = _State()


def install(slot: _Installed | None) -> _Installed | None:
    """Fill the slot and return what was in it; None means the providers of the application."""
    before, _STATE.installed = _STATE.installed, slot
    return before


def capture(slot: Slot | None) -> Slot | None:
    """Put *slot* before whatever is, or gets, installed; returns what was there. None ends that."""
    before, _STATE.captured = _STATE.captured, slot
    return before


def current() -> Slot | None:
    """The slot to record with, or None when there is nothing to record to."""
    if _STATE.captured is not None:
        return _STATE.captured
    installed = _STATE.installed
    if installed is None:
        return _ambient() if OTEL_INSTALLED else None
    if isinstance(installed, Slot):
        return installed
    return installed.slot() if isinstance(installed, Later) else None


def _ambient() -> Slot | None:
    """A slot on the providers that the application has set, made again when it sets others."""
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    if not (is_real(tracers) or is_real(meters)):
        return None
    cached = _STATE.ambient
    if cached is None or cached[0] is not tracers or cached[1] is not meters:
        return _make_ambient(tracers, meters)
    return cached[2]


def _make_ambient(tracers: Any, meters: Any) -> Slot | None:
    with _STATE.lock:
        if _STATE.making:  # a provider or log handler that calls observed code: that call is not recorded
            return None
        _STATE.making = True
        try:
            _STATE.ambient = (tracers, meters, _slot_on(tracers, meters))
        finally:
            _STATE.making = False
        return _STATE.ambient[2]


def service_name() -> str | None:
    """``service.name`` of what is recorded here; None when nobody has said it."""
    slot = current()
    tracer = slot.tracer if slot is not None else None
    places = [tracer, getattr(tracer, "provider", None), trace.get_tracer_provider()] if OTEL_INSTALLED else []
    named = [*[_guard.quietly(_service_of, place) for place in places], os.environ.get("OTEL_SERVICE_NAME")]
    known = (name for name in named if type(name) is str and name and not name.startswith("unknown_service"))
    return next(known, None)


def _service_of(place: Any) -> object:
    return place.resource.attributes.get(semconv.SERVICE_NAME)  # the SDK's own classes have one; others need not


def is_real(provider: Any) -> bool:
    """Whether *provider* is one that somebody set, and not a stand-in of the OpenTelemetry API."""
    # The API's stand-ins (proxy, default, no-op) live in the API package; the metrics proxy has no public name.
    return not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


def _slot_on(tracers: Any, meters: Any) -> Slot:
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    meter = meters.get_meter(semconv.SCOPE)
    return make_slot(tracers.get_tracer(semconv.SCOPE), () if disabled else (meter,))
