"""Whether a Prometheus answers, which version, with what clock, and how it was started."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tta_observe.cli.doctor.api import data_of, json_of, texts
from tta_observe.cli.doctor.fetch import UnansweredError
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.doctor.versions import parsed
from tta_observe.cli.words import a_while, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe.cli.doctor.api import Api
    from tta_observe.cli.doctor.fetch import Page
    from tta_observe.cli.doctor.findings import Finding

SERVER: Final = Group("Prometheus")

_BUILD: Final = "/api/v1/status/buildinfo"
_OLDEST: Final = (2, 42)
_SKEW_S: Final = 30.0
_EXAMPLE: Final = "\n  tta-observe doctor --prometheus http://127.0.0.1:9090"
_NAME_ANOTHER: Final = f"Name the address of its web page:{_EXAMPLE}"


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says about itself."""

    url: str
    kind: str = "Prometheus"
    version: str = ""
    ahead_s: float | None = None
    """By how much its clock is ahead of ours; None when it does not say."""
    flags: Mapping[str, str] | None = None
    """How it was started; None when it does not say."""
    config: str | None = None
    """Its configuration, of which single words are looked for and never more is shown."""

    def has_feature(self, name: str) -> bool | None:
        """Whether a feature is switched on; None when the server does not say."""
        return None if self.flags is None else name in self.flags.get("enable-feature", "").split(",")

    def takes_otlp(self) -> bool | None:
        """Whether OTLP may be pushed to it; None when it does not say."""
        if self.flags is None:
            return None
        return self.flags.get("web.enable-otlp-receiver") == "true" or bool(self.has_feature("otlp-write-receiver"))


def meet(api: Api) -> Server | Finding:
    """See who answers; a finding when it is nobody that could be asked further."""
    try:
        page = api.page(_BUILD)
        answer = api.page("/api/v1/query", [("query", "vector(1)")])
    except UnansweredError as error:
        return unreached(api.base.url, error)
    if data_of(answer) is None:
        return SERVER.problem("server", *_stranger(api, page if data_of(page) is None else answer, page))
    return _introduced(api, page)


def judge(server: Server) -> Iterator[Finding]:
    """Say which version it is, and whether its clock is right."""
    told = f"{plain_text(server.kind)} {plain_text(server.version) or 'of unknown version'} at {plain_text(server.url)}"
    version = parsed(server.version)
    if server.kind == "Prometheus" and version and version < _OLDEST:
        yield SERVER.warning("server", told, "Use Prometheus 2.42 or newer: rules and panels are written for it")
    else:
        yield SERVER.ok("server", told)
    if server.ahead_s is not None and abs(server.ahead_s) > _SKEW_S:
        way = "ahead of" if server.ahead_s > 0 else "behind"
        yield SERVER.warning(
            "clock",
            f"its clock is {a_while(abs(server.ahead_s))} {way} this one",
            "Measurements land outside of the windows that panels look at. Set the clocks right:\n"
            "  timedatectl set-ntp true",
        )


def unreached(url: str, error: UnansweredError) -> Finding:
    """Say why nobody answered, and what to type instead."""
    remedies = {
        "tls": f"Write http:{_line(re.sub('^https', 'http', url))}",
        "certificate": "Name the certificate of whoever signed it:\n  export SSL_CERT_FILE=ca.pem",
        "not http": f"That may be a port of gRPC. {_NAME_ANOTHER}",
    }
    remedy = remedies.get(error.kind, f"Start it, or name where it is:{_EXAMPLE}")
    return SERVER.problem("server", f"{plain_text(url)}: {plain_text(error)}", remedy)


def _introduced(api: Api, page: Page) -> Server:
    told = texts(data_of(page))
    flags, config = api.data("/api/v1/status/flags"), api.data("/api/v1/status/config")
    return Server(
        url=api.base.url,
        kind=told.get("application") or ("Prometheus" if "revision" in told else "a server that speaks its API,"),
        version=told.get("version", ""),
        ahead_s=None if page.time_s is None else page.time_s - time.time(),
        flags=texts(flags) if isinstance(flags, dict) else None,
        config=texts(config).get("yaml"),
    )


def _stranger(api: Api, page: Page, build: Page) -> tuple[str, str]:
    """What stands at an address where queries are not answered, and what to type instead."""
    url, status = plain_text(api.base.url), page.status
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        scheme, _, rest = url.partition("://")
        return f"{url} asks who you are (HTTP status {status})", f"Write{_line(f'{scheme}://USER:PASSWORD@{rest}')}"
    if page.location:
        return f"{url} sends on to {plain_text(page.location)}", _NAME_ANOTHER
    if b"HTTPS server" in page.body:
        return f"{url} speaks TLS, and plaintext was sent", f"Write https:{_line(re.sub('^http:', 'https:', url))}"
    if texts(data_of(build)).get("application") == "Grafana Mimir" or _answers(api, f"/prometheus{_BUILD}"):
        return f"{url} answers queries under another path", f"Write{_line(f'{url}/prometheus')}"
    if _is_grafana(api):
        return f"{url} is a Grafana, not a Prometheus", f"Name the Prometheus behind it:{_EXAMPLE}"
    return f"{url} is no Prometheus (HTTP status {status})", _NAME_ANOTHER


def _answers(api: Api, path: str) -> bool:
    try:
        return data_of(api.page(path)) is not None
    except UnansweredError:
        return False


def _is_grafana(api: Api) -> bool:
    try:
        health = json_of(api.page("/api/health"))
    except UnansweredError:
        return False
    return isinstance(health, dict) and "database" in health


def _line(url: str) -> str:
    return f"\n  tta-observe doctor --prometheus {url}"
