"""Where each signal goes over OTLP: OpenTelemetry's rules about endpoints, protocols and what stands around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tta_observe._settings.environment import Environment, Signal, pairs, positive, word
from tta_observe._settings.parts import HTTP_EXTRA, HTTP_LIBRARY, Address, address_of, installed, is_loopback, sendable

if TYPE_CHECKING:
    from tta_observe._settings.keywords import Keywords

Protocol = Literal["grpc", "http/protobuf"]

_PATHS: Final[dict[Signal, str]] = {"TRACES": "/v1/traces", "METRICS": "/v1/metrics"}
"""Added to an endpoint for all signals. Source: OTLP specification 1.9, "OTLP/HTTP request"."""


class Target(BaseModel):
    """Where one signal goes over OTLP."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    tls: bool
    protocol: Protocol = "grpc"
    path: str = Field("", repr=False)
    """Of OTLP over HTTP; a query in it may be a secret."""
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

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent stays on this machine; names are not looked up."""
        return is_loopback(self.host)


def exposed(target: Target) -> str | None:
    """What to say when the headers of *target*, which may be credentials, leave this machine in plaintext."""
    if target.tls or target.is_loopback or not target.headers:
        return None
    return (
        f"OTLP: headers go to {target.address} in plaintext, where everybody on the way can read them. "
        "Write https:// in the endpoint, or send to a collector on this machine."
    )


def unspoken(given: Keywords, reader: Environment, signal: Signal) -> str | None:
    """What to say when *signal* is asked for in a protocol that is not spoken here; None when it is."""
    wanted = _wanted(given, reader, signal)
    if wanted == "http/json":
        return (
            "OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not spoken, so the telemetry goes to the local store. "
            "Set it to http/protobuf, which the same receivers take, or to grpc."
        )
    if wanted == "grpc" or installed(HTTP_LIBRARY):
        return None
    return (
        f"OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf needs {HTTP_LIBRARY}; without it this is grpc only, so the "
        f"telemetry goes to the local store. Run: {HTTP_EXTRA}"
    )


_FILES: Final = ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")


def target_of(given: Keywords, reader: Environment, signal: Signal) -> Target:
    """Where *signal* goes."""
    address = address_of(given.endpoint) if given.endpoint else reader.endpoint(signal)
    protocol: Protocol = "grpc" if _wanted(given, reader, signal) == "grpc" else "http/protobuf"
    tls = _tls(given, reader, signal, address)
    return Target(
        host=address.host if address else "localhost",
        port=_port(address, protocol, tls=tls),
        tls=tls,
        protocol=protocol,
        path=_path(given, reader, signal, address) if protocol != "grpc" else "",
        headers=_headers(given, reader, signal),
        certificate=reader.otlp(signal, "CERTIFICATE", str, ""),
        client_key=reader.otlp(signal, "CLIENT_KEY", str, ""),
        client_certificate=reader.otlp(signal, "CLIENT_CERTIFICATE", str, ""),
        compression=reader.otlp(signal, "COMPRESSION", word("none", "gzip"), "none or gzip") or "none",  # type: ignore[arg-type]
        timeout_s=reader.otlp(signal, "TIMEOUT", positive, "a positive number of seconds") or 10.0,
    )


def _wanted(given: Keywords, reader: Environment, signal: Signal) -> str:
    known = word("grpc", "http/protobuf", "http/json")
    return given.protocol or reader.otlp(signal, "PROTOCOL", known, "grpc or http/protobuf") or "grpc"


def _port(address: Address | None, protocol: Protocol, *, tls: bool) -> int:
    if address is not None and address.port is not None:
        return address.port
    if protocol == "grpc":
        return 4317
    # An endpoint of HTTP is a URL, which means the port of its scheme; only without one there is a default of OTLP's.
    return 4318 if address is None or address.tls is None else 443 if tls else 80


def _path(given: Keywords, reader: Environment, signal: Signal, address: Address | None) -> str:
    """An endpoint for one signal is used as it is; to one for all signals the path of the signal is added."""
    path = address.path if address is not None else ""
    if given.endpoint is None and reader.own_endpoint(signal) is not None:
        return path or "/"
    base, mark, query = path.partition("?")
    return base.rstrip("/") + _PATHS[signal] + mark + query


def _tls(given: Keywords, reader: Environment, signal: Signal, address: Address | None) -> bool:
    if given.insecure is not None:
        return not given.insecure
    if address is not None and address.tls is not None:
        return address.tls
    insecure = reader.otlp(signal, "INSECURE", word("true", "false"), "true or false")
    # Without a scheme it is plaintext, but nobody sets a certificate for that.
    return insecure == "false" or (insecure is None and any(reader.otlp(signal, name, str, "") for name in _FILES))


def _headers(given: Keywords, reader: Environment, signal: Signal) -> tuple[tuple[str, str], ...]:
    if given.headers is not None:
        found = list(given.headers.items())
    else:
        raw = reader.otlp(signal, "HEADERS", str, "") or ""
        found = [(key, value) for key, value in pairs(raw) if sendable(key, value)]
        if len(found) != len([part for part in raw.split(",") if part.strip()]):
            reader.problem("OTEL_EXPORTER_OTLP_HEADERS: a part was ignored. Write key=value,key2=value2.")
    return tuple((key.lower(), value) for key, value in found)
