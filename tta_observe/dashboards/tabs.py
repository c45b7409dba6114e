"""The dashboard with real tabs: a ``dashboard.grafana.app/v2`` resource, for Grafana 13 and later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe.dashboards import classic, visuals
from tta_observe.dashboards.links import JAEGER, PROMETHEUS, SERVICE, TEMPO, panel_links
from tta_observe.dashboards.panels import PANELS, TABS

if TYPE_CHECKING:
    from tta_observe.dashboards.panel import Panel, Query, Tab
    from tta_observe.dashboards.visuals import Json

NAME: Final = f"{classic.UID}-tabs"
"""A name of its own: with the uid of the classic dashboard, one would overwrite the other."""


def dashboard() -> Json:
    """The whole resource."""
    return {
        "apiVersion": "dashboard.grafana.app/v2",
        "kind": "Dashboard",
        "metadata": {"name": NAME},
        "spec": {
            "title": f"{classic.TITLE} (tabs)",
            "description": classic.DESCRIPTION,
            "tags": list(classic.TAGS),
            "editable": True,
            "preload": False,
            "liveNow": False,
            "cursorSync": "Crosshair",
            "links": [],
            "annotations": [],
            "variables": _variables(),
            "timeSettings": _time(),
            "elements": {_name(panel): _element(panel) for panel in PANELS},
            "layout": {"kind": "TabsLayout", "spec": {"tabs": [_tab(tab) for tab in TABS]}},
        },
    }


def _time() -> Json:
    start, end = classic.RANGE
    return {
        "timezone": "browser",
        "from": start,
        "to": end,
        "autoRefresh": classic.REFRESH,
        "autoRefreshIntervals": ["5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h"],
        "hideTimepicker": False,
        "fiscalYearStartMonth": 0,
    }


def _variables() -> list[Json]:
    return [
        _source(PROMETHEUS, "prometheus", "Prometheus", hide="dontHide"),
        _source(TEMPO, "tempo", "Tempo", hide="hideVariable"),
        _source(JAEGER, "jaeger", "Jaeger", hide="hideVariable"),
        {
            "kind": "QueryVariable",
            "spec": {
                "name": SERVICE,
                "label": "Service",
                "hide": "hideVariable",
                "current": classic.NOTHING,
                "options": [],
                "refresh": "onTimeRangeChanged",
                "skipUrlSync": False,
                "query": _query({"query": classic.SERVICES, "refId": "services", "qryType": 1}),
                "definition": classic.SERVICES,
                "regex": "",
                "sort": "alphabeticalAsc",
                "multi": False,
                "includeAll": False,
                "allowCustomValue": True,
            },
        },
    ]


def _source(name: str, plugin: str, label: str, *, hide: str) -> Json:
    return {
        "kind": "DatasourceVariable",
        "spec": {
            "name": name,
            "pluginId": plugin,
            "label": label,
            "hide": hide,
            "refresh": "onDashboardLoad",
            "regex": "",
            "current": classic.NOTHING,
            "options": [],
            "multi": False,
            "includeAll": False,
            "skipUrlSync": False,
            "allowCustomValue": True,
        },
    }


def _name(panel: Panel) -> str:
    return f"panel-{panel.id}"


def _element(panel: Panel) -> Json:
    return {
        "kind": "Panel",
        "spec": {
            "id": panel.id,
            "title": panel.title,
            "description": panel.description,
            "links": panel_links(panel),
            "data": {
                "kind": "QueryGroup",
                "spec": {
                    "queries": [_panel_query(panel, query) for query in panel.queries],
                    "transformations": [_transformation(**each) for each in visuals.transformations(panel)],
                    "queryOptions": _query_options(panel),
                },
            },
            "vizConfig": {
                "kind": "VizConfig",
                "group": panel.visual,
                "version": "",
                "spec": {"options": visuals.options(panel), "fieldConfig": visuals.field_config(panel)},
            },
        },
    }


def _panel_query(panel: Panel, query: Query) -> Json:
    return {
        "kind": "PanelQuery",
        "spec": {"refId": query.name, "hidden": False, "query": _query(visuals.target(panel, query))},
    }


def _query(spec: Json) -> Json:
    return {
        "kind": "DataQuery",
        "group": "prometheus",
        "version": "v0",
        "datasource": {"name": f"${{{PROMETHEUS}}}"},
        "spec": spec,
    }


def _query_options(panel: Panel) -> Json:
    if not any(query.over_time for query in panel.queries):
        return {}
    return {"interval": visuals.STEP, "maxDataPoints": visuals.MOST_POINTS}


def _transformation(id: str, **spec: Json) -> Json:
    return {"kind": "Transformation", "group": id, "spec": spec}


def _tab(tab: Tab) -> Json:
    items = [
        {
            "kind": "GridLayoutItem",
            "spec": {
                "x": panel.place.x,
                "y": panel.place.y,
                "width": panel.place.width,
                "height": panel.place.height,
                "element": {"kind": "ElementReference", "name": _name(panel)},
            },
        }
        for panel in tab.panels
    ]
    grid = {"kind": "GridLayout", "spec": {"items": items}}
    return {"kind": "TabsLayoutTab", "spec": {"title": tab.title, "layout": grid}}
