"""The keyword arguments of ``configure()``, checked where they are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from tta_observe._secrets import masked
from tta_observe._settings.parts import (
    DEFAULT_ENDPOINT,
    HTTP_EXTRA,
    HTTP_LIBRARY,
    PROMETHEUS_EXTRA,
    address_of,
    exporters,
    installed,
    path_of,
    sendable,
    shown,
)
from tta_observe._values import shown as display
from tta_observe.errors import ConfigurationError, unknown_option
from tta_observe.pricing import Price


def _endpoint(value: object) -> object:
    if not isinstance(value, str):
        return value
    if "://" not in value:
        raise ValueError(f"has no scheme. Write endpoint='http://{shown(value)}', or https:// for TLS")
    if address_of(value) is None:
        raise ValueError(f"is no address. Write endpoint={DEFAULT_ENDPOINT!r}")
    return value


def _store(value: object) -> object:
    if not isinstance(value, (str, Path)):
        return value
    path = path_of(str(value))
    if path is None:
        raise ValueError("is no path. Write store='telemetry.db'")
    return path


def _headers(value: object) -> object:
    if isinstance(value, dict) and not all(isinstance(v, str) and sendable(str(k), v) for k, v in value.items()):
        raise ValueError("holds what no header can. Names are letters, digits and - _ . and values are plain text")
    return value


def _redact(value: object) -> object:
    if value is not None and not callable(value):
        raise ValueError("cannot be called. Write redact=mask with def mask(key, value), which returns what to send")
    return value


class Keywords(BaseModel):
    """The keyword arguments of ``configure()`` that are plain values, as given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    service_name: str | None = Field(None, min_length=1)
    service_version: str | None = None
    environment: str | None = None
    exporter: Annotated[tuple[str, ...], BeforeValidator(exporters)] = ("auto",)
    endpoint: Annotated[str | None, BeforeValidator(_endpoint)] = Field(None, repr=False)
    protocol: Literal["grpc", "http/protobuf"] | None = None
    headers: Annotated[dict[str, str] | None, BeforeValidator(_headers)] = Field(None, repr=False)
    insecure: bool | None = None
    sample_ratio: float | None = Field(None, ge=0, le=1)
    export_interval_s: PositiveFloat | None = Field(None, allow_inf_nan=False)
    store: Annotated[Path | None, BeforeValidator(_store)] = None
    label_limit: PositiveInt = 200
    capture_content: bool | None = None
    error_detail: Literal["type", "message", "full"] = "message"
    redact: Annotated[Any, BeforeValidator(_redact)] = None
    flush_on_sigterm: bool = False
    prices: dict[str, Any] | None = None
    resource_attributes: dict[str, Any] | None = None


_HINTS: Final = {
    "service_name": "Write service_name='checkout'.",
    "service_version": "Write service_version='1.4.2'.",
    "environment": "Write environment='production'.",
    "endpoint": f"Write endpoint={DEFAULT_ENDPOINT!r}.",
    "protocol": "Write protocol='grpc' or protocol='http/protobuf'.",
    "headers": "Write headers={'authorization': 'Bearer ...'}.",
    "insecure": "Write insecure=True or insecure=False.",
    "sample_ratio": "Write a number from 0 to 1, e.g. sample_ratio=0.1.",
    "export_interval_s": "Write a positive number of seconds, e.g. export_interval_s=15.",
    "store": "Write a path, e.g. store='telemetry.db'.",
    "label_limit": "Write a positive whole number, e.g. label_limit=200.",
    "capture_content": "Write capture_content=True or capture_content=False.",
    "error_detail": "Write 'type', 'message' or 'full'.",
    "flush_on_sigterm": "Write flush_on_sigterm=True or flush_on_sigterm=False.",
    "prices": "Write prices={'my-model': Price(input=2.5, output=10)}.",
    "resource_attributes": "Write resource_attributes={'service.namespace': 'shop'}.",
}


def checked(keywords: Mapping[str, Any]) -> Keywords:
    """
    *keywords* once they are right.

    Raises:
        ConfigurationError: one is wrong; says what to write.
    """
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
            f"endpoint={shown(given.endpoint)!r} and insecure={given.insecure} contradict each other. "
            "The scheme decides: write http:// for plaintext, https:// for TLS, and leave insecure= out."
        )
    if "prometheus" in given.exporter and not installed("prometheus_client"):
        raise ConfigurationError(f"exporter='prometheus' needs prometheus_client. Run: {PROMETHEUS_EXTRA}")
    if given.protocol == "http/protobuf" and not installed(HTTP_LIBRARY):
        raise ConfigurationError(f"protocol='http/protobuf' needs {HTTP_LIBRARY}. Run: {HTTP_EXTRA}")
    return given


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _explained(error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    said = f"{name}={_told(name, first['input'])}"
    if first["type"] == "value_error":
        return ConfigurationError(f"{said} {first['ctx']['error']}.")
    return ConfigurationError(f"{said}: {first['msg'].lower()}. {_HINTS[name]}")


def _told(name: str, value: object) -> str:
    """*value* as far as it is no secret, without running code of its class."""
    if name == "headers":
        return "..."
    return masked(display(shown(value) if name == "endpoint" and isinstance(value, str) else value))


def checked_prices(prices: Mapping[str, Any]) -> dict[str, Price]:
    """
    *prices* once every one is a :class:`Price`.

    Raises:
        ConfigurationError: one is none.
    """
    for model, price in prices.items():
        if not isinstance(price, Price):
            raise ConfigurationError(f"prices[{model!r}]={price!r} is no Price. {_HINTS['prices']}")
    return dict(prices)
