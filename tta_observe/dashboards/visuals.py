"""How panels look in Grafana: the parts that the classic dashboard and the one with tabs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe.dashboards import service_map, workflow_table
from tta_observe.dashboards.links import data_links

if TYPE_CHECKING:
    from tta_observe.dashboards.panel import Column, Panel, Query, Unit
    from tta_observe.dashboards.thresholds import Thresholds

Json = dict[str, Any]

STEP: Final = "1m"
"""Between two points of a time series: a shorter one asks for more than rates over five minutes can tell."""
MOST_POINTS: Final = 300

_REDUCE: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_TOOLTIP: Final = {"mode": "multi", "sort": "desc"}
_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_FROM_10_S: Final = {"type": "range", "options": {"from": 10_000, "to": None, "result": {"text": "≥ 10 s", "index": 0}}}
_UNKNOWN: Final = "–"
"""In a cell of a table."""

_GAUGE: Final = {
    "reduceOptions": _REDUCE,
    "orientation": "auto",
    "showThresholdLabels": False,
    "showThresholdMarkers": True,
    "sizing": "auto",
    "minVizHeight": 75,
    "minVizWidth": 75,
    # From here on since Grafana 12.4; older ones pass over it.
    "shape": "gauge",
    "barShape": "flat",
    "barWidthFactor": 0.5,
    "segmentCount": 1,
    "segmentSpacing": 0.3,
    "effects": {"barGlow": False, "centerGlow": False, "gradient": False},
    "endpointMarker": "none",
    "sparkline": False,
    "textMode": "auto",
}
_STAT: Final = {
    "reduceOptions": _REDUCE,
    "orientation": "auto",
    "colorMode": "value",
    "graphMode": "none",
    "justifyMode": "auto",
    "textMode": "auto",
    "wideLayout": True,
    "showPercentChange": False,
    "percentChangeColorMode": "standard",
}
_PIE: Final = {
    "reduceOptions": _REDUCE,
    "orientation": "auto",
    "pieType": "pie",
    "sort": "desc",
    "displayLabels": ["name", "percent"],
    "legend": {**_LEGEND, "placement": "right", "values": ["percent", "value"]},
    "tooltip": {"mode": "single", "sort": "none"},
}
_TABLE: Final = {
    "cellHeight": "sm",
    "frameIndex": 0,
    "showHeader": True,
    "sortBy": [{"displayName": "P95", "desc": True}],
}
_HEATMAP: Final = {
    "calculate": False,
    "rowsFrame": {"layout": "unknown", "value": "average latency"},
    "yAxis": {"axisPlacement": "left", "reverse": False},
    "cellValues": {"unit": "ms"},
    "color": {
        "mode": "scheme",
        "scheme": "Spectral",
        "steps": 64,
        "reverse": False,  # Grafana draws this scheme from blue to red by itself
        "scale": "exponential",
        "exponent": 0.5,
        "fill": "dark-orange",
    },
    "filterValues": {"le": 1e-9},
    "cellGap": 1,
    "showValue": "never",
    "legend": {"show": True},
    "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
    "exemplars": {"color": "rgba(255,0,255,0.7)"},
}
_NODE_GRAPH: Final = {
    "zoomMode": "cooperative",
    "layoutAlgorithm": "layered",
    "nodes": {
        "mainStatUnit": "ops",
        "arcs": [{"field": f"arc__{arc}", "color": color} for arc, color in service_map.ARCS],
    },
    "edges": {"mainStatUnit": "ops"},
}
_OPTIONS: Final[dict[str, Json]] = {
    "gauge": _GAUGE,
    "stat": _STAT,
    "piechart": _PIE,
    "table": _TABLE,
    "heatmap": _HEATMAP,
    "nodeGraph": _NODE_GRAPH,
    "timeseries": {"legend": _LEGEND, "tooltip": _TOOLTIP},
}


def options(panel: Panel) -> Json:
    """Options of the visual."""
    return _OPTIONS[panel.visual]


def field_config(panel: Panel) -> Json:
    """How the figures of a panel are written and coloured."""
    if panel.visual == "heatmap":
        return {"defaults": {"noValue": panel.empty, "unit": panel.unit, "custom": {}}, "overrides": []}
    defaults: Json = {**_figure(panel.unit, panel.thresholds, panel.empty), "noValue": panel.empty}
    if panel.visual == "timeseries":
        defaults["custom"] = _drawn(panel.style)
    links = data_links(panel)
    if links and not panel.columns:
        defaults["links"] = links
    return {"defaults": defaults, "overrides": [*_column_overrides(panel), *_unpriced(panel), *_saturated(panel)]}


def transformations(panel: Panel) -> list[Json]:
    """What Grafana does with the answers before it draws them."""
    if panel.visual == "nodeGraph":
        return _node_graph_frames(panel)
    return _one_table(panel) if panel.visual == "table" else []


def target(panel: Panel, query: Query) -> Json:
    """A query in the words of Grafana's Prometheus data source."""
    return {
        "expr": query.promql,
        "format": "table" if query.as_table else "time_series",
        "instant": not query.over_time,
        "range": query.over_time,
        "legendFormat": query.legend or "__auto",
        "exemplar": query.over_time and panel.unit == "ms",
        "editorMode": "code",
    }


def _figure(unit: Unit, thresholds: Thresholds | None, empty: str) -> Json:
    steps = thresholds.steps if thresholds else ((("text", None)),)
    found: Json = {
        "unit": unit,
        "color": {"mode": "thresholds" if thresholds else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]},
        "mappings": [_neither_good_nor_bad(empty)] if thresholds else [],
    }
    if unit == "percentunit":
        found |= {"min": 0, "max": 1}
    if unit == "none":
        found["decimals"] = 0
    return found


def _drawn(style: str) -> Json:
    return {
        "drawStyle": "bars" if style == "bars" else "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": {"line": 10, "bars": 60, "stacked": 40}[style],
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if style == "stacked" else "none", "group": "A"},
        "axisPlacement": "auto",
    }


def _neither_good_nor_bad(empty: str) -> Json:
    """Say *empty* in the colour of text: Grafana takes nothing for a zero, and would show an idle system in red."""
    return {"type": "special", "options": {"match": "null", "result": {"text": empty, "color": "text", "index": 0}}}


def _override(field: str, *, by: str = "byName", **properties: Any) -> Json:
    return {
        "matcher": {"id": by, "options": field},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def _column_overrides(panel: Panel) -> list[Json]:
    if not panel.columns:
        return []
    return [
        _override(workflow_table.NAME, links=data_links(panel), unit="string"),
        *(_override(column.title, **_column(column)) for column in panel.columns),
    ]


def _column(column: Column) -> Json:
    found = _figure(column.unit, column.thresholds, _UNKNOWN)
    if column.saturates:
        found["mappings"] = [_FROM_10_S]
    if column.thresholds is not None:
        found["custom.cellOptions"] = {"type": "color-text"}
    return found | {"noValue": _UNKNOWN}


def _unpriced(panel: Panel) -> list[Json]:
    """Whatever a panel shows beside its own figure is a number of things."""
    return [_override(query.legend, unit="none", decimals=0) for query in panel.queries[1:] if query.legend]


def _saturated(panel: Panel) -> list[Json]:
    """Numbers alone: among the defaults it would hold for the time as well, and every hour is beyond ten thousand."""
    return [_override("number", by="byType", mappings=[_FROM_10_S])] if panel.saturates else []


def _renamed(field: str, name: str) -> Json:
    """
    Give a value the name that the panel looks for.

    A calculation sets the name itself, where renaming would set what is displayed; frames without *field* stay as they
    are.
    """
    binary = {"left": {"matcher": {"id": "byName", "options": field}}, "operator": "*", "right": {"fixed": "1"}}
    mode = {"mode": "binary", "alias": name, "replaceFields": False, "timeSeries": False, "binary": binary}
    return {"id": "calculateField", "options": mode}


def _kept(pattern: str) -> Json:
    return {"id": "filterFieldsByName", "options": {"include": {"pattern": pattern}}}


def _node_graph_frames(panel: Panel) -> list[Json]:
    arcs = {f"node_{arc}": f"arc__{arc}" for arc, _ in service_map.ARCS}
    names = {"connections": "mainstat", "nodes": "mainstat", **arcs}
    return [
        {
            "id": "joinByField",
            "filter": {"id": "byRefId", "options": "/^node/"},
            "options": {"byField": "id", "mode": "outer"},
        },
        *(_renamed(f"Value #{query.name}", names[query.name]) for query in panel.queries),
        _kept("^(id|source|target|title|mainstat|arc__.*)$"),
    ]


def _one_table(panel: Panel) -> list[Json]:
    key = "workflow_name"
    names = {key: workflow_table.NAME, **{f"Value #{column.query}": column.title for column in panel.columns}}
    return [
        {"id": "joinByField", "options": {"byField": key, "mode": "outer"}},
        _kept(f"^({key}|Value #.*)$"),
        {
            "id": "organize",
            "options": {
                "renameByName": names,
                "indexByName": {name: index for index, name in enumerate(names)},
                "excludeByName": {},
            },
        },
    ]
