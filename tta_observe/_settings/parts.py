"""Pieces of settings that keywords and variables share: addresses, names of exporters, paths, headers."""

from __future__ import annotations

import ipaddress
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

EXPORTERS: Final = ("auto", "local", "otlp", "prometheus", "console", "none")
DEFAULT_ENDPOINT: Final = "http://localhost:4317"
PROMETHEUS_EXTRA: Final = 'pip install "tta-observe[prometheus]"'
HTTP_EXTRA: Final = 'pip install "tta-observe[otlp-http]"'
HTTP_LIBRARY: Final = "urllib3"


class Address(NamedTuple):
    """An endpoint, taken apart."""

    host: str
    port: int | None
    """None: the protocol decides."""
    tls: bool | None
    """None: it has no scheme, which would say."""
    path: str = ""
    """With the query; of OTLP over HTTP only."""


def address_of(text: str) -> Address | None:
    """Take an endpoint apart; None when it is none."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("", "http", "https") or not parts.hostname or re.search(r"\s", parts.hostname):
        return None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Address(parts.hostname, port, parts.scheme == "https" if parts.scheme else None, path)


def is_loopback(host: str) -> bool:
    """Whether what is sent to *host* stays on this machine; names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(endpoint: str) -> str:
    """*endpoint* without the user name, password and query, which may be secrets."""
    return re.sub(r"[^/@]*@", "...@", re.sub(r"[?#].*", "", endpoint))


def exporters(value: object) -> tuple[str, ...]:
    """
    *value* as names of exporters.

    Raises:
        ValueError: a name is not known, or ``auto`` or ``none`` stands beside others.
    """
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (tuple, list)) or not names or any(name not in EXPORTERS for name in names):
        raise ValueError(f"is not known. Write one of {', '.join(EXPORTERS)}, or a tuple of them")
    if len(names) > 1 and {"auto", "none"} & set(names):
        raise ValueError("mixes 'auto' or 'none' with others. Write the exporters that you want alone")
    return tuple(dict.fromkeys(names))


def host_of(text: str) -> str | None:
    """*text* as a host to listen on, without the brackets of an IPv6 address; None when it is none."""
    found = re.fullmatch(r"\[?([\w.:%-]+)\]?", text, re.ASCII)
    return found[1] if found else None


def port_of(text: str) -> int | None:
    """*text* as a port to listen on, 0 for any that is free; None when it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and int(text) < 2**16 else None


def path_of(text: str) -> Path | None:
    """*text* as an absolute path; None when it is none."""
    try:
        return Path(text).expanduser().absolute() if text and "\0" not in text else None
    except (RuntimeError, OSError):  # no such user, no home, no current directory any more
        return None


def installed(module: str) -> bool:
    """Whether *module* can be found; it is not imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # an import hook says no, or somebody put a stand-in into sys.modules
        return False


def sendable(name: str, value: str) -> bool:
    """Whether gRPC takes it: it refuses a whole request over one header."""
    binary = name.lower().endswith("-bin")
    return not binary and bool(re.fullmatch(r"[\w.-]+", name, re.ASCII) and re.fullmatch(r"[ -~]*", value))
