"""
The rules of Grafana's dashboard linter, for classic dashboards, written anew from its documentation.

Source: docs/index.md and docs/rules of grafana/dashboard-linter. A rule takes a dashboard and says what is wrong with
it, one sentence a finding. Rules about Loki are left out: a target that asks Loki is a finding by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

import promql_parser as promql
from dashboard_files import panels
from promql_ast import parsed, walked

from tta_observe.dashboards.panel import Unit
from tta_observe.instruments import INSTRUMENTS

RATE_INTERVAL_S = 240
"""Stands for ``$__rate_interval`` in a query that is parsed."""
COUNTERS = {spec.prometheus_name for spec in INSTRUMENTS if spec.kind == "counter"}
"""Ours have no ending that says so."""
_SOURCES = ("prometheus", "loki")
_WITH_UNITS = ("gauge", "stat", "table", "timeseries")
_FUNCTIONS = ("label_names", "label_values", "metrics", "query_result")


@dataclass(frozen=True)
class Target:
    """One query, and where it stands."""

    where: str
    kind: str
    text: str

    def nodes(self):
        """Nodes of the syntax tree with their ancestors; none when it is no PromQL, which another rule says."""
        try:
            return walked(self._interpolated())
        except ValueError:
            return []

    def error(self):
        """Why it is no PromQL, or None."""
        try:
            parsed(self._interpolated())
        except ValueError as error:
            return str(error)
        return None

    def _interpolated(self):
        return self.text.replace("$__rate_interval", f"{RATE_INTERVAL_S}s")


def template_datasource(dashboard):
    """The reader chooses the data source, once."""
    found = _variables(dashboard, "datasource")
    if len(found) != 1:
        yield f"{len(found)} variables are data sources, not one"
    for each in found:
        if each["query"] not in _SOURCES:
            yield f"the data source {each['name']} is for {each['query']}"
        if each["name"] not in ("datasource", f"{each['query']}_datasource"):
            yield f"the data source {each['name']} should be called datasource"


def template_job(dashboard):
    """The reader chooses the job."""
    return _target_variable(dashboard, "job")


def template_instance(dashboard):
    """The reader chooses the instance."""
    return _target_variable(dashboard, "instance")


def template_label_promql(dashboard):
    """A variable asks Prometheus for something that it can answer."""
    for each in _variables(dashboard, "query"):
        call = re.fullmatch(r"(\w+)\((?:(.+?)(?:, ?\w+)?)?\)", each["query"]["query"])
        if call is None or call[1] not in _FUNCTIONS:
            yield f"the variable {each['name']} asks {each['query']['query']}"
        elif call[2] and Target(each["name"], "prometheus", call[2]).error():
            yield f"the variable {each['name']} asks about {call[2]}, which is no PromQL"


def template_on_time_change_reload(dashboard):
    """A variable is asked for again when the time range changes: what was started since is offered."""
    for each in _variables(dashboard, "query"):
        if each["refresh"] != 2:
            yield f"the variable {each['name']} is not asked for again"


def panel_datasource(dashboard):
    """Every panel asks the data source that was chosen."""
    chosen = {f"${{{each['name']}}}" for each in _variables(dashboard, "datasource")}
    for panel in panels(dashboard):
        if panel["datasource"]["uid"] not in chosen:
            yield f"{panel['title']} asks {panel['datasource']['uid']}"


def panel_title_description(dashboard):
    """Every panel says what it shows."""
    for panel in panels(dashboard):
        if not (panel.get("title") and panel.get("description")):
            yield f"panel {panel['id']} has no title or no description"


def panel_units(dashboard):
    """Every number has a unit that Grafana knows."""
    for panel in panels(dashboard):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        if panel["type"] in _WITH_UNITS and unit not in get_args(Unit):
            yield f"{panel['title']} has the unit {unit}"


def panel_no_targets(dashboard):
    """Every panel asks something."""
    for panel in panels(dashboard):
        if not panel.get("targets"):
            yield f"{panel['title']} asks nothing"


def target_logql(dashboard):
    """LogQL would have rules of its own."""
    for target in _targets(dashboard):
        if target.kind == "loki":
            yield f"{target.where} asks Loki"


def target_promql(dashboard):
    """Every query is PromQL."""
    for target in _targets(dashboard):
        if error := target.error():
            yield f"{target.where} is no PromQL: {error}"


def target_rate_interval(dashboard):
    """A rate is taken over what Grafana suggests."""
    for target in _targets(dashboard):
        for node, ancestors in target.nodes():
            if _is_call(_nearest(ancestors, 1), "rate", "irate") and _seconds(node) not in (None, RATE_INTERVAL_S):
                yield f"{target.where} takes a rate over {_seconds(node)} s"


def target_job(dashboard):
    """Every query is about the job that was chosen."""
    return _unmatched(dashboard, "job")


def target_instance(dashboard):
    """Every query is about the instance that was chosen."""
    return _unmatched(dashboard, "instance")


def target_counter_agg(dashboard):
    """A counter is only ever read as what it rose by."""
    for target in _targets(dashboard):
        for node, ancestors in target.nodes():
            if _is_counter(node) and not _is_call(_nearest(ancestors, 2), "rate", "irate", "increase"):
                yield f"{target.where} reads {node.name} as it stands"


def uneditable_dashboard(dashboard):
    """What is made from code is changed there."""
    if dashboard["editable"]:
        yield "it can be edited"


RULES = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": template_job,
    "template-instance-rule": template_instance,
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-logql-rule": target_logql,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": target_job,
    "target-instance-rule": target_instance,
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable_dashboard,
}


def findings(dashboard):
    """What each rule finds, by its name; rules that find nothing are left out."""
    found = {name: list(rule(dashboard)) for name, rule in RULES.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def _variables(dashboard, kind):
    return [each for each in dashboard["templating"]["list"] if each["type"] == kind]


def _target_variable(dashboard, label):
    found = [each for each in _variables(dashboard, "query") if each["name"] == label]
    if not found:
        yield f"there is no variable {label}"
    for each in found:
        if not (each["multi"] and each.get("allValue") == ".+"):
            yield f"the variable {label} does not offer several, or all"


def _targets(dashboard):
    for panel in panels(dashboard):
        for each in panel.get("targets", []):
            yield Target(f"{panel.get('title')} {each['refId']}", each["datasource"]["type"], each["expr"])


def _unmatched(dashboard, label):
    for target in _targets(dashboard):
        for node, _ in target.nodes():
            if isinstance(node, promql.VectorSelector) and label not in {each.name for each in node.matchers.matchers}:
                yield f"{target.where} reads {node.name} of every {label}"


def _is_counter(node):
    if not isinstance(node, promql.VectorSelector):
        return False
    return node.name in COUNTERS or node.name.endswith("_total")


def _nearest(ancestors, distance):
    return ancestors[-distance] if len(ancestors) >= distance else None


def _is_call(node, *names):
    return isinstance(node, promql.Call) and node.func.name in names


def _seconds(node):
    return node.range.total_seconds() if isinstance(node, promql.MatrixSelector) else None
