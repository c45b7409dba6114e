"""
Settings: keywords, then OpenTelemetry's own variables, then ``TTA_OBSERVE_*``; checked once, frozen after.

A wrong keyword raises where it is written. A wrong value from the environment never raises: it is told, and the
default is used.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from tta_observe.errors import ConfigurationError, unknown_option
from tta_observe.pricing import Price

EXPORTERS: Final = ("auto", "local", "otlp", "console", "none")
DEFAULT_ENDPOINT: Final = "http://localhost:4317"

ExporterName = Literal["local", "otlp", "console"]
Signal = Literal["TRACES", "METRICS"]
SIGNALS: Final[tuple[Signal, Signal]] = ("TRACES", "METRICS")


def _endpoint(value: object) -> object:
    if not isinstance(value, str):
        return value
    if "://" not in value:
        raise ValueError(f"has no scheme. Write endpoint='http://{value}', or https:// for TLS")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address. Write endpoint='http://localhost:4317'")
    return value


def _exporters(value: object) -> object:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (tuple, list)) or not names or not set(names) <= set(EXPORTERS):
        raise ValueError(f"is not known. Write one of {', '.join(EXPORTERS)}, or a tuple of them")
    if len(names) > 1 and {"auto", "none"} & set(names):
        raise ValueError("mixes 'auto' or 'none' with others. Write the exporters that you want alone")
    return tuple(dict.fromkeys(names))


class Keywords(BaseModel):
    """The keyword arguments of ``configure()`` that are plain values, as given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    service_name: str | None = Field(None, min_length=1)
    service_version: str | None = None
    environment: str | None = None
    exporter: Annotated[tuple[str, ...], BeforeValidator(_exporters)] = ("auto",)
    endpoint: Annotated[str | None, BeforeValidator(_endpoint)] = None
    headers: dict[str, str] | None = None
    insecure: bool | None = None
    sample_ratio: float | None = Field(None, ge=0, le=1)
    export_interval_s: PositiveFloat | None = Field(None, allow_inf_nan=False)
    store: str | Path | None = None
    label_limit: PositiveInt = 200
    error_detail: Literal["type", "message", "full"] = "message"
    prices: dict[str, Any] | None = None
    resource_attributes: dict[str, Any] | None = None


_HINTS: Final = {
    "service_name": "Write service_name='checkout'.",
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
    exporters_said: bool
    """Whether exporters were named, by keyword or variable, and not chosen by ``auto``."""
    endpoint_said: bool
    """Whether ``endpoint=`` was given."""
    endpoint_configured: bool
    """Whether an OTLP endpoint is known from a keyword or the environment."""
    targets: Mapping[Signal, Target]
    sample_ratio: float | None
    span_interval_s: float
    metric_interval_s: float | None
    """None: each exporter's own default."""
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
    configured = bool(given.endpoint or reader.endpoint_variables())
    exporters, said = _choose(given, reader, endpoint_configured=configured)
    settings = Settings(
        disabled=reader.flag("OTEL_SDK_DISABLED"),
        service_name=given.service_name or reader.service_name(),
        service_version=given.service_version,
        environment=given.environment,
        exporters=exporters,
        exporters_said=said,
        endpoint_said=given.endpoint is not None,
        endpoint_configured=configured,
        targets={signal: _target(given, reader, signal) for signal in SIGNALS},
        sample_ratio=given.sample_ratio,
        span_interval_s=1.0,
        metric_interval_s=given.export_interval_s or reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL"),
        store=Path(store).absolute() if (store := given.store or reader.get("TTA_OBSERVE_STORE")) else None,
        label_limit=given.label_limit,
        error_detail=given.error_detail,
        prices=_prices(given.prices or {}),
        resource_attributes=dict(given.resource_attributes or {}),
    )
    return settings, reader.problems


def _checked(keywords: Mapping[str, Any]) -> Keywords:
    unknown = [name for name in keywords if name not in Keywords.model_fields]
    if unknown:
        raise unknown_option("configure", unknown, [*Keywords.model_fields, "tracer_provider", "meter_provider"])
    values = {k: _plain(v) for k, v in keywords.items()}
    try:
        given = Keywords.model_validate(values)
    except ValidationError as error:
        raise _explained(error) from None
    if given.endpoint and given.insecure is not None and given.insecure != given.endpoint.startswith("http://"):
        raise ConfigurationError(
            f"endpoint={given.endpoint!r} and insecure={given.insecure} contradict each other. "
            "The scheme decides: write http:// for plaintext, https:// for TLS, and leave insecure= out."
        )
    return given


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _explained(error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "value_error":
        return ConfigurationError(f"{name}={first['input']!r} {first['ctx']['error']}.")
    shown = "..." if name == "headers" else repr(first["input"])
    return ConfigurationError(f"{name}={shown}: {first['msg'].lower()}. {_HINTS.get(name, '')}".rstrip())


def _prices(prices: Mapping[str, Any]) -> dict[str, Price]:
    for model, price in prices.items():
        if not isinstance(price, Price):
            raise ConfigurationError(f"prices[{model!r}]={price!r} is no Price. {_HINTS['prices']}")
    return dict(prices)


class _Environment:
    """Variables, and what was wrong with them; values are never repeated, they may be secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def get(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def otlp(self, signal: Signal, name: str) -> str | None:
        """The variable of one signal, else the one for all."""
        return self.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}") or self.get(f"OTEL_EXPORTER_OTLP_{name}")

    def endpoint_variables(self) -> list[str]:
        return [found for signal in SIGNALS if (found := self.otlp(signal, "ENDPOINT"))]

    def flag(self, name: str) -> bool:
        return (self.get(name) or "").lower() == "true"

    def service_name(self) -> str:
        listed = dict(_pairs(self.get("OTEL_RESOURCE_ATTRIBUTES") or ""))
        script = Path(sys.argv[0] if sys.argv and sys.argv[0] else "python").stem
        return self.get("OTEL_SERVICE_NAME") or listed.get("service.name") or f"unknown_service:{script}"

    def milliseconds(self, name: str) -> float | None:
        """A positive number of milliseconds, in seconds."""
        found = self.parsed(name, PositiveFloat, "a positive number of milliseconds, e.g. 15000")
        return None if found is None else found / 1000

    def parsed(self, name: str, kind: Any, expected: str) -> Any:
        """The variable as *kind*; None when it is not set, or wrong, which is told."""
        raw = self.get(name)
        if raw is None:
            return None
        try:
            return TypeAdapter(kind).validate_python(raw.lower())
        except ValidationError:
            self.problems.append(f"{name} is ignored: it is not {expected}.")
            return None


def _choose(
    given: Keywords, reader: _Environment, *, endpoint_configured: bool
) -> tuple[dict[Signal, tuple[ExporterName, ...]], bool]:
    """Which exporters each signal goes to, and whether somebody said so."""
    if given.exporter != ("auto",):
        return dict.fromkeys(SIGNALS, _names(given.exporter)), True
    automatic: tuple[ExporterName, ...] = ("otlp",) if endpoint_configured else ("local",)
    ours = _own_variable(reader)
    chosen = {
        signal: _standard_variable(reader, f"OTEL_{signal}_EXPORTER") or (None if ours is None else (ours,))
        for signal in SIGNALS
    }
    found = {signal: automatic if names is None else names[0] for signal, names in chosen.items()}
    return found, any(names is not None for names in chosen.values())


def _own_variable(reader: _Environment) -> tuple[ExporterName, ...] | None:
    raw = reader.get("TTA_OBSERVE_EXPORTER")
    if raw is None:
        return None
    try:
        names = TypeAdapter(Annotated[tuple[str, ...], BeforeValidator(_exporters)]).validate_python(
            tuple(part.strip().lower() for part in raw.split(","))
        )
    except ValidationError:
        reader.problems.append(f"TTA_OBSERVE_EXPORTER is ignored: write one or more of {', '.join(EXPORTERS)}.")
        return None
    return None if names == ("auto",) else _names(names)


def _standard_variable(reader: _Environment, name: str) -> tuple[tuple[ExporterName, ...]] | None:
    found = reader.parsed(name, Literal["none", "console", "otlp"], "one of none, console, otlp")
    return None if found is None else (_names((found,)),)


def _names(names: tuple[str, ...]) -> tuple[ExporterName, ...]:
    return tuple(name for name in names if name not in ("none", "auto"))  # type: ignore[misc]


def _target(given: Keywords, reader: _Environment, signal: Signal) -> Target:
    address = given.endpoint or reader.otlp(signal, "ENDPOINT") or DEFAULT_ENDPOINT
    schemeless = "://" not in address
    parts = urlsplit(f"//{address}" if schemeless else address)
    tls = parts.scheme == "https" or (schemeless and (reader.otlp(signal, "INSECURE") or "true").lower() == "false")
    try:
        port = parts.port or 4317
    except ValueError:
        reader.problems.append(f"OTEL_EXPORTER_OTLP_ENDPOINT is ignored: write {DEFAULT_ENDPOINT}.")
        parts, port, tls = urlsplit(DEFAULT_ENDPOINT), 4317, False
    return Target(
        host=parts.hostname or "localhost",
        port=port,
        tls=tls,
        headers=_headers(given, reader, signal),
        certificate=reader.otlp(signal, "CERTIFICATE"),
        client_key=reader.otlp(signal, "CLIENT_KEY"),
        client_certificate=reader.otlp(signal, "CLIENT_CERTIFICATE"),
        compression=reader.parsed("OTEL_EXPORTER_OTLP_COMPRESSION", Literal["none", "gzip"], "none or gzip") or "none",
        timeout_s=reader.parsed("OTEL_EXPORTER_OTLP_TIMEOUT", PositiveFloat, "a positive number of seconds") or 10.0,
    )


def _headers(given: Keywords, reader: _Environment, signal: Signal) -> tuple[tuple[str, str], ...]:
    if given.headers is not None:
        return tuple((key.lower(), value) for key, value in given.headers.items())
    raw = reader.otlp(signal, "HEADERS") or ""
    found = _pairs(raw)
    if len(found) != len([part for part in raw.split(",") if part.strip()]):
        reader.problems.append("OTEL_EXPORTER_OTLP_HEADERS: a part was ignored. Write key=value,key2=value2.")
    return tuple((key.lower(), value) for key, value in found)


def _pairs(text: str) -> list[tuple[str, str]]:
    split = (part.partition("=") for part in text.split(","))
    return [(unquote(key.strip()), unquote(value.strip())) for key, sep, value in split if sep and key.strip()]
