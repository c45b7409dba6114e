"""Rule files of Prometheus: recording rules of the panels, the alerts, and aliases for suffixed names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe.dashboards import alerts, classic
from tta_observe.dashboards.panels import PANELS
from tta_observe.dashboards.promql import selected
from tta_observe.instruments import EXECUTIONS, INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tta_observe.dashboards.alerts import Alert
    from tta_observe.instruments import InstrumentSpec

Json = dict[str, Any]

PARTS: Final = ("bucket", "sum", "count")
_UNIT_WORDS: Final = {"ms": "milliseconds"}
_RECORDING_INTERVAL: Final = "30s"


def recording() -> Json:
    """Figures of panels, kept as series of their own: cheap to read over weeks."""
    rules = [{"record": panel.record, "expr": panel.queries[0].promql} for panel in PANELS if panel.record is not None]
    return _group("tta_recording", _RECORDING_INTERVAL, rules)


def alerting() -> Json:
    """Turn the alerts into one group, with the series that the last of them looks back at."""
    reporting = {"record": alerts.REPORTING, "expr": f"count by (job) ({selected(EXECUTIONS)})"}
    return _group(alerts.GROUP, alerts.INTERVAL, [reporting, *map(_rule, alerts.ALERTS)])


def aliases() -> Json:
    """Our names for series that arrive under the names that OpenTelemetry's defaults give them."""
    return _group("tta_aliases", "15s", [rule for spec in INSTRUMENTS for rule in _aliases_of(spec)])


def suffixed_name(spec: InstrumentSpec) -> str:
    """
    What an instrument is called where the unit and ``_total`` are added to its name.

    Source: OpenTelemetry specification 1.50, "Prometheus and OpenMetrics compatibility".
    """
    name = spec.prometheus_name
    if spec.unit in _UNIT_WORDS:
        name = f"{name}_{_UNIT_WORDS[spec.unit]}"
    if spec.kind == "counter":
        name = f"{name.removesuffix('_total')}_total"
    return name


def _aliases_of(spec: InstrumentSpec) -> Iterator[Json]:
    ours, theirs = spec.prometheus_name, suffixed_name(spec)
    endings = [f"_{part}" for part in PARTS] if spec.kind == "histogram" else [""]
    if ours != theirs:
        yield from ({"record": f"{ours}{ending}", "expr": f"{theirs}{ending}"} for ending in endings)


def _group(name: str, interval: str, rules: list[Json]) -> Json:
    return {"groups": [{"name": name, "interval": interval, "rules": rules}]}


def _rule(alert: Alert) -> Json:
    return {
        "alert": alert.name,
        "expr": alert.promql,
        "for": alert.lasts,
        "keep_firing_for": alert.keep_firing,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook": alert.runbook,
            "dashboard": f"/d/{classic.UID}",
        },
    }
