"""The classic dashboard: four expanded rows, for Grafana 12 and everything that provisions files."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tta_observe.dashboards import visuals
from tta_observe.dashboards.links import JAEGER, PROMETHEUS, SERVICE, TEMPO, panel_links
from tta_observe.dashboards.panels import PANELS, TABS
from tta_observe.instruments import EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tta_observe.dashboards.panel import Panel, Tab
    from tta_observe.dashboards.visuals import Json

UID: Final = "tta-agent-observability"
TITLE: Final = "TTA Agent Observability"
DESCRIPTION: Final = (
    "Is it healthy, what is slow, what fails, what does it cost, what calls what: agents, workflows and LLM calls."
)
TAGS: Final = ("tta", "observability", "primitives", "agentic")
REFRESH: Final = "10s"
RANGE: Final = ("now-1h", "now")
SOURCE: Final = {"type": "prometheus", "uid": f"${{{PROMETHEUS}}}"}
SERVICES: Final = f"label_values({EXECUTIONS.prometheus_name}, job)"

NOTHING: Final = {"text": "", "value": ""}
"""No choice yet: a variable then takes the first that there is."""

_SCHEMA: Final = 41
"""Of Grafana 12.0; newer ones read it and migrate."""
_HIDDEN: Final = 2


def dashboard() -> Json:
    """
    The whole dashboard.

    Without ``__inputs``: only the import dialogue fills those in, a provisioned dashboard would never find its data
    source. The variable works either way.
    """
    return {
        "id": None,
        "uid": UID,
        "title": TITLE,
        "description": DESCRIPTION,
        "tags": list(TAGS),
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": REFRESH,
        "time": dict(zip(("from", "to"), RANGE, strict=True)),
        "timepicker": {},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": list(_rows()),
    }


def _variables() -> list[Json]:
    return [
        _source(PROMETHEUS, "prometheus", "Prometheus", hide=0),
        _source(TEMPO, "tempo", "Tempo", hide=_HIDDEN),
        _source(JAEGER, "jaeger", "Jaeger", hide=_HIDDEN),
        {
            "name": SERVICE,
            "type": "query",
            "label": "Service",
            "hide": _HIDDEN,
            "datasource": SOURCE,
            "query": {"query": SERVICES, "refId": "services", "qryType": 1},
            "refresh": 2,
            "regex": "",
            "sort": 1,
            "current": NOTHING,
            "options": [],
            "multi": False,
            "includeAll": False,
        },
    ]


def _source(name: str, plugin: str, label: str, *, hide: int) -> Json:
    return {
        "name": name,
        "type": "datasource",
        "label": label,
        "query": plugin,
        "hide": hide,
        "refresh": 1,
        "regex": "",
        "current": NOTHING,
        "options": [],
        "multi": False,
        "includeAll": False,
    }


def _rows() -> Iterator[Json]:
    row_ids, top = count(max(panel.id for panel in PANELS) + 1), 0
    for tab in TABS:
        yield {
            "id": next(row_ids),
            "type": "row",
            "title": tab.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
            "panels": [],
        }
        yield from (_panel(panel, top + 1) for panel in tab.panels)
        top += 1 + height(tab)


def height(tab: Tab) -> int:
    """How many rows of the grid a tab takes."""
    return max(panel.place.y + panel.place.height for panel in tab.panels)


def _panel(panel: Panel, top: int) -> Json:
    place = panel.place
    found: dict[str, Any] = {
        "id": panel.id,
        "type": panel.visual,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"x": place.x, "y": top + place.y, "w": place.width, "h": place.height},
        "links": panel_links(panel),
        "targets": [
            {"refId": query.name, "datasource": SOURCE, **visuals.target(panel, query)} for query in panel.queries
        ],
        "transformations": visuals.transformations(panel),
        "options": visuals.options(panel),
        "fieldConfig": visuals.field_config(panel),
    }
    if any(query.over_time for query in panel.queries):
        found |= {"interval": visuals.STEP, "maxDataPoints": visuals.MOST_POINTS}
    return found
