"""
Settings: keywords, then OpenTelemetry's own variables, then ``TTA_OBSERVE_*``; checked once, frozen after.

A wrong keyword raises where it is written. A wrong value from the environment never raises: it is told, and the
default is used. No message repeats a header or what else may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tta_observe._settings.environment import Environment, Signal, word
from tta_observe._settings.keywords import Keywords, checked, checked_prices
from tta_observe._settings.parts import (
    EXPORTERS,
    PROMETHEUS_EXTRA,
    exporters,
    host_of,
    installed,
    path_of,
    port_of,
)
from tta_observe._settings.targets import Target, exposed, target_of, unspoken
from tta_observe.pricing import Price

__all__ = ["SIGNALS", "ExporterName", "Keywords", "Settings", "Signal", "Target", "resolve"]

ExporterName = Literal["local", "otlp", "prometheus", "console"]
Captures = Literal["all", "gen_ai"] | None
SIGNALS: Final[tuple[Signal, Signal]] = ("TRACES", "METRICS")


class Settings(BaseModel):
    """What was decided, whoever said it. Equal settings compare equal."""

    model_config = ConfigDict(frozen=True)

    disabled: bool
    service_name: str
    service_version: str | None
    environment: str | None
    exporters: Mapping[Signal, tuple[ExporterName, ...]]
    sent_by_application: frozenset[Signal]
    """
    Signals that an application with a provider of its own sends already, as far as anyone can tell: OpenTelemetry's
    variables say where to, and neither a keyword nor a variable of ours asks for more.
    """
    targets: Mapping[Signal, Target]
    sample_ratio: float | None
    span_interval_s: float
    metric_interval_s: Mapping[ExporterName, float]
    """Of the exporters that send; what is scraped is collected when the scrape comes."""
    scrape_host: str
    scrape_port: int
    """Where our ``/metrics`` listens; 0 is any free port."""
    store: Path | None
    label_limit: int
    captures: Captures
    """Whose arguments and results go on spans."""
    error_detail: str
    redact: Callable[[str, Any], Any] | None
    flush_on_sigterm: bool
    prices: Mapping[str, Price]
    resource_attributes: Mapping[str, Any] = Field(repr=False)


def resolve(keywords: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """
    Decide on the settings; also returns what has to be told about values from the environment.

    Raises:
        ConfigurationError: a keyword is wrong; says what to write.
    """
    given = checked(keywords)
    reader = Environment(environ)
    exporters, sent = _choose(given, reader)
    settings = Settings(
        disabled=reader.flag("OTEL_SDK_DISABLED"),
        service_name=given.service_name or _named_among(given.resource_attributes) or reader.service_name(),
        service_version=given.service_version,
        environment=given.environment,
        exporters=exporters,
        sent_by_application=sent,
        targets={signal: target_of(given, reader, signal) for signal in SIGNALS},
        sample_ratio=given.sample_ratio,
        span_interval_s=1.0,
        metric_interval_s=_metric_intervals(given, reader),
        scrape_host=reader.parsed("OTEL_EXPORTER_PROMETHEUS_HOST", host_of, "a host, e.g. 127.0.0.1") or "127.0.0.1",
        scrape_port=_scrape_port(reader),
        store=given.store or reader.parsed("TTA_OBSERVE_STORE", path_of, "a path, e.g. telemetry.db"),
        label_limit=given.label_limit,
        captures=_captures(given, reader),
        error_detail=given.error_detail,
        redact=given.redact,
        flush_on_sigterm=given.flush_on_sigterm,
        prices=checked_prices(given.prices or {}),
        resource_attributes=dict(given.resource_attributes or {}),
    )
    for signal, names in exporters.items():
        if "otlp" in names and (problem := exposed(settings.targets[signal])) is not None:
            reader.problem(problem)
    return settings, reader.problems


def _metric_intervals(given: Keywords, reader: Environment) -> dict[ExporterName, float]:
    # OpenTelemetry's variable is meant for what goes over a network; the store costs nothing and is looked at live.
    network_s = reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL") or 15.0
    defaults: dict[ExporterName, float] = {"local": 1.0, "otlp": network_s, "console": network_s}
    return {name: given.export_interval_s or default for name, default in defaults.items()}


def _scrape_port(reader: Environment) -> int:
    found = reader.parsed("OTEL_EXPORTER_PROMETHEUS_PORT", port_of, "a port from 0 to 65535, e.g. 9464")
    return 9464 if found is None else found


def _captures(given: Keywords, reader: Environment) -> Captures:
    """
    What the keyword says, for every primitive; else OpenTelemetry's variable, for LLM calls, tools and agents.

    There are no events of ours, so that content may go on spans or nowhere.
    """
    if given.capture_content is not None:
        return "all" if given.capture_content else None
    said = reader.parsed(_CAPTURE, word(*_ON_SPANS, *_NOT_ON_SPANS), f"one of {', '.join(_ON_SPANS + _NOT_ON_SPANS)}")
    if said == "event_only":
        reader.problem(f"{_CAPTURE} asks for events, which are not sent: nothing is captured. Write SPAN_ONLY.")
    return "gen_ai" if said in _ON_SPANS else None


_CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON_SPANS: Final = ("span_only", "span_and_event", "true")
_NOT_ON_SPANS: Final = ("no_content", "event_only", "false")


def _named_among(attributes: Mapping[str, Any] | None) -> str | None:
    found = (attributes or {}).get("service.name")
    return found if isinstance(found, str) and found else None


def _choose(given: Keywords, reader: Environment) -> tuple[dict[Signal, tuple[ExporterName, ...]], frozenset[Signal]]:
    """Which exporters each signal goes to, and which signals an application's own pipeline sends already."""
    if given.exporter != ("auto",):
        return {signal: _usable(given, reader, signal, _names(given.exporter)) for signal in SIGNALS}, frozenset()
    configured = given.endpoint is not None or any(reader.endpoint(signal) for signal in SIGNALS)
    automatic: tuple[ExporterName, ...] = ("otlp",) if configured else ("local",)
    ours = _own_variable(reader)
    chosen: dict[Signal, tuple[ExporterName, ...]] = {}
    sent: set[Signal] = set()
    for signal in SIGNALS:
        standard = _standard_variable(reader, signal)
        names = standard if standard is not None else ours if ours is not None else automatic
        chosen[signal] = _usable(given, reader, signal, names)
        if given.endpoint is None and (standard is not None or (ours is None and configured)):
            sent.add(signal)
    return chosen, frozenset(sent)


def _usable(
    given: Keywords, reader: Environment, signal: Signal, names: tuple[ExporterName, ...]
) -> tuple[ExporterName, ...]:
    """Those of *names* that can take *signal* here, or what stands in for them."""
    return _scraped(reader, signal, _spoken(given, reader, signal, names))


def _scraped(reader: Environment, signal: Signal, names: tuple[ExporterName, ...]) -> tuple[ExporterName, ...]:
    """*names*, with the store in the place of our ``/metrics`` where its library is missing; it never takes spans."""
    if "prometheus" not in names:
        return names
    if installed("prometheus_client"):
        return tuple(name for name in names if name != "prometheus" or signal == "METRICS")
    reader.problem(
        "exporter prometheus needs prometheus_client, so the telemetry goes to the local store. "
        f"Run: {PROMETHEUS_EXTRA}"
    )
    return _with_store_for("prometheus", names)


def _with_store_for(missing: str, names: tuple[ExporterName, ...]) -> tuple[ExporterName, ...]:
    return tuple(dict.fromkeys("local" if name == missing else name for name in names))


def _spoken(
    given: Keywords, reader: Environment, signal: Signal, names: tuple[ExporterName, ...]
) -> tuple[ExporterName, ...]:
    """*names*, with the store in the place of OTLP where the environment asks for a protocol that we do not speak."""
    if "otlp" not in names:
        return names
    problem = unspoken(given, reader, signal)
    if problem is None:
        return names
    reader.problem(problem)
    return _with_store_for("otlp", names)


def _own_variable(reader: Environment) -> tuple[ExporterName, ...] | None:
    expected = f"one or more of {', '.join(EXPORTERS)}"
    names = reader.parsed("TTA_OBSERVE_EXPORTER", _listed_exporters, expected)
    return None if names in (None, ("auto",)) else _names(names or ())


def _listed_exporters(text: str) -> tuple[str, ...] | None:
    try:
        return exporters(tuple(part.strip().lower() for part in text.split(",")))
    except ValueError:
        return None


def _standard_variable(reader: Environment, signal: Signal) -> tuple[ExporterName, ...] | None:
    known = ("none", "console", "otlp", *(("prometheus",) if signal == "METRICS" else ()))
    found = reader.parsed(f"OTEL_{signal}_EXPORTER", word(*known), f"one of {', '.join(known)}")
    return None if found is None else _names((found,))


def _names(names: tuple[str, ...]) -> tuple[ExporterName, ...]:
    return tuple(name for name in names if name not in ("none", "auto"))  # type: ignore[misc]
