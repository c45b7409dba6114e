"""The classic dashboard against the rules of Grafana's dashboard linter, and what it leaves out, with reasons."""

import pytest
from dashboard_files import panels, read
from dashboard_linter import RULES, findings

EXCLUSIONS = {
    "template-datasource-rule": (
        "DS_PROMETHEUS is the name that people know from shared dashboards; "
        "the two other variables are hidden, and lead to traces."
    ),
    "template-job-rule": "A workflow that crosses services is one system: its health is not that of one job.",
    "template-instance-rule": "Processes come and go within minutes; nobody knows one by its name.",
    "target-job-rule": "See template-job-rule.",
    "target-instance-rule": "See template-instance-rule.",
    "target-rate-interval-rule": (
        "Five minutes, written out: $__rate_interval shrinks to a minute, which holds one sample of a program that "
        "exports seldom, and no rate at all."
    ),
    "uneditable-dashboard": "People try things out on a copy; what is provisioned stays as the file says.",
}
"""Rules that the dashboard breaks on purpose."""

NO_LOKI = {"target-logql-auto-rule"}
"""Documented rules for queries that no panel has."""


def panel(dashboard, number):
    """One panel."""
    return next(each for each in panels(dashboard) if each["id"] == number)


def variable(dashboard, name):
    """One variable."""
    return next(each for each in dashboard["templating"]["list"] if each["name"] == name)


def ask(dashboard, expression):
    """Let panel 3 ask something else."""
    panel(dashboard, 3)["targets"][0]["expr"] = expression


def good():
    """A dashboard that follows every rule, the excluded ones too: one panel of ours, with what they ask for."""
    dashboard = read("classic") | {"editable": False}
    source, service = variable(dashboard, "DS_PROMETHEUS"), variable(dashboard, "service")
    targets = [service | {"name": label, "multi": True, "allValue": ".+"} for label in ("job", "instance")]
    dashboard["templating"]["list"] = [source | {"name": "datasource"}, *targets]
    dashboard["panels"] = [panel(dashboard, 3) | {"datasource": {"type": "prometheus", "uid": "${datasource}"}}]
    ask(dashboard, 'sum(rate(primitive_execution_count{job=~"$job", instance=~"$instance"}[$__rate_interval]))')
    return dashboard


SPOILED = {
    "template-datasource-rule": [
        lambda it: it["templating"]["list"].clear(),
        lambda it: variable(it, "datasource").update(query="elasticsearch"),
        lambda it: variable(it, "datasource").update(name="source"),
    ],
    "template-job-rule": [
        lambda it: variable(it, "job").update(name="service"),
        lambda it: variable(it, "job").update(multi=False),
    ],
    "template-instance-rule": [lambda it: variable(it, "instance").pop("allValue")],
    "template-label-promql-rule": [
        lambda it: variable(it, "job")["query"].update(query="values_of(job)"),
        lambda it: variable(it, "job")["query"].update(query="label_values(sum(, job)"),
    ],
    "template-on-time-change-reload-rule": [lambda it: variable(it, "job").update(refresh=1)],
    "panel-datasource-rule": [lambda it: panel(it, 3)["datasource"].update(uid="prometheus")],
    "panel-title-description-rule": [
        lambda it: panel(it, 3).update(description=""),
        lambda it: panel(it, 3).pop("title"),
    ],
    "panel-units-rule": [
        lambda it: panel(it, 3)["fieldConfig"]["defaults"].update(unit="reqsps"),
        lambda it: panel(it, 3)["fieldConfig"]["defaults"].pop("unit"),
    ],
    "panel-no-targets-rule": [lambda it: panel(it, 3).update(targets=[])],
    "target-logql-rule": [lambda it: panel(it, 3)["targets"][0]["datasource"].update(type="loki")],
    "target-promql-rule": [lambda it: ask(it, "sum(rate(cache_hits[5m])"), lambda it: ask(it, "rate(cache_hits)")],
    "target-rate-interval-rule": [lambda it: ask(it, "sum(irate(cache_hits[2m]))")],
    "target-job-rule": [lambda it: ask(it, 'sum(agent_workflows_active{instance="a"})')],
    "target-instance-rule": [lambda it: ask(it, 'sum(agent_workflows_active{job="a"})')],
    "target-counter-agg-rule": [
        lambda it: ask(it, "sum(llm_cost_total)"),
        lambda it: ask(it, "sum(cache_hits)"),
        lambda it: ask(it, "avg_over_time(cache_total[$__rate_interval])"),
    ],
    "uneditable-dashboard": [lambda it: it.update(editable=True)],
}
"""For each rule, what a dashboard looks like that breaks it."""


def test_dashboard_follows_every_rule_that_is_not_excluded():
    """
    The linter's rules are what dashboards usually get wrong.
    """
    found = findings(read("classic"))

    assert {} == {rule: sentences for rule, sentences in found.items() if rule not in EXCLUSIONS}


@pytest.mark.parametrize("rule", EXCLUSIONS)
def test_exclusion_is_needed(rule):
    """
    One that excludes nothing hides the next mistake.
    """
    assert [] != findings(read("classic"))[rule]


def test_good_dashboard_passes_every_rule():
    """
    A rule that nobody can follow is not one; the mistakes below are made in this dashboard.
    """
    assert {} == findings(good())


@pytest.mark.parametrize(("rule", "spoil"), [(rule, spoil) for rule, spoils in SPOILED.items() for spoil in spoils])
def test_rule_catches_a_bad_dashboard(rule, spoil):
    """
    A rule that finds nothing is not one either.
    """
    dashboard = good()
    spoil(dashboard)

    assert rule in findings(dashboard)


def test_every_documented_rule_is_there():
    """
    The list in the linter's documentation, so that a new rule is noticed when it is read again.
    """
    documented = {
        "template-datasource-rule",
        "template-job-rule",
        "template-instance-rule",
        "template-label-promql-rule",
        "template-on-time-change-reload-rule",
        "panel-datasource-rule",
        "panel-title-description-rule",
        "panel-units-rule",
        "panel-no-targets-rule",
        "target-logql-rule",
        "target-logql-auto-rule",
        "target-promql-rule",
        "target-rate-interval-rule",
        "target-job-rule",
        "target-instance-rule",
        "target-counter-agg-rule",
        "uneditable-dashboard",
    }

    assert documented == set(RULES) | NO_LOKI
    assert set(SPOILED) == set(RULES)
