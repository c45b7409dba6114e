"""Why an OTLP receiver took nothing, and which line to change. Pure: from what was seen to sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tta_observe.cli.words import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._settings import Signal, Target
    from tta_observe.cli.doctor.dial import Port

Trouble = tuple[str, str]
"""What was found, to be read after an address, and the remedy."""

GRPC_PORT: Final = 4317
HTTP_PORT: Final = 4318

_STATUS: Final = re.compile(r"http2 header with status: (\d{3})")
_UNREACHED: Final = {
    "unknown host": "is unknown: there is no host of this name",
    "refused": "refuses connections: nobody listens there",
    "no answer": "gives no answer within 2 s",
    "unreachable": "cannot be reached",
}
_DENIED: Final = {"UNAUTHENTICATED": "wants to know who sends", "PERMISSION_DENIED": "does not permit this sender"}


@dataclass(frozen=True, slots=True)
class Way:
    """Which signal goes where, and the variables that decided it."""

    target: Target
    signal: Signal
    environ: Mapping[str, str]

    def variable(self, name: str) -> str:
        """The variable in charge: the one of this signal where it is set, else the one for both."""
        own = f"OTEL_EXPORTER_OTLP_{self.signal}_{name}"
        return own if self.environ.get(own, "").strip() else f"OTEL_EXPORTER_OTLP_{name}"

    def line(self, *, tls: bool, port: int | None = None) -> str:
        """The line that names the endpoint."""
        address = plain_text(self.target.address)
        if port is not None:
            address = f"{address.rpartition(':')[0]}:{port}"
        return f"  {self.variable('ENDPOINT')}={'https' if tls else 'http'}://{address}"


def explain(code: str, details: str, port: Port | None, way: Way, proxy: str | None) -> Trouble:
    """Say why the status is *code*; *proxy* names the variable of a proxy on the way."""
    told = _told(code, details, way)
    status = _STATUS.search(details)
    if proxy is not None and (told is None or status is not None):
        return (
            f"was asked through the proxy that {proxy} names, which does not lead there",
            f"Let gRPC go straight:\n  no_proxy={plain_text(way.target.host)}",
        )
    if told is None and port is not None:
        told = _unreached(port.unreached, way) if port.unreached is not None else _mismatch(port, way)
    return told or _unexplained(code, details, port, way)


def _told(code: str, details: str, way: Way) -> Trouble | None:
    """What the status says by itself."""
    if code == "FILES":
        return _files(details, way)
    if code in _DENIED:
        return _denied(code, way)
    if code == "UNIMPLEMENTED":
        return _unimplemented(details, way)
    if code == "RESOURCE_EXHAUSTED":
        return f"is too busy to take anything ({code})", "Give the receiver more memory, or send less"
    return None


def _files(details: str, way: Way) -> Trouble:
    lines = [f"  {way.variable(name)}=..." for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")]
    return f"was not asked: {plain_text(details)}", "\n".join(["Name files in PEM format that can be read:", *lines])


def _denied(code: str, way: Way) -> Trouble:
    names = ", ".join(plain_text(name) for name, _ in way.target.headers)
    sent = f"; sent was {names}" if names else "; no header was sent"
    remedy = (
        f"Write the key of your account, with %20 for a space:\n  {way.variable('HEADERS')}=authorization=Bearer%20..."
    )
    return f"{_DENIED[code]} ({code}){sent}", remedy


def _unimplemented(details: str, way: Way) -> Trouble:
    status = _STATUS.search(details)
    if status is not None:
        return f"speaks HTTP, not OTLP over gRPC (status {status[1]})", _grpc_port(way, tls=way.target.tls)
    signal = way.signal.lower()
    return (
        f"takes OTLP, but no {signal} (UNIMPLEMENTED)",
        f"""\
In the collector's configuration, under service.pipelines:
  {signal}: {{receivers: [otlp], exporters: [...]}}
or, where the receiver has no use for them:
  OTEL_{way.signal}_EXPORTER=none""",
    )


def _unreached(unreached: str, way: Way) -> Trouble:
    variable = way.variable("ENDPOINT")
    if unreached == "unknown host":
        remedy = f"Name a host that is known here, e.g.\n  {variable}=http://127.0.0.1:{GRPC_PORT}"
    elif way.target.port == GRPC_PORT:
        remedy = f"Start a collector there, or use the local store:\n  unset {variable}"
    else:
        remedy = f"OTLP over gRPC is usually on port {GRPC_PORT}:\n{way.line(tls=way.target.tls, port=GRPC_PORT)}"
    return _UNREACHED[unreached], remedy


def _mismatch(port: Port, way: Way) -> Trouble | None:
    """What is spoken there, where it is not what was sent."""
    if port.distrust is not None:
        return _distrusted(port.distrust, way)
    if port.wants_client or (way.target.tls and port.secured == "hung up"):
        lines = [
            f"  {way.variable(name)}=client.{end}"
            for name, end in (("CLIENT_CERTIFICATE", "pem"), ("CLIENT_KEY", "key"))
        ]
        return "asks for a certificate of the client, or does not believe yours", "\n".join(["Name yours:", *lines])
    if "http/1" in (port.plain, port.secured):
        return "speaks HTTP/1, not gRPC", _grpc_port(way, tls=port.secured == "http/1")
    if way.target.tls and port.plain == "http/2":
        return "speaks plaintext, and TLS was asked for", f"Write http:\n{way.line(tls=False)}"
    if not way.target.tls and port.secured is not None:
        return "speaks TLS, and plaintext was sent", f"Write https:\n{way.line(tls=True)}"
    return None


def _distrusted(reason: str, way: Way) -> Trouble:
    found = f"has a certificate that is not believed: {plain_text(reason)}"
    if "expired" in reason or "not yet valid" in reason:
        return found, "Renew the certificate of the server, and look at the clocks of both machines"
    if "mismatch" in reason:
        example = f"  {way.variable('ENDPOINT')}=https://name.in.the.certificate:{way.target.port}"
        return found, f"Write the host as it stands in the certificate:\n{example}"
    return found, f"Name the certificate of whoever signed it:\n  {way.variable('CERTIFICATE')}=ca.pem"


def _grpc_port(way: Way, *, tls: bool) -> str:
    if way.target.port == GRPC_PORT:
        line = f"  grpc: {{endpoint: 0.0.0.0:{GRPC_PORT}}}"
        return f"Let the collector take gRPC there, under receivers.otlp.protocols:\n{line}"
    why = f"{HTTP_PORT} is the port of OTLP over HTTP; " if way.target.port == HTTP_PORT else ""
    return f"{why}gRPC is usually on {GRPC_PORT}:\n{way.line(tls=tls, port=GRPC_PORT)}"


def _patience(way: Way) -> str:
    variable = way.variable("TIMEOUT")
    return f"See what keeps the receiver busy; {variable} is how many seconds to wait:\n  {variable}=10"


def _unexplained(code: str, details: str, port: Port | None, way: Way) -> Trouble:
    if port is not None and "silence" in (port.plain, port.secured):
        return (
            "takes connections and never answers",
            f"See what runs there, or name a receiver that answers:\n  {way.variable('ENDPOINT')}=http://127.0.0.1:{GRPC_PORT}",
        )
    if code == "DEADLINE_EXCEEDED":
        return f"gives no answer within {min(2.0, way.target.timeout_s):g} s", _patience(way)
    if "CERTIFICATE_VERIFY_FAILED" in details:  # gRPC brings certificates of its own and does not look at the system's
        return (
            "has a certificate that this machine believes, but gRPC does not",
            f"Name the ones of this machine:\n  {way.variable('CERTIFICATE')}=/etc/ssl/certs/ca-certificates.crt",
        )
    status = _STATUS.search(details)
    if status is not None:
        return f"answers with HTTP status {status[1]}: something stands in between", _grpc_port(way, tls=way.target.tls)
    return (
        f"answers {plain_text(code)}",
        "See the log of the receiver, or name another one:\n" + way.line(tls=way.target.tls),
    )
