"""The panels and alerts as tables for people who read the README."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tta_observe.dashboards.alerts import ALERTS
from tta_observe.dashboards.panels import TABS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN_AS: Final = {
    "nodeGraph": "node graph",
    "piechart": "pie",
    "timeseries": "time series",
}


def panel_table() -> str:
    """One row a panel: where it stands, what it answers, how it is shown."""
    rows = [
        (str(panel.id), tab.title, panel.title, panel.question, _SHOWN_AS.get(panel.visual, panel.visual))
        for tab in TABS
        for panel in tab.panels
    ]
    return _table(("#", "tab", "panel", "question", "shown as"), rows)


def alert_table() -> str:
    """One row an alert: when it fires, and how bad that is."""
    rows = [(f"`{alert.name}`", alert.condition, alert.lasts, alert.severity) for alert in ALERTS]
    return _table(("alert", "fires when", "for", "severity"), rows)


def with_tables(text: str) -> str:
    """*text* with both tables anew, each between ``<!-- panels -->`` or ``<!-- alerts -->`` and ``<!-- end -->``."""
    for marker, table in (("panels", panel_table()), ("alerts", alert_table())):
        between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = between.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace("| --- ", "|---").replace("|--- |", "|---|")
