r"""
Links from a figure to the spans behind it: searches in Grafana's Explore, for Tempo and for Jaeger.

Grafana decodes an address before it follows it, so nothing in here may depend on being quoted: a search for Tempo is a
list of filters, not TraceQL, whose ``&&`` would end the parameter. For the same reason a name that holds one of
``& # + " \`` does not arrive whole.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tta_observe.dashboards.promql import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tta_observe.dashboards.panel import Panel

PROMETHEUS: Final = "DS_PROMETHEUS"
TEMPO: Final = "DS_TEMPO"
JAEGER: Final = "DS_JAEGER"
SERVICE: Final = "service"
"""Jaeger searches within one service: the name of the variable that holds it."""

_REFERENCE: Final = re.compile(r"%24%7B([\w.%]+?)%7D")


def panel_links(panel: Panel) -> list[dict[str, Any]]:
    """Search for the spans behind all of a panel, from its menu."""
    return [] if panel.traces is None else _links(panel.traces.where)


def data_links(panel: Panel) -> list[dict[str, Any]]:
    """Search for the spans behind one series or row, from a click on it."""
    traces = panel.traces
    if traces is None or traces.label is None:
        return []
    field = f"__data.fields.{label(traces.label)}" if panel.columns else f"__field.labels.{label(traces.label)}"
    return _links((*traces.where, (traces.label, f"${{{field}}}")))


def _links(where: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    tempo = {"queryType": "traceqlSearch", "filters": [_filter(*each) for each in where], "limit": 20}
    tags = " ".join(f'{attribute}="{value}"' for attribute, value in where)
    jaeger = {"queryType": "search", "service": f"${{{SERVICE}}}", "tags": tags, "limit": 20}
    return [
        {"title": "Traces in Tempo", "url": _explore("tempo", TEMPO, tempo), "targetBlank": True},
        {"title": "Traces in Jaeger", "url": _explore("jaeger", JAEGER, jaeger), "targetBlank": True},
    ]


def _filter(attribute: str, value: str) -> dict[str, Any]:
    condition = {"tag": attribute, "operator": "=", "value": [value], "valueType": "string"}
    return {"id": attribute, "scope": "span", **condition}


def _explore(kind: str, variable: str, query: dict[str, Any]) -> str:
    source = f"${{{variable}}}"
    pane = {
        "datasource": source,
        "queries": [{"refId": "A", "datasource": {"type": kind, "uid": source}, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = quote(json.dumps({"tta": pane}, separators=(",", ":")), safe="")
    return f"/explore?schemaVersion=1&panes={_REFERENCE.sub(_reference, text)}"


def _reference(found: re.Match[str]) -> str:
    """A variable as Grafana has to see it, before it reads the address."""
    return f"${{{found[1]}}}"
