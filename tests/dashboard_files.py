"""The two dashboards of the tree as a reader finds them, with their panels in one shape."""

from __future__ import annotations

import json
from pathlib import Path

from tta_observe.dashboards import files

ROOT = Path(__file__).parent.parent
PATHS = {"classic": ROOT / files.CLASSIC, "tabs": ROOT / files.TABS}


def read(kind):
    """The dashboard as JSON."""
    return json.loads(PATHS[kind].read_text(encoding="utf-8"))


def panels(dashboard):
    """Panels in the shape of a classic dashboard, whichever it is; without their place, and without rows."""
    if "spec" in dashboard:
        return [_from_element(element["spec"]) for element in dashboard["spec"]["elements"].values()]
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _from_element(spec):
    group, viz = spec["data"]["spec"], spec["vizConfig"]
    return {
        **{key: spec[key] for key in ("id", "title", "description", "links")},
        "type": viz["group"],
        "targets": [_from_query(each["spec"]) for each in group["queries"]],
        "transformations": [{"id": each["group"], **each["spec"]} for each in group["transformations"]],
        **group["queryOptions"],
        **viz["spec"],
    }


def _from_query(spec):
    query = spec["query"]
    source = {"type": query["group"], "uid": query["datasource"]["name"]}
    return {"refId": spec["refId"], "datasource": source, **query["spec"]}
