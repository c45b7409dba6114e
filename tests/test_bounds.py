"""What metrics may hold is bounded, and what falls outside is said."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import record_execution, workflow
from tta_observe._bounds import LabelBounds, LabelSets
from tta_observe.instruments import CONNECTIONS, EXECUTION_DURATION, EXECUTIONS
from tta_observe.testing import captured_telemetry


def test_values_past_the_limit_become_other(caplog):
    """
    A label fed with identifiers must not blow up the backend; one line says so, once.
    """
    bounds = LabelBounds(limit=2)

    assert ["a", "b", "a", "other", "other"] == [bounds.value("agent.type", v) for v in ("a", "b", "a", "c", "d")]
    assert {"agent.type": 2} == dict(bounds.overflows)
    assert 1 == len(caplog.records)
    assert logging.WARNING == caplog.records[0].levelno


def test_limit_is_per_label():
    """
    Many models do not hide the workflows.
    """
    bounds = LabelBounds(limit=1)

    assert ("a", "b") == (bounds.value("agent.type", "a"), bounds.value("workflow.name", "b"))


@pytest.mark.parametrize("spec", [EXECUTIONS, EXECUTION_DURATION], ids=lambda spec: spec.name)
def test_label_sets_fold_in_order(spec):
    """
    Past the bound agent and workflow go first: which primitive failed is worth more than for whom.
    """
    sets = LabelSets(spec, LabelBounds(limit=100_000))
    width = len(spec.labels) - 4
    for i in range(spec.label_sets):
        sets.attributes((f"p{i}", "tool", "success", "w", *[None] * width))

    known = sets.attributes(("p1", "tool", "success", "w", *[None] * width))
    folded = sets.attributes(("p1", "tool", "error", "w2", *[None] * width))

    assert "w" == known["workflow.name"]
    assert {
        "primitive.name": "p1",
        "primitive.type": "tool",
        "execution.status": "error",
        "workflow.name": "other",
    } == folded


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["success", "error"]), st.integers(0, 60)), max_size=300))
def test_totals_survive_every_overflow(calls):
    """
    Folding loses names, never counts, and never how a call ended.
    """
    with captured_telemetry(label_limit=5) as telemetry:
        for name, status, owner in calls:
            with workflow(f"w{owner}"):
                record_execution(f"p{name}", "tool", 1, status)
        own = {
            status: telemetry.total(EXECUTIONS, {"primitive.type": "tool", "execution.status": status})
            for status in ("success", "error")
        }
        names = {point.attributes["primitive.name"] for point in telemetry.points(EXECUTIONS)}

    assert {s: sum(1 for c in calls if c[1] == s) for s in ("success", "error")} == own
    assert len(names) <= 6


def test_connections_stay_below_what_the_sdk_drops():
    """
    Past 2,000 label sets the SDK drops every label, and the service map with it.
    """
    sets = LabelSets(CONNECTIONS, LabelBounds(limit=100_000))
    found = {tuple(sets.attributes((f"a{i}", f"b{i}", "nested")).items()) for i in range(4000)}

    assert len(found) <= 1801
    assert (("source.primitive", "other"), ("target.primitive", "other"), ("connection.type", "nested")) in found


def test_a_secret_in_a_label_is_never_a_label():
    """
    Labels are kept for the life of a backend, and shown to everybody.
    """
    bounds = LabelBounds(limit=1)
    shown = [bounds.value("llm.model_name", f"sk-{'c4n4ry' * n}") for n in (4, 5, 4)]

    assert ["[redacted]"] * 3 == shown
    assert {} == dict(bounds.overflows)
