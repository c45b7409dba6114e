"""What the dashboards show of one history, by Grafana's own code: drawn once, looked at by many tests."""

from __future__ import annotations

import pytest
from dashboard_files import PATHS

from grafana.history import MOMENTS, openmetrics
from grafana.node import install, run
from grafana.servers import prometheus
from grafana.shown import Shown

VARIABLES = {"DS_PROMETHEUS": "prometheus", "DS_TEMPO": "tempo", "DS_JAEGER": "jaeger", "service": "shop"}


@pytest.fixture(scope="session", autouse=True)
def _grafana():
    """Grafana's libraries, installed."""
    install()


@pytest.fixture(name="drawn", scope="session")
def _drawn(_grafana, tmp_path_factory):
    """What each dashboard shows of the history: its panels by moment and number."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), openmetrics()) as url:
        job = {"url": url, "moments": MOMENTS, "variables": VARIABLES}
        return {kind: run("draw.mjs", job | {"dashboard": str(path)}) for kind, path in PATHS.items()}


@pytest.fixture(name="panel", scope="session")
def _panel(drawn):
    """A panel of the classic dashboard at some moment."""
    return lambda number, moment: Shown(drawn["classic"][moment][str(number)])


@pytest.fixture(name="show", scope="session")
def _show():
    """How panels of the classic dashboard show fields that are given, one after the other."""

    def show(*fields):
        job = {"fields": fields, "range": dict(zip(("from", "to"), MOMENTS["busy"], strict=True))}
        answer = run("show.mjs", job | {"dashboard": str(PATHS["classic"]), "variables": VARIABLES})
        return [Shown(panel).fields()[0] for panel in answer]

    return show
