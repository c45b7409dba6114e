"""Whether an OTLP receiver takes what would be sent to it: an empty request per signal, on the package's own way."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tta_observe._settings import SIGNALS
from tta_observe._settings.parts import is_loopback
from tta_observe.cli.doctor import troubles
from tta_observe.cli.doctor.attempts import PATIENCE_S, begin
from tta_observe.cli.doctor.dial import Port, dial
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.doctor.troubles import Way
from tta_observe.cli.words import milliseconds, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._settings import Settings, Signal, Target
    from tta_observe.cli.doctor.findings import Finding

OTLP: Final = Group("OTLP")

_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_LONGEST_S: Final = 3 * PATIENCE_S
"""Of looking the host up, greeting it with and without TLS, and sending; all of it beside each other."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an empty request."""

    code: str
    """A status of gRPC such as ``OK``, ``HTTP`` for one of HTTP, or ``FILES`` when a certificate could not be read."""
    details: str = ""
    """What the other side said; never shown, it may repeat a secret. Of HTTP: what we say of it."""
    seconds: float = 0.0
    remedy: str = ""


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Send an empty request to each endpoint, if anything goes there; looks who listens meanwhile."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core would write each failed handshake on standard error
    signals = [signal for signal in SIGNALS if "otlp" in settings.exporters[signal]]
    ways = {signal: Way(settings.targets[signal], signal, environ) for signal in signals}
    sent = {signal: begin(lambda way=way: send(way.target, way.signal)) for signal, way in ways.items()}  # type: ignore[misc]
    ports = {target: begin(lambda target=target: look(target)) for target in {way.target for way in ways.values()}}  # type: ignore[misc]
    end = time.monotonic() + _LONGEST_S
    return merged(
        [
            judge(
                sent[signal].result(max(0.0, end - time.monotonic())),
                ports[way.target].result(max(0.0, end - time.monotonic())),
                way,
            )
            for signal, way in ways.items()
        ]
    )


def send(target: Target, signal: Signal) -> Sent:
    """Send an empty request, through the same transport as telemetry, and wait two seconds for the answer."""
    began = time.monotonic()
    try:
        found = _sent_by_http(target, signal) if target.protocol == "http/protobuf" else _sent_by_grpc(target, signal)
    except OSError as error:
        return Sent("FILES", f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return replace(found, seconds=time.monotonic() - began)


def _sent_by_grpc(target: Target, signal: Signal) -> Sent:
    import grpc  # loaded by those who send

    from tta_observe._pipeline.otlp_grpc import GrpcTransport

    transport = GrpcTransport(target)
    try:
        transport.ask(signal, PATIENCE_S)
    except grpc.RpcError as error:
        return _refused(error)
    finally:
        transport.close()
    return Sent("OK")


def _sent_by_http(target: Target, signal: Signal) -> Sent:
    from tta_observe._export import ExportFailed
    from tta_observe._pipeline.otlp_http import HttpTransport  # its library comes with an extra

    transport = HttpTransport(target)
    try:
        transport.send(signal, b"", PATIENCE_S)
    except ExportFailed as error:
        return Sent("HTTP", str(error), remedy=error.remedy or "See what listens there: it takes no OTLP over HTTP")
    finally:
        transport.close()
    return Sent("OK")


def look(target: Target) -> Port | None:
    """See who listens where *target* points; None when its certificate files cannot be used."""
    try:
        return dial(target.host, target.port, _trust(target) if target.tls else None)
    except OSError:
        return None


def judge(sent: Sent, port: Port | None, way: Way) -> Finding:
    """Say whether the request was taken; if not, why, and the line to change."""
    name = way.signal.lower()
    address = plain_text(way.target.address)
    if sent.code == "OK":
        return OTLP.ok(name, f"{address} took an empty request in {milliseconds(sent.seconds * 1000)}")
    if sent.remedy:
        return OTLP.problem(name, f"{address} took nothing: {plain_text(sent.details)}", sent.remedy)
    found, remedy = troubles.explain(sent.code, sent.details, port, way, proxy_for(way.target.host, way.environ))
    return OTLP.problem(name, f"{address} {found}", remedy)


def merged(findings: list[Finding]) -> list[Finding]:
    """One finding instead of two that say the same of two signals."""
    if len(findings) == len(SIGNALS):
        one, other = findings
        same = one.state == other.state != "ok" and (one.found, one.remedy) == (other.found, other.remedy)
        if same:
            return [OTLP.problem(f"{one.name}, {other.name}", one.found, one.remedy or "")]
    return findings


def proxy_for(host: str, environ: Mapping[str, str]) -> str | None:
    """The variable whose proxy gRPC goes through to *host*; None when it goes straight."""
    if is_loopback(host):
        return None
    used = next((name for name in _PROXIES if environ.get(name, "").strip()), None)
    spared = environ.get("no_grpc_proxy") or environ.get("no_proxy") or ""
    straight = any(part.strip() and host.endswith(part.strip()) for part in spared.split(","))
    return None if straight else used


def _refused(error: Any) -> Sent:
    code = error.code() if hasattr(error, "code") else None
    return Sent(code.name if code is not None else "UNKNOWN", str(error.details() or "") if code else "")


def _trust(target: Target) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=target.certificate)
    if target.client_certificate is not None:
        trust.load_cert_chain(target.client_certificate, target.client_key, password=lambda: "")
    return trust
