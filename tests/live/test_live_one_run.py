"""One run of one workflow with one failing primitive: the first thing that anybody tries."""

from __future__ import annotations

import pytest
from live.processes import wait_for
from live.script import Execution
from live.servers import labelled
from live.truth import Between
from live.ways import WAYS

from tta_observe.dashboards import alerts
from tta_observe.dashboards.panels import PANELS

RUN = (
    Execution(("digest",), 1, "digest", "workflow", "error", None, "ConnectionError"),
    Execution(("digest",), 1, "fetch", "tool", "error", None, "ConnectionError"),
)
QUICK_MS = Between(1e-6, 5000)
"""P95 of what took next to nothing; on a busy machine it may take its time."""


@pytest.fixture(scope="module", params=["scrape", "otlp", "remote_write", "scale"])
def run(request, tmp_path_factory):
    """A program that has done it and stays alive, and when that had arrived."""
    with WAYS[request.param]("one_run.py", tmp_path_factory.mktemp(request.param) / "one_run") as found:
        yield found, found.complete(RUN)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (5, {(): 1}),
        (6, {labelled(workflow_name="digest"): QUICK_MS}),
        (8, {labelled(error_type="ConnectionError"): pytest.approx(2 / 300)}),
        (12, {labelled(primitive_name="fetch"): QUICK_MS}),
    ],
)
def test_one_run_is_seen(run, number, shown):
    """
    A series that is first seen at 1 never rises: without the zeros that we send, the first failure would never show.
    """
    world, at = run
    panel = next(panel for panel in PANELS if panel.id == number)

    assert shown == world.server.query(panel.queries[0].promql, at)


def test_the_trace_of_the_failure_is_kept(run):
    """
    Whoever sees the error asks for its trace: where traces are sampled, those of errors stay.
    """
    world, _ = run
    wanted = {"workflow.digest.execute", "primitive.tool.fetch"}

    wait_for(lambda: wanted <= set(world.traces.span_names()), f"spans {wanted}")


def test_one_run_is_no_alarm(run):
    """
    Nobody is woken up for one failure; nor will be, for a pending alert would fire if this went on.
    """
    world, at = run
    wait_for(lambda: (world.server.newest(alerts.REPORTING) or 0) > at + 2, "two evaluations")

    assert [] == world.server.get("alerts")["alerts"]


def test_all_alerts_are_on_duty(run):
    """
    Rules that were not loaded are silent, too.
    """
    world, _ = run
    rules = [rule for group in world.server.get("rules")["groups"] for rule in group["rules"]]

    assert {alert.name for alert in alerts.ALERTS} == {rule["name"] for rule in rules if rule["type"] == "alerting"}
    assert {"ok"} == {rule["health"] for rule in rules}
