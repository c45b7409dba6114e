"""Every panel shows the truth, whichever way the figures came: asked as Grafana asks, answered by a real Prometheus."""

from __future__ import annotations

import time

import pytest
from live import history, script, truth
from live.truth import Past
from live.ways import EXECUTIONS

from tta_observe.dashboards.panels import (
    ACTIVE,
    CACHE,
    ERROR_RATE,
    ERRORS,
    HEALTH,
    PANELS,
    SAVINGS,
    SLOWEST_WORKFLOWS,
    THROUGHPUT,
)

QUERIES = [(panel, query) for panel in PANELS for query in panel.queries]
NAMES = [f"{panel.id}_{query.name}" for panel, query in QUERIES]

PLAYED = Past(script.BUSY, script.BUSY, script.BUSY, len(script.OPEN))

VERBATIM = (
    'sum(rate(primitive_execution_count{execution_status="success"}[5m])) / sum(rate(primitive_execution_count[5m]))',
    "histogram_quantile(0.95, sum by (primitive_name, le) (rate(primitive_execution_duration_bucket[5m])))",
    "sum(rate(cache_hits[5m])) / sum(rate(cache_total[5m]))",
    "sum(agent_workflows_active)",
    'sum(rate(llm_tokens_total{llm_model_name=~"gpt-4.*"}[5m])) * 0.00003',
)
"""The five that were promised, letter by letter."""


def asked(server, query, at):
    """What the panel gets: a table or a figure from one moment, a graph from every step."""
    ask = server.at_the_end if query.over_time else server.query
    return ask(query.promql, at)


def about(answer, tolerance=1e-9):
    """*answer*, to be compared within a relative *tolerance*; nothing is next to 0."""
    return {
        labels: value if isinstance(value, truth.Between) else pytest.approx(value, rel=tolerance, abs=1e-12)
        for labels, value in answer.items()
    }


@pytest.fixture(scope="session")
def covered(world, played_at):
    """
    Enough samples were taken: what is added beyond the last is less than 1.1 of the distance between two.
    """
    world.server.wait_until(f"min(count_over_time({EXECUTIONS}[5m])) >= 16")


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=NAMES)
def test_panel_shows_what_was_played(world, played_at, panel, query):
    """
    A figure that is off sends its reader after the wrong thing. All samples lie on one grid, so there is no tolerance.
    """
    assert about(truth.answers(PLAYED)[panel.id, query.name]) == asked(world.server, query, played_at)


@pytest.mark.parametrize("number", range(len(VERBATIM)))
def test_promised_query_works_as_it_stands(world, played_at, number):
    """
    These five stand in other people's dashboards.
    """
    assert about(truth.verbatim(PLAYED)[number]) == world.server.query(VERBATIM[number], played_at)


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=NAMES)
@pytest.mark.parametrize("moment", ["before", "calm", "busy", "idle", "gone"])
def test_panel_shows_the_past(past_server, panel, query, moment):
    """
    Windows of five minutes and ranges of an hour, full and empty: without errors the error rate is 0 and health is 1,
    in an idle system there is no answer rather than a wrong one.
    """
    server, ended = past_server
    then = history.moments(ended)[moment]

    assert about(truth.answers(then.past)[panel.id, query.name]) == asked(server, query, then.at)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("idle", {HEALTH: {}, THROUGHPUT: {(): 0}, ACTIVE: {(): 0}, ERROR_RATE: {}, SLOWEST_WORKFLOWS: {}, ERRORS: {}}),
        ("calm", {HEALTH: {(): 1}, ERROR_RATE: {(): 0}, ERRORS: {}, CACHE: {(): 0}, SAVINGS: {}}),
        ("gone", {panel: {} for panel in PANELS}),
    ],
)
def test_panel_of_a_quiet_system_says_so(past_server, moment, shown):
    """
    What is empty reads "idle" or "no errors"; a figure made of nothing, or "no data" for no errors, reads as broken.
    """
    server, ended = past_server
    at = history.moments(ended)[moment].at

    assert shown == {panel: asked(server, panel.queries[0], at) for panel in shown}


def test_every_query_is_put_to_the_test():
    """
    An answer that is empty by mistake would look like one that is empty by right.
    """
    played = truth.answers(PLAYED)

    assert {(panel.id, query.name) for panel, query in QUERIES} == {key for key, answer in played.items() if answer}


@pytest.mark.parametrize("number", range(len(VERBATIM)))
def test_promised_query_shows_the_past(past_server, number):
    """
    Over whole windows, too.
    """
    server, ended = past_server
    then = history.moments(ended)["busy"]

    assert about(truth.verbatim(then.past)[number]) == server.query(VERBATIM[number], then.at)


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=NAMES)
def test_panel_is_near_the_truth_at_any_moment(world, covered, panel, query):
    """
    Nobody looks exactly when a sample is taken; then Prometheus extrapolates, here by a tenth at most.
    """
    assert about(truth.answers(PLAYED)[panel.id, query.name], 0.1) == asked(world.server, query, time.time())
