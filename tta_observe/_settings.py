"""
Settings: keywords, then OpenTelemetry's own variables, then ``TTA_OBSERVE_*``; checked once, frozen after.

A wrong keyword raises where it is written. A wrong value from the environment never raises: it is told, and the
default is used. No message repeats a header or what else may be a secret.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from tta_observe.errors import ConfigurationError, unknown_option
from tta_observe.pricing import Price

EXPORTERS: Final = ("auto", "local", "otlp", "console", "none")
DEFAULT_ENDPOINT: Final = "http://localhost:4317"

ExporterName = Literal["local", "otlp", "console"]
Signal = Literal["TRACES", "METRICS"]
SIGNALS: Final[tuple[Signal, Signal]] = ("TRACES", "METRICS")

_T = TypeVar("_T")


class _Address(NamedTuple):
    """An endpoint, taken apart."""

    host: str
    port: int
    tls: bool | None
    """None: it has no scheme, which would say."""


def _address(text: str) -> _Address | None:
    """Take an endpoint apart; None when it is none."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("", "http", "https") or not parts.hostname or re.search(r"\s", parts.hostname):
        return None
    return _Address(parts.hostname, port or 4317, parts.scheme == "https" if parts.scheme else None)


def _shown(endpoint: str) -> str:
    """*endpoint* without the user name, password and query, which may be secrets."""
    return re.sub(r"[^/@]*@", "...@", re.sub(r"[?#].*", "", endpoint))


def _endpoint(value: object) -> object:
    if not isinstance(value, str):
        return value
    if "://" not in value:
        raise ValueError(f"has no scheme. Write endpoint='http://{_shown(value)}', or https:// for TLS")
    if _address(value) is None:
        raise ValueError(f"is no address. Write endpoint={DEFAULT_ENDPOINT!r}")
    return value


def _exporters(value: object) -> object:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (tuple, list)) or not names or any(name not in EXPORTERS for name in names):
        raise ValueError(f"is not known. Write one of {', '.join(EXPORTERS)}, or a tuple of them")
    if len(names) > 1 and {"auto", "none"} & set(names):
        raise ValueError("mixes 'auto' or 'none' with others. Write the exporters that you want alone")
    return tuple(dict.fromkeys(names))


def _store(value: object) -> object:
    if not isinstance(value, (str, Path)):
        return value
    path = _path(str(value))
    if path is None:
        raise ValueError("is no path. Write store='telemetry.db'")
    return path


def _path(text: str) -> Path | None:
    try:
        return Path(text).expanduser().absolute() if text and "\0" not in text else None
    except RuntimeError:  # no such user, no home
        return None


def _headers(value: object) -> object:
    if isinstance(value, dict) and not all(isinstance(v, str) and _sendable(str(k), v) for k, v in value.items()):
        raise ValueError("holds what no header can. Names are letters, digits and - _ . and values are plain text")
    return value


def _sendable(name: str, value: str) -> bool:
    """Whether gRPC takes it: it refuses a whole request over one header."""
    binary = name.lower().endswith("-bin")
    return not binary and bool(re.fullmatch(r"[\w.-]+", name, re.ASCII) and re.fullmatch(r"[ -~]*", value))


class Keywords(BaseModel):
    """The keyword arguments of ``configure()`` that are plain values, as given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    service_name: str | None = Field(None, min_length=1)
    service_version: str | None = None
    environment: str | None = None
    exporter: Annotated[tuple[str, ...], BeforeValidator(_exporters)] = ("auto",)
    endpoint: Annotated[str | None, BeforeValidator(_endpoint)] = None
    headers: Annotated[dict[str, str] | None, BeforeValidator(_headers)] = None
    insecure: bool | None = None
    sample_ratio: float | None = Field(None, ge=0, le=1)
    export_interval_s: PositiveFloat | None = Field(None, allow_inf_nan=False)
    store: Annotated[Path | None, BeforeValidator(_store)] = None
    label_limit: PositiveInt = 200
    error_detail: Literal["type", "message", "full"] = "message"
    prices: dict[str, Any] | None = None
    resource_attributes: dict[str, Any] | None = None


_HINTS: Final = {
    "service_name": "Write service_name='checkout'.",
    "service_version": "Write service_version='1.4.2'.",
    "environment": "Write environment='production'.",
    "endpoint": f"Write endpoint={DEFAULT_ENDPOINT!r}.",
    "headers": "Write headers={'authorization': 'Bearer ...'}.",
    "insecure": "Write insecure=True or insecure=False.",
    "sample_ratio": "Write a number from 0 to 1, e.g. sample_ratio=0.1.",
    "export_interval_s": "Write a positive number of seconds, e.g. export_interval_s=15.",
    "store": "Write a path, e.g. store='telemetry.db'.",
    "label_limit": "Write a positive whole number, e.g. label_limit=200.",
    "error_detail": "Write 'type', 'message' or 'full'.",
    "prices": "Write prices={'my-model': Price(input=2.5, output=10)}.",
    "resource_attributes": "Write resource_attributes={'service.namespace': 'shop'}.",
}


class Target(BaseModel):
    """Where one signal goes over OTLP."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    tls: bool
    headers: tuple[tuple[str, str], ...] = Field((), repr=False)
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    compression: Literal["none", "gzip"] = "none"
    timeout_s: float = 10.0

    @property
    def address(self) -> str:
        """For people and for gRPC: host and port, no user names and no secrets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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
    store: Path | None
    label_limit: int
    error_detail: str
    prices: Mapping[str, Price]
    resource_attributes: Mapping[str, Any]


def resolve(keywords: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """
    Decide on the settings; also returns what has to be told about values from the environment.

    Raises:
        ConfigurationError: a keyword is wrong; says what to write.
    """
    given = _checked(keywords)
    reader = _Environment(environ)
    exporters, sent = _choose(given, reader)
    settings = Settings(
        disabled=reader.flag("OTEL_SDK_DISABLED"),
        service_name=given.service_name or _named_among(given.resource_attributes) or reader.service_name(),
        service_version=given.service_version,
        environment=given.environment,
        exporters=exporters,
        sent_by_application=sent,
        targets={signal: _target(given, reader, signal) for signal in SIGNALS},
        sample_ratio=given.sample_ratio,
        span_interval_s=1.0,
        metric_interval_s=_metric_intervals(given, reader),
        store=given.store or reader.parsed("TTA_OBSERVE_STORE", _path, "a path, e.g. telemetry.db"),
        label_limit=given.label_limit,
        error_detail=given.error_detail,
        prices=_prices(given.prices or {}),
        resource_attributes=dict(given.resource_attributes or {}),
    )
    return settings, reader.problems


def _metric_intervals(given: Keywords, reader: _Environment) -> dict[ExporterName, float]:
    # OpenTelemetry's variable is meant for what goes over a network; the store costs nothing and is looked at live.
    network_s = reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL") or 15.0
    defaults: dict[ExporterName, float] = {"local": 1.0, "otlp": network_s, "console": network_s}
    return {name: given.export_interval_s or default for name, default in defaults.items()}


def _checked(keywords: Mapping[str, Any]) -> Keywords:
    unknown = [name for name in keywords if name not in Keywords.model_fields]
    if unknown:
        raise unknown_option("configure", unknown, [*Keywords.model_fields, "tracer_provider", "meter_provider"])
    values = {k: _plain(v) for k, v in keywords.items()}
    try:
        given = Keywords.model_validate(values)
    except ValidationError as error:
        raise _explained(error) from None
    if given.endpoint and given.insecure is not None and given.insecure == given.endpoint.startswith("https://"):
        raise ConfigurationError(
            f"endpoint={_shown(given.endpoint)!r} and insecure={given.insecure} contradict each other. "
            "The scheme decides: write http:// for plaintext, https:// for TLS, and leave insecure= out."
        )
    return given


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _explained(error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    name, value = str(first["loc"][0]), first["input"]
    shown = {"headers": "...", "endpoint": repr(_shown(value) if isinstance(value, str) else value)}.get(
        name, repr(value)
    )
    if first["type"] == "value_error":
        return ConfigurationError(f"{name}={shown} {first['ctx']['error']}.")
    return ConfigurationError(f"{name}={shown}: {first['msg'].lower()}. {_HINTS[name]}")


def _prices(prices: Mapping[str, Any]) -> dict[str, Price]:
    for model, price in prices.items():
        if not isinstance(price, Price):
            raise ConfigurationError(f"prices[{model!r}]={price!r} is no Price. {_HINTS['prices']}")
    return dict(prices)


def _named_among(attributes: Mapping[str, Any] | None) -> str | None:
    found = (attributes or {}).get("service.name")
    return found if isinstance(found, str) and found else None


class _Environment:
    """Variables, and what was wrong with them; values are never repeated, they may be secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def get(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def problem(self, text: str) -> None:
        """Remember what has to be told, once."""
        if text not in self.problems:
            self.problems.append(text)

    def parsed(self, name: str, parse: Callable[[str], _T | None], expected: str) -> _T | None:
        """The variable as *parse* reads it; None when it is not set, or wrong, which is told."""
        raw = self.get(name)
        found = parse(raw) if raw is not None else None
        if raw is not None and found is None:
            self.problem(f"{name} is ignored: it is not {expected}.")
        return found

    def otlp(self, signal: Signal, name: str, parse: Callable[[str], _T | None], expected: str) -> _T | None:
        """The variable of one signal, else the one for all."""
        for variable in (f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            found = self.parsed(variable, parse, expected)
            if found is not None:
                return found
        return None

    def endpoint(self, signal: Signal) -> _Address | None:
        return self.otlp(signal, "ENDPOINT", _address, f"an address, e.g. {DEFAULT_ENDPOINT}")

    def flag(self, name: str) -> bool:
        return self.parsed(name, _word("true", "false"), "true or false") == "true"

    def service_name(self) -> str:
        listed = dict(_pairs(self.get("OTEL_RESOURCE_ATTRIBUTES") or ""))
        script = Path(sys.argv[0] if sys.argv and sys.argv[0] else "python").stem
        return self.get("OTEL_SERVICE_NAME") or listed.get("service.name") or f"unknown_service:{script}"

    def milliseconds(self, name: str) -> float | None:
        """A positive number of milliseconds, in seconds."""
        found = self.parsed(name, _positive, "a positive number of milliseconds, e.g. 15000")
        return None if found is None else found / 1000


def _word(*known: str) -> Callable[[str], str | None]:
    return lambda text: text.lower() if text.lower() in known else None


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number > 0 and isfinite(number) else None


def _choose(given: Keywords, reader: _Environment) -> tuple[dict[Signal, tuple[ExporterName, ...]], frozenset[Signal]]:
    """Which exporters each signal goes to, and which signals an application's own pipeline sends already."""
    if given.exporter != ("auto",):
        return {signal: _spoken(given, reader, signal, _names(given.exporter)) for signal in SIGNALS}, frozenset()
    configured = given.endpoint is not None or any(reader.endpoint(signal) for signal in SIGNALS)
    automatic: tuple[ExporterName, ...] = ("otlp",) if configured else ("local",)
    ours = _own_variable(reader)
    chosen: dict[Signal, tuple[ExporterName, ...]] = {}
    sent: set[Signal] = set()
    for signal in SIGNALS:
        standard = _standard_variable(reader, f"OTEL_{signal}_EXPORTER")
        names = standard if standard is not None else ours if ours is not None else automatic
        chosen[signal] = _spoken(given, reader, signal, names)
        if given.endpoint is None and (standard is not None or (ours is None and configured)):
            sent.add(signal)
    return chosen, frozenset(sent)


def _spoken(
    given: Keywords, reader: _Environment, signal: Signal, names: tuple[ExporterName, ...]
) -> tuple[ExporterName, ...]:
    """*names*, with the store in the place of OTLP where the environment asks for OTLP over HTTP."""
    wanted = reader.otlp(signal, "PROTOCOL", _word("grpc", "http/protobuf", "http/json"), "grpc")
    if wanted in (None, "grpc") or given.endpoint is not None or "otlp" not in names:
        return names
    reader.problem(
        "OTEL_EXPORTER_OTLP_PROTOCOL: this version speaks grpc only, so the telemetry goes to the local store. "
        "Unset it and name a gRPC endpoint, usually port 4317."
    )
    return tuple(dict.fromkeys("local" if name == "otlp" else name for name in names))


def _own_variable(reader: _Environment) -> tuple[ExporterName, ...] | None:
    expected = f"one or more of {', '.join(EXPORTERS)}"
    names = reader.parsed("TTA_OBSERVE_EXPORTER", _listed_exporters, expected)
    return None if names in (None, ("auto",)) else _names(names or ())


def _listed_exporters(text: str) -> tuple[str, ...] | None:
    try:
        return _exporters(tuple(part.strip().lower() for part in text.split(",")))  # type: ignore[return-value]
    except ValueError:
        return None


def _standard_variable(reader: _Environment, name: str) -> tuple[ExporterName, ...] | None:
    found = reader.parsed(name, _word("none", "console", "otlp"), "one of none, console, otlp")
    return None if found is None else _names((found,))


def _names(names: tuple[str, ...]) -> tuple[ExporterName, ...]:
    return tuple(name for name in names if name not in ("none", "auto"))  # type: ignore[misc]


def _target(given: Keywords, reader: _Environment, signal: Signal) -> Target:
    address = _address(given.endpoint) if given.endpoint else reader.endpoint(signal)
    return Target(
        host=address.host if address else "localhost",
        port=address.port if address else 4317,
        tls=_tls(given, reader, signal, address),
        headers=_target_headers(given, reader, signal),
        certificate=reader.otlp(signal, "CERTIFICATE", str, ""),
        client_key=reader.otlp(signal, "CLIENT_KEY", str, ""),
        client_certificate=reader.otlp(signal, "CLIENT_CERTIFICATE", str, ""),
        compression=reader.otlp(signal, "COMPRESSION", _word("none", "gzip"), "none or gzip") or "none",  # type: ignore[arg-type]
        timeout_s=reader.otlp(signal, "TIMEOUT", _positive, "a positive number of seconds") or 10.0,
    )


def _tls(given: Keywords, reader: _Environment, signal: Signal, address: _Address | None) -> bool:
    if given.insecure is not None:
        return not given.insecure
    if address is not None and address.tls is not None:
        return address.tls
    return reader.otlp(signal, "INSECURE", _word("true", "false"), "true or false") == "false"


def _target_headers(given: Keywords, reader: _Environment, signal: Signal) -> tuple[tuple[str, str], ...]:
    if given.headers is not None:
        found = list(given.headers.items())
    else:
        raw = reader.otlp(signal, "HEADERS", str, "") or ""
        found = [(key, value) for key, value in _pairs(raw) if _sendable(key, value)]
        if len(found) != len([part for part in raw.split(",") if part.strip()]):
            reader.problem("OTEL_EXPORTER_OTLP_HEADERS: a part was ignored. Write key=value,key2=value2.")
    return tuple((key.lower(), value) for key, value in found)


def _pairs(text: str) -> list[tuple[str, str]]:
    split = (part.partition("=") for part in text.split(","))
    return [(unquote(key.strip()), unquote(value.strip())) for key, sep, value in split if sep and key.strip()]
