"""One request over HTTP, with an answer of limited size in limited time, and no secret in what is told about it."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from tta_observe._settings.parts import is_loopback
from tta_observe.cli.doctor.attempts import PATIENCE_S, within

if TYPE_CHECKING:
    from typing import Any

_MOST_BYTES: Final = 8 * 2**20
_PAGES: Final = re.compile(r"/(graph|query|targets|alerts|rules|status|config|flags|api/v1)(/.*)?$")
"""What people copy along with the address of a Prometheus."""


class UnansweredError(Exception):
    """There was no answer that could be read; *kind* is a word for programs, the message one for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Base:
    """An address to which paths are added."""

    url: str
    """Without user name, password and query, and without a slash at the end: fit to be shown."""
    host: str
    authorization: str | None

    def __repr__(self) -> str:
        return f"Base({self.url!r})"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, whatever its status."""

    status: int
    body: bytes
    time_s: float | None = None
    """When it was sent by the clock of the server, in seconds since 1970; None when it does not say."""
    location: str = ""
    """Where it sends on to, without what may be secret."""


def base_of(text: str) -> Base:
    """
    Take an address apart.

    Raises:
        ValueError: it is none; says what to write, and repeats nothing.
    """
    wrong = "that is no address. Write http://127.0.0.1:9090, or https:// for TLS"
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", host):
        raise ValueError(wrong)
    shown_host = f"[{host}]" if ":" in host else host
    path = _PAGES.sub("", parts.path.rstrip("/"))
    url = f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{path}"
    return Base(url, host, _basic(parts.username, parts.password))


def fetch(base: Base, path: str, seconds: float = PATIENCE_S) -> Page:
    """
    GET *path* below *base*, within *seconds*; follows no redirection.

    Raises:
        UnansweredError: nobody answers, or not in HTTP.
    """
    try:
        return within(seconds, lambda: _get(base, path, seconds))
    except TimeoutError:
        raise UnansweredError("no answer", f"no answer within {seconds:.2g} s") from None
    except URLError as error:
        raise _unanswered(error.reason) from None
    except (OSError, HTTPException, ValueError) as error:
        raise _unanswered(error) from None


def _get(base: Base, path: str, seconds: float) -> Page:
    request = Request(f"{base.url}{path}", headers={"Accept": "application/json, text/plain"})  # noqa: S310 - http or https alone
    if base.authorization is not None:
        request.add_unredirected_header("Authorization", base.authorization)
    proxies = [ProxyHandler({})] if is_loopback(base.host) else []
    opener = build_opener(_NoRedirection, *proxies)
    try:
        with opener.open(request, timeout=seconds) as response:
            return _page(response)
    except HTTPError as error:
        with error:
            return _page(error)


def _page(response: Any) -> Page:
    body = response.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise UnansweredError("too much", f"the answer is longer than {_MOST_BYTES // 2**20} MiB")
    return Page(
        int(response.status),
        body,
        _seconds(response.headers.get("Date")),
        re.sub(r"//[^/@]*@", "//", re.sub(r"[?#].*", "", response.headers.get("Location") or "")),
    )


class _NoRedirection(HTTPRedirectHandler):
    """Where an answer points to is told to people; the user name and password are not carried there."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _unanswered(error: object) -> UnansweredError:
    for kinds, kind, message in _FAILURES:
        if isinstance(error, kinds):
            return UnansweredError(kind, message)
    return UnansweredError("unreachable", "it cannot be reached")


_FAILURES: Final[tuple[tuple[Any, str, str], ...]] = (
    (socket.gaierror, "unknown host", "there is no host of this name"),
    (UnicodeError, "unknown host", "there is no host of this name"),
    (ConnectionRefusedError, "refused", "nobody listens there"),
    (TimeoutError, "no answer", "no answer in time"),
    (ssl.SSLCertVerificationError, "certificate", "its certificate is not believed"),
    (ssl.SSLError, "tls", "it does not speak TLS"),
    (HTTPException, "not http", "it does not speak HTTP"),
    (ValueError, "not http", "it does not speak HTTP"),
)
"""In this order: some are kinds of others below them."""


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None and password is None:
        return None
    pair = f"{unquote(user or '')}:{unquote(password or '')}".encode("utf-8", "backslashreplace")
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _seconds(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
