"""What ``configure()`` without arguments decides in this environment, and which variables make it do so."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from tta_observe._settings import SIGNALS, resolve
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.words import a_while, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tta_observe._settings import ExporterName, Settings, Signal
    from tta_observe.cli.doctor.findings import Finding

SETTINGS: Final = Group("Settings")

_LONGEST_INTERVAL_S: Final = 150.0
"""A window of five minutes holds two samples up to here, and ``rate()`` needs two."""

_OTLP: Final = tuple(
    f"OTEL_EXPORTER_OTLP_{signal}{name}"
    for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    for name in (
        "ENDPOINT", "HEADERS", "PROTOCOL", "INSECURE", "COMPRESSION", "TIMEOUT",
        "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE",
    )
)  # fmt: skip
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_OURS: Final = ("TTA_OBSERVE_EXPORTER", "TTA_OBSERVE_STORE", "TTA_OBSERVE_LOST_CONTEXT")
_KNOWN: Final = (*_OTLP, *_OURS, _TEMPORALITY, "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION")
_PREFIXES: Final = ("OTEL_", "TTA_OBSERVE_")
_SAMPLERS: Final = (
    "always_on", "always_off", "traceidratio",
    "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
)  # fmt: skip
_HARMLESS: Final = re.compile(
    r"none|console|otlp|local|auto|prometheus|grpc|http/protobuf|http/json|true|false|gzip|cumulative|delta|lowmemory|off"
    rf"|{'|'.join(_SAMPLERS)}|\d{{1,9}}(\.\d{{1,9}})?",
    re.IGNORECASE,
)
"""Values that cannot be a secret; of every other variable only the name is shown."""


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Decide as ``configure()`` would, and judge the decision."""
    settings, problems = resolve({}, environ)
    return judge(settings, problems, environ)


def judge(settings: Settings, problems: Sequence[str], environ: Mapping[str, str]) -> list[Finding]:
    """Say what was decided, what was ignored, and which variables are set."""
    return [
        *_disabled(settings),
        _service(settings),
        *(_signal(settings, signal) for signal in SIGNALS),
        *_interval(settings),
        *_sampler(environ),
        *_temporality(environ),
        *map(_ignored, problems),
        *_misspelt(environ),
        _environment(environ),
    ]


def _disabled(settings: Settings) -> Iterator[Finding]:
    if settings.disabled:
        yield SETTINGS.problem(
            "OTEL_SDK_DISABLED", "true: programs started like this measure nothing", "unset OTEL_SDK_DISABLED"
        )


def _service(settings: Settings) -> Finding:
    if settings.service_name.startswith("unknown_service"):
        return SETTINGS.warning(
            "service name",
            "not set: programs are named after their script",
            "configure(service_name='checkout'), or\n  OTEL_SERVICE_NAME=checkout",
        )
    return SETTINGS.ok("service name", plain_text(settings.service_name))


def _signal(settings: Settings, signal: Signal) -> Finding:
    name, exporters = signal.lower(), settings.exporters[signal]
    if not exporters:
        return _nowhere(settings, signal)
    found = " and ".join(_destination(settings, signal, exporter) for exporter in exporters)
    beside = signal in settings.sent_by_application
    return SETTINGS.ok(name, f"{found}{'; not what an application sends there by itself' if beside else ''}")


def _nowhere(settings: Settings, signal: Signal) -> Finding:
    remedy = f"unset OTEL_{signal}_EXPORTER, or name what takes them as well:\n  TTA_OBSERVE_EXPORTER=prometheus,local"
    if any(settings.exporters.values()):
        return SETTINGS.warning(signal.lower(), "go nowhere", remedy)
    return SETTINGS.problem(signal.lower(), "go nowhere, like everything else", remedy)


def _destination(settings: Settings, signal: Signal, exporter: ExporterName) -> str:
    if exporter != "otlp":
        return {"local": "local store", "console": "standard output", "prometheus": "our /metrics"}[exporter]
    target = settings.targets[signal]
    headers = ", ".join(plain_text(name) for name, _ in target.headers)
    parts = (
        f"otlp to {plain_text(target.address)}",
        "TLS" if target.tls else "plaintext",
        f"headers {headers} (values not shown)" if headers else "no headers",
        *(["gzip"] if target.compression == "gzip" else []),
    )
    return ", ".join(parts)


def _interval(settings: Settings) -> Iterator[Finding]:
    for exporter in settings.exporters["METRICS"]:
        seconds = settings.metric_interval_s.get(exporter)
        if seconds is None:
            continue
        found = f"{exporter} every {a_while(seconds)}"
        if exporter != "local" and seconds > _LONGEST_INTERVAL_S:
            why = "windows of 5 min hold fewer than two samples, so rates are empty"
            yield SETTINGS.problem("metric interval", f"{found}: {why}", "OTEL_METRIC_EXPORT_INTERVAL=15000")
        else:
            yield SETTINGS.ok("metric interval", found)


def _sampler(environ: Mapping[str, str]) -> Iterator[Finding]:
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not name:
        return
    if name not in _SAMPLERS:
        yield SETTINGS.warning(
            "sampler",
            "OTEL_TRACES_SAMPLER is ignored: it is no sampler of the SDK",
            "OTEL_TRACES_SAMPLER=parentbased_always_on",
        )
    elif name.endswith("always_off") or (name.endswith("ratio") and _is_zero(argument)):
        yield SETTINGS.problem("sampler", f"{name}: no trace is kept; metrics are", "unset OTEL_TRACES_SAMPLER")
    elif name.endswith("ratio"):
        share = f" of {argument}" if _HARMLESS.fullmatch(argument) else " of all"
        yield SETTINGS.ok("sampler", f"{name}{share}; metrics count every call")
    else:
        yield SETTINGS.ok("sampler", name)


def _is_zero(text: str) -> bool:
    return bool(re.fullmatch(r"0+(\.0*)?|\.0+", text))


def _temporality(environ: Mapping[str, str]) -> Iterator[Finding]:
    if environ.get(_TEMPORALITY, "").strip().lower() in ("delta", "lowmemory"):
        yield SETTINGS.warning(
            "temporality",
            f"{_TEMPORALITY} asks for deltas: not used here, but an application's own exporter obeys it, and "
            "Prometheus drops deltas",
            f"unset {_TEMPORALITY}",
        )


def _ignored(problem: str) -> Finding:
    name = re.split(r"[ :]", problem, maxsplit=1)[0]
    found, _, rest = problem.partition(". ")
    expected = found.partition("it is not ")[2].rstrip(".")
    remedy = rest or f"unset {name}, or write {expected}"
    return SETTINGS.warning("environment", plain_text(found.rstrip(".")), remedy.rstrip("."))


def _misspelt(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environ):
        if name in _KNOWN or not name.startswith(("TTA_OBSERVE_", "OTEL_EXPORTER_OTLP_")):
            continue
        ours = name.startswith("TTA_OBSERVE_")
        close = get_close_matches(name, _OURS if ours else _KNOWN, n=1, cutoff=0.6 if ours else 0.93)
        if close or ours:
            known = close[0] if close else " or ".join(_OURS)
            yield SETTINGS.warning("environment", f"{plain_text(name)} is not read by anything", f"{known}=...")


def _environment(environ: Mapping[str, str]) -> Finding:
    shown = [_variable(name, value) for name, value in sorted(environ.items()) if name.startswith(_PREFIXES) and value]
    return SETTINGS.ok("variables", ", ".join(shown) if shown else "none is set: the defaults decide")


def _variable(name: str, value: str) -> str:
    harmless = all(_HARMLESS.fullmatch(part.strip()) for part in value.split(","))
    return f"{plain_text(name)}={value.strip()}" if harmless else plain_text(name)
