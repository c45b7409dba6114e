"""How names were changed on their way to Prometheus, and the line that keeps them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from tta_observe.cli.doctor.arrivals import Arrived
    from tta_observe.cli.doctor.server import Server

Route = Literal["python", "collector", "otlp", "remote write", "mimir", "unknown"]

_STRATEGY: Final = "translation_strategy: UnderscoreEscapingWithoutSuffixes"
_ALIASES: Final = "or, where that cannot be changed, load the rules in\n  prometheus/rules/optional/tta_aliases.yml"

REMEDIES: Final[dict[Route, str]] = {
    "python": """\
OpenTelemetry's own Prometheus exporter adds to the names. Expose them with
  configure(exporter="prometheus")
or write in the scrape config of prometheus.yml
  metric_relabel_configs:
  - source_labels: [__name__]
    regex: (primitive_(execution|connection)_count|cache_hits)_total
    replacement: ${1}
    target_label: __name__
  - source_labels: [__name__]
    regex: primitive_execution_duration_milliseconds_(bucket|sum|count)
    replacement: primitive_execution_duration_${1}
    target_label: __name__""",
    "collector": f"""\
In the collector's configuration (0.154 or newer), under exporters.prometheus:
  {_STRATEGY}""",
    "otlp": f"""\
In prometheus.yml (Prometheus 3.6 or newer):
  otlp:
    {_STRATEGY}""",
    "remote write": """\
In the collector's configuration, under exporters.prometheusremotewrite:
  add_metric_suffixes: false""",
    "mimir": """\
In Mimir's configuration:
  limits:
    otel_metric_suffixes_enabled: false""",
    "unknown": f"""\
Whatever writes the names must add nothing. Prometheus 3.6 or newer, under otlp,
and the collector's exporter prometheus, 0.154 or newer:
  {_STRATEGY}
the collector's exporter prometheusremotewrite:
  add_metric_suffixes: false
Grafana Mimir, under limits:
  otel_metric_suffixes_enabled: false""",
}
"""What to write, by who changed the names."""


def route(arrived: Arrived, server: Server) -> Route:
    """Who changed the names, as far as the labels and what the server says of itself can tell."""
    labels = arrived.labels.get(arrived.asked or "", {})
    if "mimir" in server.kind.lower():
        return "mimir"
    if arrived.from_python:
        return "python"
    if arrived.scraped or "exported_job" in labels or "exported_instance" in labels:
        return "collector"
    return _pushed(server, in_scope="otel_scope_name" in labels)


def remedy(arrived: Arrived, server: Server) -> str:
    """The line to change, and the way out for whoever cannot."""
    by_rules = not any("." in name for name in arrived.recent)  # they know underscores only
    return f"{REMEDIES[route(arrived, server)]}\n{_ALIASES}" if by_rules else REMEDIES[route(arrived, server)]


def says(config: str | None, key: str) -> str | None:
    """The word behind *key* in a configuration in YAML; None when it is not there."""
    found = re.search(rf"^[ -]*{key}:[ \t]*(\S+)", config or "", re.MULTILINE)
    return found[1] if found else None


def _pushed(server: Server, *, in_scope: bool) -> Route:
    """Not fetched by Prometheus itself, or from a collector whose labels it honours."""
    if server.flags is None:
        return "unknown"
    pushed = server.flags.get("web.enable-remote-write-receiver") == "true"
    received = server.takes_otlp() and not (
        says(server.config, "translation_strategy") == "UnderscoreEscapingWithoutSuffixes"
        or (in_scope and says(server.config, "promote_scope_metadata") != "true")
    )
    if says(server.config, "honor_labels") == "true" and not received and not pushed:
        return "collector"
    if received and not pushed:
        return "otlp"
    return "remote write" if pushed and not received else "unknown"
