"""PromQL taken apart by a parser: which series and labels an expression reads."""

from __future__ import annotations

import re

import promql_parser as promql

_VARIABLE = re.compile(r"\$__range\b")


def parsed(expression):
    """The syntax tree; raises ValueError when it is no PromQL. Grafana's time range is an hour."""
    return promql.parse(_VARIABLE.sub("1h", expression))


def walked(expression):
    """Each node with its ancestors, the nearest last."""
    found, ancestors = [], []

    def enter(node):
        found.append((node, tuple(ancestors)))
        ancestors.append(node)

    promql.walk(parsed(expression), enter, lambda _: ancestors.pop() and None)
    return found


def selectors(expression):
    """The series that are selected: a metric name and its matchers, as (label, value)."""
    nodes = [node for node, _ in walked(expression) if isinstance(node, promql.VectorSelector)]
    return [(node.name, [(each.name, each.value) for each in node.matchers.matchers]) for node in nodes]


def labels(expression):
    """The labels that are grouped or matched by, and those that functions read."""
    found = set()
    for node, _ in walked(expression):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            found.update(node.modifier.matching.labels)
        if _is_call(node, "label_replace"):
            found.add(node.args[3].val)
        if _is_call(node, "label_join"):
            found.update(argument.val for argument in node.args[3:])
    return found


def made_labels(expression):
    """The labels that the expression makes itself."""
    calls = [node for node, _ in walked(expression) if _is_call(node, "label_replace", "label_join")]
    return {call.args[1].val for call in calls}


def _is_call(node, *names):
    return isinstance(node, promql.Call) and node.func.name in names
