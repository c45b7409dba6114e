"""Who listens at an address, and what they speak. Sends a greeting of HTTP/2, never a header of ours."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tta_observe.cli.doctor.attempts import PATIENCE_S, within

if TYPE_CHECKING:
    from typing import Any

Unreached = Literal["unknown host", "refused", "no answer", "unreachable"]
Spoken = Literal["http/2", "http/1", "silence", "hung up", "something else"]

_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The connection preface and empty settings. Source: RFC 9113, section 3.4."""
_OLD_GREETING: Final = b"HEAD / HTTP/1.0\r\n\r\n"
_SETTINGS_FRAME: Final = 4
_MOST_ADDRESSES: Final = 3


@dataclass(frozen=True, slots=True)
class Port:
    """What was seen at a host and port."""

    unreached: Unreached | None = None
    plain: Spoken | None = None
    """What is spoken without TLS; None when it was not tried."""
    secured: Spoken | None = None
    """What is spoken inside TLS; None when it was not tried, or there is no TLS."""
    distrust: str | None = None
    """Why the certificate of the server is not believed, in the words of OpenSSL."""
    wants_client: bool = False
    """Whether it asks for a certificate of the client."""


def dial(host: str, port: int, trust: ssl.SSLContext | None) -> Port:
    """Look who listens at *host*; *trust* says whom to believe where TLS is expected, None that plaintext is."""
    try:
        found = within(PATIENCE_S, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        return Port("no answer")
    except (OSError, ValueError):  # ValueError: no host can have such a name
        return Port("unknown host")
    missed: Unreached = "unreachable"
    for address in [address for *_, address in found[:_MOST_ADDRESSES]]:
        try:
            _connect(address, PATIENCE_S / min(len(found), _MOST_ADDRESSES)).close()
        except OSError as error:
            missed = _missed(error)
        else:
            return _plain(address) if trust is None else _secured(address, host, trust)
    return Port(missed)


def strangers_trust() -> ssl.SSLContext:
    """Believes anybody: to see whether there is TLS at all. Nothing of value is sent through it."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    return trust


def _connect(address: Any, seconds: float = PATIENCE_S / 2) -> socket.socket:
    return socket.create_connection(address[:2], seconds)


def _missed(error: OSError) -> Unreached:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "no answer" if isinstance(error, TimeoutError) else "unreachable"


def _plain(address: Any) -> Port:
    """Greet without TLS; where that is not understood, see whether TLS is."""
    spoken = _without_tls(address)
    return Port(plain=spoken) if spoken in ("http/2", "http/1") else Port(plain=spoken, secured=_within_tls(address))


def _secured(address: Any, host: str, trust: ssl.SSLContext) -> Port:
    """Greet inside TLS; where there is none, see what is spoken without."""
    trust.set_alpn_protocols(["h2"])
    try:
        with _connect(address) as plain, trust.wrap_socket(plain, server_hostname=host) as secured:
            return Port(secured=_greeted(secured))
    except ssl.SSLCertVerificationError as error:
        return Port(distrust=error.verify_message)
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in (error.reason or "") or "HANDSHAKE_FAILURE" in (error.reason or ""):
            return Port(wants_client=True)
    except TimeoutError:
        return Port(plain="silence")
    except OSError:
        pass
    return Port(plain=_without_tls(address))


def _without_tls(address: Any) -> Spoken:
    spoken: Spoken = "something else"
    for greeting in (_GREETING, _OLD_GREETING):
        try:
            with _connect(address) as plain:
                spoken = _greeted(plain, greeting)
        except OSError:
            spoken = "something else"
        if spoken not in ("hung up", "something else"):
            break
    return spoken


def _within_tls(address: Any) -> Spoken | None:
    try:
        trust = strangers_trust()
        trust.set_alpn_protocols(["h2"])
        with _connect(address) as plain, trust.wrap_socket(plain) as secured:
            with suppress(ssl.SSLError):  # it wants to know who we are: TLS it is
                return _greeted(secured)
            return "something else"
    except OSError:
        return None


def _greeted(connection: socket.socket, greeting: bytes = _GREETING) -> Spoken:
    """What answers to a greeting; most servers of HTTP/1 complain about one in HTTP/2 in their own words."""
    connection.sendall(greeting)
    try:
        answer = connection.recv(64)
    except TimeoutError:
        return "silence"
    except ConnectionResetError:
        answer = b""
    if not answer:
        return "hung up"
    if answer.startswith(b"HTTP/"):
        return "http/1"
    return "http/2" if answer[3:4] == bytes((_SETTINGS_FRAME,)) else "something else"
