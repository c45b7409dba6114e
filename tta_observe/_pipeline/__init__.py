"""
From settings to providers: the only place that knows processors and readers.

Nobody else's provider is replaced, and none of ours is made global: ours join the application's traces through the
shared OpenTelemetry context.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from threading import TIMEOUT_MAX
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from tta_observe import _telemetry, semconv
from tta_observe._guard import LOGGER, quietly
from tta_observe._pipeline.console import ConsoleExporter
from tta_observe._pipeline.following import Following
from tta_observe._pipeline.intake import LaneStats, Onlooker
from tta_observe._pipeline.lane import Lane
from tta_observe._pipeline.late import Late
from tta_observe._pipeline.neighbours import add_processor, lead
from tta_observe._pipeline.outgoing import Outgoing
from tta_observe._redact import Redactor
from tta_observe._values import clean_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.metrics.export import MetricReader

    from tta_observe._export import Exporter
    from tta_observe._pipeline.outlet import Outlet
    from tta_observe._settings import ExporterName, Settings, Signal

__all__ = ["LaneStats", "Pipeline", "build"]

_DEFAULT_LIMIT: Final = 128
"""Of attributes, events and links of a span. Source: OpenTelemetry specification 1.50, "Span Limits"."""

_LOOKED_ON: Final[WeakSet[Any]] = WeakSet()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Where the tracer and the meters of one ``configure()`` lead."""

    tracers: Any
    """A provider, or what follows the application to the one that it sets later."""
    meter_providers: tuple[Any, ...]
    lanes: tuple[Outlet, ...]
    left_out: bool = False
    """Whether an exporter that was asked for, and sends, could not be made."""

    @property
    def tracer_provider(self) -> Any:
        """Where our spans are started now."""
        return self.tracers.provider if isinstance(self.tracers, Following) else self.tracers

    @property
    def tracer(self) -> Any:
        """The tracer that our spans are started with."""
        return self.tracers if isinstance(self.tracers, Following) else self.tracers.get_tracer(semconv.SCOPE)

    @property
    def meters(self) -> tuple[Any, ...]:
        """The meters that every measurement goes to."""
        return tuple(provider.get_meter(semconv.SCOPE) for provider in self.meter_providers)

    def flush(self, timeout_s: float) -> bool:
        """Deliver everything recorded so far within *timeout_s* seconds; True only when all of it was acknowledged."""
        deadline = _deadline(timeout_s)
        asked = [lane.ask() for lane in self.lanes]
        pairs = zip(self.lanes, asked, strict=True)
        results = [lane.answer(ticket, max(0.0, deadline - monotonic())) for lane, ticket in pairs]
        return all(results) and not self.left_out

    def abandon(self) -> None:
        """Forget everything, in a process that was forked: it all belongs to the parent, and no worker runs here."""
        for lane in self.lanes:
            lane.abandon()

    def shutdown(self, timeout_s: float) -> bool:
        """Like :meth:`flush`, then stop; what does not arrive within *timeout_s* seconds is dropped and counted."""
        deadline = _deadline(timeout_s)
        for lane in self.lanes:
            lane.stop(deadline)
        results = [lane.join() for lane in self.lanes]
        for reader in [lane.give_up_reader() for lane in self.lanes]:
            for provider in self.meter_providers if reader is not None else ():
                quietly(_remove_reader, provider, reader)
        return all(results) and not self.left_out


def build(
    settings: Settings,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    at_exit: Callable[[], None] | None = None,
) -> Pipeline:
    """
    Make the providers and lanes that *settings* ask for; the application's own are used where it has any.

    Never raises for an exporter that cannot be made: that one is left out, with one warning. *at_exit*, which ends the
    pipeline with the process, is called before a provider ends that the application sets later.
    """
    tracers = _application(trace.get_tracer_provider()) if tracer_provider is None else tracer_provider
    meters = _application(metrics.get_meter_provider()) if meter_provider is None else meter_provider
    resource = _resource(settings)
    wanted = _wanted(settings, {"TRACES": tracers, "METRICS": meters})
    made = {name: _outlet(settings, name, signals) for name, signals in wanted.items()}
    lanes = tuple(lane for lane in made.values() if lane is not None)
    join = partial(_join, settings, lanes)
    if tracers is None:
        tracers = Following(_with_processors(_own_tracers(settings, resource), lanes), join, at_exit)
    else:
        join(tracers)
    pipeline = Pipeline(
        tracers,
        _with_readers(meters, lanes, resource),
        lanes,
        left_out=any(lane is None and name != "prometheus" for name, lane in made.items()),
    )
    for lane in lanes:
        lane.beside = lanes
        lane.start()
    return pipeline


def _deadline(timeout_s: float) -> float:
    return monotonic() + min(max(0.0, timeout_s), TIMEOUT_MAX)


def _application(provider: Any) -> Any:
    return provider if _telemetry.is_real(provider) else None


def _resource(settings: Settings) -> Resource:
    own = {
        semconv.SERVICE_NAME: settings.service_name,
        semconv.SERVICE_VERSION: settings.service_version,
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: settings.environment,
        semconv.SERVICE_INSTANCE_ID: _telemetry.instance_id(),
        semconv.PROCESS_PID: _telemetry.process_id(),
    }
    return Resource.create(clean_attributes({**settings.resource_attributes, **{k: v for k, v in own.items() if v}}))


def _wanted(settings: Settings, beside: Mapping[Signal, Any]) -> dict[ExporterName, list[Signal]]:
    """
    Exporters, and the signals that each gets.

    *beside* holds the application's provider for each signal; what its own pipeline sends is not sent twice.
    """
    found: dict[ExporterName, list[Signal]] = {}
    for signal, names in settings.exporters.items():
        if not _sent_by(beside[signal], settings, signal):
            for name in names:
                found.setdefault(name, []).append(signal)
    return found


def _sent_by(provider: Any, settings: Settings, signal: Signal) -> bool:
    """OpenTelemetry's variables are the application's as well; some libraries' pipelines go by their own alone."""
    if provider is None or signal not in settings.sent_by_application:
        return False
    return "otlp" not in settings.exporters[signal] or lead(provider, settings.targets[signal]) != "elsewhere"


def _outlet(settings: Settings, name: ExporterName, signals: list[Signal]) -> Outlet | None:
    try:
        return _endpoint(settings) if name == "prometheus" else _lane(settings, name, signals)
    except (OSError, ImportError) as error:
        LOGGER.warning("exporter %s is left out: %s", name, error)
        return None


def _endpoint(settings: Settings) -> Outlet:
    from tta_observe._pipeline.scrape import Endpoint  # prometheus_client comes with an extra

    return Endpoint(settings.scrape_host, settings.scrape_port, semconv.SCOPE)


def _lane(settings: Settings, name: ExporterName, signals: list[Signal]) -> Lane:
    return Lane(
        Outgoing(_exporter(settings, name, signals), Redactor(settings.redact)),
        span_interval_s=settings.span_interval_s,
        metric_interval_s=settings.metric_interval_s[name],
        scope=semconv.SCOPE,
        signals=frozenset(signals),
    )


def _exporter(settings: Settings, name: str, signals: list[Signal]) -> Exporter:
    if name == "otlp":
        from tta_observe._pipeline.otlp import otlp_exporter  # gRPC is loaded by those who send

        targets = {signal: settings.targets[signal] for signal in signals}
        return otlp_exporter(targets.get("TRACES"), targets.get("METRICS"))
    return ConsoleExporter() if name == "console" else _local_exporter(settings)


def _local_exporter(settings: Settings) -> Exporter:
    from tta_observe.local.exporters import LocalExporter
    from tta_observe.local.paths import store_path, writable_path

    def make() -> Exporter:
        path, problem = writable_path(settings.store)
        if problem is not None:
            quietly(LOGGER.warning, "%s", problem)
        return LocalExporter(path)

    return Late("local", str(quietly(store_path, settings.store) or "a temporary file"), make)


def _own_tracers(settings: Settings, resource: Resource) -> TracerProvider:
    # Without a ratio the SDK reads OTEL_TRACES_SAMPLER by itself.
    sampler = None if settings.sample_ratio is None else ParentBased(TraceIdRatioBased(settings.sample_ratio))
    try:
        limits = SpanLimits()
    except ValueError as error:
        LOGGER.warning("the OTEL_*_LIMIT variables are ignored, the defaults are used: %s", error)
        limits = _default_limits()
    return TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False, span_limits=limits)


def _default_limits() -> SpanLimits:
    return SpanLimits(
        max_attributes=_DEFAULT_LIMIT,
        max_events=_DEFAULT_LIMIT,
        max_links=_DEFAULT_LIMIT,
        max_span_attributes=_DEFAULT_LIMIT,
        max_event_attributes=_DEFAULT_LIMIT,
        max_link_attributes=_DEFAULT_LIMIT,
        max_attribute_length=SpanLimits.UNSET,
        max_span_attribute_length=SpanLimits.UNSET,
    )


def _own_meters(readers: list[MetricReader], resource: Resource) -> MeterProvider:
    try:
        return MeterProvider(readers, resource, shutdown_on_exit=False)
    except ValueError as error:
        LOGGER.warning("OTEL_METRICS_EXEMPLAR_FILTER is ignored, the default is used: %s", error)
        return MeterProvider(readers, resource, TraceBasedExemplarFilter(), shutdown_on_exit=False)


def _with_processors(provider: Any, lanes: Iterable[Outlet]) -> Any:
    wanted = [lane for lane in lanes if isinstance(lane, Lane) and "TRACES" in lane.signals]
    if wanted and not hasattr(provider, "add_span_processor"):
        LOGGER.warning(
            "the application's TracerProvider (%s) takes no span processor: its own pipeline alone gets the spans",
            type(provider).__name__,
        )
        return provider
    for lane in wanted:
        add_processor(provider, lane.processor)
    return provider


def _join(settings: Settings, lanes: Iterable[Outlet], provider: Any) -> None:
    """Have our exporters get what is recorded on the application's *provider*, unless that sends it there already."""
    if settings.exporters.get("TRACES"):
        quietly(_look_on, provider)
    if "TRACES" in settings.sent_by_application and lead(provider, settings.targets["TRACES"]) == "there":
        return
    _with_processors(provider, lanes)


def _look_on(provider: Any) -> None:
    """Have what others record on the application's *provider* looked at, however often we are configured."""
    if hasattr(provider, "add_span_processor") and provider not in _LOOKED_ON:
        _LOOKED_ON.add(provider)
        add_processor(provider, Onlooker())


def _with_readers(provider: Any, lanes: Iterable[Outlet], resource: Resource) -> tuple[Any, ...]:
    readers = [lane.with_reader() for lane in lanes if "METRICS" in lane.signals]
    if provider is not None and hasattr(provider, "add_metric_reader"):
        for reader in readers:
            provider.add_metric_reader(reader)
        return (provider,)
    if provider is not None and not readers:
        return (provider,)
    own = _own_meters(readers, resource)
    return (own,) if provider is None else (provider, own)


def _remove_reader(provider: Any, reader: Any) -> None:
    provider.remove_metric_reader(reader)
