"""
From settings to providers: the only place that knows processors and readers.

Nobody else's provider is replaced, and none of ours is made global: ours join the application's traces through the
shared OpenTelemetry context.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from tta_observe import _telemetry, semconv
from tta_observe._guard import LOGGER, quietly
from tta_observe._pipeline.console import ConsoleExporter
from tta_observe._pipeline.lane import Lane, LaneStats
from tta_observe._values import clean_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tta_observe._export import Exporter
    from tta_observe._settings import Settings, Signal

__all__ = ["LaneStats", "Pipeline", "build"]

_METRIC_INTERVAL_S: Final = {"local": 1.0, "otlp": 15.0, "console": 15.0}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Where the tracer and the meters of one ``configure()`` lead."""

    tracer_provider: Any
    meter_providers: tuple[Any, ...]
    lanes: tuple[Lane, ...]

    @property
    def tracer(self) -> Any:
        """The tracer that our spans are started with."""
        return self.tracer_provider.get_tracer(semconv.SCOPE)

    @property
    def meters(self) -> tuple[Any, ...]:
        """The meters that every measurement goes to."""
        return tuple(provider.get_meter(semconv.SCOPE) for provider in self.meter_providers)

    def flush(self, timeout_s: float) -> bool:
        """Deliver everything recorded so far within *timeout_s* seconds; True only when all of it was acknowledged."""
        deadline = monotonic() + timeout_s
        results = [lane.flush(max(0.0, deadline - monotonic())) for lane in self.lanes]
        return all(results)

    def shutdown(self, timeout_s: float) -> bool:
        """Like :meth:`flush`, then stop; what does not arrive within *timeout_s* seconds is dropped and counted."""
        deadline = monotonic() + timeout_s
        for lane in self.lanes:
            lane.stop(deadline)
        results = [lane.join() for lane in self.lanes]
        for lane in self.lanes:
            for provider in self.meter_providers:
                quietly(_remove_reader, provider, lane.reader)
        return all(results)


def build(settings: Settings, tracer_provider: Any = None, meter_provider: Any = None) -> Pipeline:
    """
    Make the providers and lanes that *settings* ask for; the application's own are used where it has any.

    Never raises for an exporter that cannot be made: that one is left out, with one warning.
    """
    tracers = tracer_provider or _application(trace.get_tracer_provider())
    meters = meter_provider or _application(metrics.get_meter_provider())
    resource = _resource(settings)
    beside = tracers is not None or meters is not None
    lanes = _lanes(settings, beside=beside)
    pipeline = Pipeline(
        _with_processors(tracers or _own_tracers(settings, resource), lanes),
        _with_readers(meters, lanes, resource),
        lanes,
    )
    for lane in lanes:
        lane.start()
    return pipeline


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


def _exporters_of(settings: Settings, signal: Signal, *, beside: bool) -> tuple[str, ...]:
    """Which exporters *signal* goes to; beside the application's own providers ``auto`` keeps out of their way."""
    if beside and not settings.exporters_said and settings.endpoint_configured and not settings.endpoint_said:
        return ()
    return settings.exporters[signal]


def _lanes(settings: Settings, *, beside: bool) -> tuple[Lane, ...]:
    wanted = {signal: _exporters_of(settings, signal, beside=beside) for signal in settings.exporters}
    names = dict.fromkeys(name for signal in wanted.values() for name in signal)
    made = (_lane(settings, name, [signal for signal in wanted if name in wanted[signal]]) for name in names)
    return tuple(lane for lane in made if lane is not None)


def _lane(settings: Settings, name: str, signals: list[Signal]) -> Lane | None:
    try:
        exporter = _exporter(settings, name, signals)
    except (OSError, ImportError) as error:
        LOGGER.warning("exporter %s is left out: %s", name, error)
        return None
    return Lane(
        exporter,
        span_interval_s=settings.span_interval_s,
        metric_interval_s=settings.metric_interval_s or _METRIC_INTERVAL_S[name],
        scope=semconv.SCOPE,
        signals=frozenset(signals),
    )


def _exporter(settings: Settings, name: str, signals: list[Signal]) -> Exporter:
    if name == "otlp":
        from tta_observe._pipeline.otlp import OtlpExporter  # gRPC is loaded by those who send

        targets = {signal: settings.targets[signal] for signal in signals}
        return OtlpExporter(targets.get("TRACES"), targets.get("METRICS"))
    return ConsoleExporter() if name == "console" else _local_exporter(settings)


def _local_exporter(settings: Settings) -> Exporter:
    from tta_observe.local.exporters import LocalExporter
    from tta_observe.local.paths import writable_path

    path, problem = writable_path(settings.store)
    if problem is not None:
        LOGGER.warning("%s", problem)
    return LocalExporter(path)


def _own_tracers(settings: Settings, resource: Resource) -> TracerProvider:
    # Without a ratio the SDK reads OTEL_TRACES_SAMPLER by itself.
    sampler = None if settings.sample_ratio is None else ParentBased(TraceIdRatioBased(settings.sample_ratio))
    return TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)


def _with_processors(provider: Any, lanes: Iterable[Lane]) -> Any:
    wanted = [lane for lane in lanes if "TRACES" in lane.signals]
    if wanted and not hasattr(provider, "add_span_processor"):
        LOGGER.warning(
            "the application's TracerProvider (%s) takes no span processor: its own pipeline alone gets the spans",
            type(provider).__name__,
        )
        return provider
    for lane in wanted:
        provider.add_span_processor(lane.processor)
    return provider


def _with_readers(provider: Any, lanes: Iterable[Lane], resource: Resource) -> tuple[Any, ...]:
    readers = [lane.with_reader() for lane in lanes if "METRICS" in lane.signals]
    if provider is not None and hasattr(provider, "add_metric_reader"):
        for reader in readers:
            provider.add_metric_reader(reader)
        return (provider,)
    if provider is not None and not readers:
        return (provider,)
    own = MeterProvider(readers, resource, shutdown_on_exit=False)
    return (own,) if provider is None else (provider, own)


def _remove_reader(provider: Any, reader: Any) -> None:
    provider.remove_metric_reader(reader)
