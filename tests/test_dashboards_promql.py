"""Every expression of the dashboards and rules: only what is measured, as promised, and for the oldest Prometheus."""

import subprocess

import pytest
import yaml
from dashboard_files import panels, read
from promql_ast import labels, made_labels, selectors
from promtool import promtool

from tta_observe import semconv
from tta_observe.dashboards import classic, rules
from tta_observe.dashboards.alerts import ALERTS, REPORTING
from tta_observe.dashboards.panels import PANELS
from tta_observe.instruments import INSTRUMENTS

EXPRESSIONS = {
    1: "sum by (source_primitive, target_primitive) (rate(primitive_connection_count[5m]))",
    3: "sum(rate(primitive_execution_count[5m]))",
    4: "sum(agent_workflows_active)",
    6: "topk(10, histogram_quantile(0.95, sum by (workflow_name, le) "
    '(rate(primitive_execution_duration_bucket{primitive_type="workflow"}[5m]))))',
    8: 'sum by (error_type) (rate(primitive_execution_count{execution_status="error"}[5m]))',
    10: "sum by (primitive_type) (rate(primitive_execution_count[5m]))",
    12: "topk(5, histogram_quantile(0.95, sum by (primitive_name, le) "
    '(rate(primitive_execution_duration_bucket{primitive_type!="workflow"}[5m]))))',
    13: "sum by (llm_model_name) (rate(llm_tokens_total[5m])) * 300",
    14: "sum(rate(llm_cost_total[5m])) * 3600",
    16: "sum(rate(cache_savings_total[5m])) * 3600",
}
"""Expressions that people were promised word for word."""

TARGET_LABELS = {"job", "instance"}
"""Prometheus' own, on every series."""
VALUES = {
    "execution_status": {semconv.SUCCESS, semconv.ERROR, semconv.CANCELLED, f"{semconv.SUCCESS}|{semconv.ERROR}"},
    "primitive_type": {semconv.WORKFLOW_TYPE},
    "workflow_name": {""},
}
"""What may be asked of a label."""

QUERIES = {f"{panel.id} {query.name}": query.promql for panel in PANELS for query in panel.queries}
RULES = {
    rule.get("record", rule.get("alert")): rule["expr"]
    for group in (rules.recording(), rules.alerting())
    for rule in group["groups"][0]["rules"]
}


def produced():
    """The labels of every series that the instruments can make, by its name in Prometheus."""
    found = {}
    for spec in INSTRUMENTS:
        own = {label.replace(".", "_") for label in spec.labels} | TARGET_LABELS
        if spec.kind == "histogram":
            found |= {f"{spec.prometheus_name}_{part}": own for part in ("sum", "count")}
            found[f"{spec.prometheus_name}_bucket"] = own | {"le"}
        else:
            found[spec.prometheus_name] = own
    return found | {REPORTING: {"job"}}


def unknown(expression):
    """Metric names, labels and values in *expression* that nobody measures."""
    known = produced()
    asked = selectors(expression)
    readable = made_labels(expression).union(*(known.get(name, set()) for name, _ in asked))
    pairs = {(name, label) for name, matchers in asked for label, _ in matchers}
    values = {(label, value) for _, matchers in asked for label, value in matchers}
    return [
        *sorted({name for name, _ in asked} - set(known)),
        *sorted(label for name, label in pairs if label not in known.get(name, set())),
        *sorted(value for label, value in values if value not in VALUES.get(label, set())),
        *sorted(labels(expression) - readable),
    ]


@pytest.mark.parametrize("name", {**QUERIES, **RULES})
def test_expression_reads_only_what_is_measured(name):
    """
    A label that is misspelt is an empty panel, and an alert that never fires.
    """
    assert [] == unknown({**QUERIES, **RULES}[name])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(rate(primitive_executions_count[5m]))", ["primitive_executions_count"]),
        ('rate(primitive_execution_count{status="error"}[5m])', ["status", "error"]),
        ('rate(primitive_execution_count{execution_status="failed"}[5m])', ["failed"]),
        ("sum by (workflow) (rate(llm_cost_total[5m]))", ["workflow"]),
        ("sum by (le) (rate(primitive_execution_duration_sum[5m]))", ["le"]),
        ('label_replace(cache_hits, "id", "$1", "name", "(.+)")', ["name"]),
        ("cache_hits / on (model) cache_total", ["model"]),
        ("primitive_execution_count_total", ["primitive_execution_count_total"]),
    ],
)
def test_names_that_nobody_measures_are_found(expression, expected):
    """
    The check above can fail.
    """
    assert expected == unknown(expression)


def test_aliases_lead_to_names_that_are_measured():
    """
    The bridge for suffixed names ends where the dashboards look.
    """
    (group,) = rules.aliases()["groups"]
    aliased = {rule["record"] for rule in group["rules"]}

    assert aliased <= set(produced())
    assert set() == aliased & {rule["expr"] for rule in group["rules"]}


@pytest.mark.parametrize("name", [alert.name for alert in ALERTS])
def test_words_of_an_alert_name_labels_that_it_has(name):
    """
    "{{ $labels.workflow_name }}" of a sum without that label is told as nothing at all.
    """
    alert = {alert.name: alert for alert in ALERTS}[name]
    words = f"{alert.summary} {alert.description} {alert.runbook}"
    named = {word.split(" ")[0] for word in words.split("$labels.")[1:]}

    assert named <= labels(alert.promql)


@pytest.mark.parametrize("number", EXPRESSIONS)
def test_promised_expression_stands_word_for_word(number):
    """
    People copy these into panels of their own.
    """
    shown = {panel["id"]: panel for panel in panels(read("classic"))}[number]

    assert any(EXPRESSIONS[number] in target["expr"] for target in shown["targets"])


def test_prometheus_2_42_understands_every_query(tmp_path):
    """
    The oldest Prometheus that distributions ship knows none of the newer functions.
    """
    asked = [{"record": "panel", "expr": text.replace("$__range", "1h")} for text in QUERIES.values()]
    labelled = [rule | {"labels": {"query": str(index)}} for index, rule in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": labelled}]}), encoding="utf-8")
    ended = subprocess.run([promtool(), "check", "rules", str(path)], capture_output=True, text=True, timeout=60)

    assert (0, f"{len(QUERIES)} rules found") == (ended.returncode, ended.stdout.split(": ")[-1].strip())


def test_recorded_figures_are_those_of_the_panels():
    """
    A range of weeks shows the same figure, only cheaper.
    """
    recorded = {rule["record"]: rule["expr"] for rule in rules.recording()["groups"][0]["rules"]}

    assert {panel.record: panel.queries[0].promql for panel in PANELS if panel.record} == recorded


def test_service_is_asked_of_a_series_that_is_measured():
    """
    The list of services is empty when the metric of the query is not there.
    """
    metric, label = classic.SERVICES.removeprefix("label_values(").removesuffix(")").split(", ")

    assert label in produced()[metric]
