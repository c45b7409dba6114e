"""What a panel shows, for a test to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """A panel as Grafana's code leaves it: frames of fields, and the figures that they come to."""

    panel: dict[str, Any]

    def fields(self):
        """Every field that is no time."""
        return [field for frame in self.panel["frames"] for field in frame["fields"] if field["type"] != "time"]

    def times(self):
        """Every field that is a time."""
        return [field for frame in self.panel["frames"] for field in frame["fields"] if field["type"] == "time"]

    def latest(self):
        """The last value of each series, by its name."""
        return {field["title"]: field["values"][-1] for field in self.fields() if field["values"]}

    def figures(self):
        """The text and the colour of each figure of a gauge, stat or pie, by its name."""
        return {figure["title"]: (figure["text"], figure["color"]) for figure in self.panel["figures"]}

    def numbers(self):
        """The same as numbers."""
        return {figure["title"]: figure["numeric"] for figure in self.panel["figures"]}

    def rows(self):
        """The rows of a heatmap, by their name."""
        return {row["title"]: row["values"] for row in self.panel["rows"]}

    def table(self, part="values"):
        """One dict a row, by the titles of the columns; *part* is ``values``, ``texts`` or ``colors``."""
        columns = {field["title"]: field[part] for field in self.fields()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def links(self):
        """Where a click on each value leads: the name of the series, or the value, and what was opened."""
        return [
            (field["title"] if field["labels"] else value, link["title"], link["href"])
            for field in self.fields()
            for value, links in zip(field["values"], field["links"], strict=True)
            for link in links
        ]

    def menu(self):
        """Where the panel's menu leads."""
        return [(link["title"], link["href"]) for link in self.panel["menu"]]


def node_graph(shown):
    """
    The nodes and the edges that Grafana's node graph makes of frames, as lists of dicts.

    Source: public/app/plugins/panel/nodeGraph of Grafana, whose panels are in no package: which frames it looks at,
    which of them it takes for edges, and what it cannot do without.
    """
    frames = [frame for frame in shown.panel["frames"] if _concerns_a_graph(frame)]
    nodes = [frame for frame in frames if "source" not in _names(frame)]
    edges = [frame for frame in frames if "source" in _names(frame)]
    for frame in frames:
        assert "id" in _names(frame), "id field is required: the panel would fail"
    return _rows(nodes), _rows(edges)


def _concerns_a_graph(frame):
    return frame["refId"] in ("nodes", "edges") or "id" in _names(frame)


def _names(frame):
    return [field["name"] for field in frame["fields"]]


def _rows(frames):
    if not frames:
        return []
    columns = {field["name"]: field["values"] for field in frames[0]["fields"]}  # the panel looks at the first alone
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
