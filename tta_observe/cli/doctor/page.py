"""Our own ``/metrics``: is its port free for a program, and if not, who answers there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.cli.doctor import ledgers
from tta_observe.cli.doctor.dial import Port, dial
from tta_observe.cli.doctor.fetch import Base, UnansweredError, fetch
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.words import many, plain_text
from tta_observe.instruments import INSTRUMENTS, OWN_INSTRUMENTS
from tta_observe.local.exports import account

if TYPE_CHECKING:
    from tta_observe._settings import Settings
    from tta_observe.cli.doctor.findings import Finding
    from tta_observe.local.rows import Account

PAGE: Final = Group("Scrape endpoint")

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked for, not listened on

_SAMPLE: Final = re.compile(
    rf"^(?:{'|'.join(spec.prometheus_name for spec in OWN_INSTRUMENTS)})(?:_total)?\{{(.*)\}} (\d+)(?:\.0)?$",
    re.MULTILINE,
)
_LABEL: Final = re.compile(r'(\w+)="([\w-]*)"')


@dataclass(frozen=True, slots=True)
class Exposed:
    """What a page of metrics shows of ours."""

    metrics: int
    """How many of our metrics are there."""
    accounts: tuple[Account, ...] = ()
    """What became of the spans that its program gave to other exporters."""


def check(settings: Settings) -> list[Finding]:
    """Look at the port of ``/metrics``, if anything is exposed there."""
    if "prometheus" not in settings.exporters["METRICS"]:
        return []
    host, port = settings.scrape_host, settings.scrape_port
    if port == 0:
        return [PAGE.warning("port", "any free one: Prometheus cannot know it", "OTEL_EXPORTER_PROMETHEUS_PORT=9464")]
    near = _EVERYWHERE.get(host, host)
    address = f"[{near}]:{port}" if ":" in near else f"{near}:{port}"
    seen = dial(near, port, None)
    exposed = None if seen.unreached else _exposed(Base(f"http://{address}", near, None))
    told = (ledgers.finding(PAGE, "spans", each) for each in (exposed.accounts if exposed is not None else ()))
    return [judge(address, port, seen, None if exposed is None else exposed.metrics), *told]


def judge(address: str, port: int, seen: Port, exposed: int | None) -> Finding:
    """Say who has the port; *exposed* counts our metrics there, None means that it is no page of metrics."""
    told = plain_text(address)
    if seen.unreached == "refused":
        return PAGE.ok("port", f"{told} is free: no program listens there now")
    if seen.unreached is not None:
        return PAGE.problem(
            "port", f"{told} cannot be listened on: {seen.unreached}", "OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1"
        )
    if exposed:
        return PAGE.ok("port", f"{told} answers with {many(exposed, 'metric')} of ours")
    if exposed == 0:
        found = f"{told} answers with metrics, none of them ours: nothing was measured yet, or it is another program"
        return PAGE.warning(
            "port", found, f"If it is another program:\n  OTEL_EXPORTER_PROMETHEUS_PORT={port % 65535 + 1}"
        )
    found = f"{told} is taken by another program, so ours is left out"
    return PAGE.problem("port", found, f"OTEL_EXPORTER_PROMETHEUS_PORT={port % 65535 + 1}")


def _exposed(base: Base) -> Exposed | None:
    """What of ours is exposed at *base*; None when it is no page of metrics."""
    try:
        page = fetch(base, "/metrics")
    except UnansweredError:
        return None
    text = page.body.decode("utf-8", "replace")
    names = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    if page.status != HTTPStatus.OK or not names:
        return None
    ours = (not names.isdisjoint((spec.prometheus_name, f"{spec.prometheus_name}_total")) for spec in INSTRUMENTS)
    return Exposed(sum(ours), accounts_of(text))


def accounts_of(text: str) -> tuple[Account, ...]:
    """What a page of metrics tells of the spans that its program gave to other exporters."""
    found: dict[str, dict[str, int]] = {}
    for labels, number in _SAMPLE.findall(text):
        given = dict(_LABEL.findall(labels))
        exporter, outcome = (given.get(name.replace(".", "_"), "") for name in (semconv.EXPORTER, semconv.OUTCOME))
        found.setdefault(exporter, {})[outcome] = int(number)
    return tuple(account(exporter, outcomes) for exporter, outcomes in sorted(found.items()))
