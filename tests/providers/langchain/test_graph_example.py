"""The example that drops into LangGraph shows what it says, with the newest LangGraph."""

from __future__ import annotations

import pytest
from example_runs import run

from tta_observe import semconv


@pytest.fixture(name="seen", scope="module")
def _seen(tmp_path_factory):
    """One run of the example."""
    return run("langgraph_agent.py", tmp_path_factory.mktemp("example"), warnings="ignore")


def test_the_graph_answers_as_if_nobody_looked(seen):
    """LangGraph reads the signatures of its nodes, and finds those of the bare functions."""
    expected = ["Rewrite it, please.", "The second sentence is long.", "The year is wrong."]

    assert expected == sorted(seen.printed.splitlines())


def test_each_answer_is_inside_its_node(seen):
    """LangGraph runs nodes in threads of its own: they take the context along."""
    around = "workflow.review-draft.execute"
    parents = [(span.name, span.parent) for span in seen.spans()]

    assert 4 == parents.count(("primitive.agent.run", around)) + parents.count(("primitive.validator.check", around))
    assert 2 == parents.count(("primitive.llm.chat", "primitive.validator.check"))
    assert 1 == parents.count(("primitive.llm.chat", "primitive.agent.run"))


def test_nodes_side_by_side_join(seen):
    """The graph has a fork, and so has the map."""
    joined = {edge: count for edge, count in seen.edges().items() if " parallel " in edge}

    assert {"check_facts ─ parallel ─ decide": 1, "check_style ─ parallel ─ decide": 1} == joined


def test_usage_is_read_from_the_messages(seen):
    """No line of the program says what an answer cost."""
    (model,) = seen.report.models

    assert ("small", 3) == (model.model, model.calls)
    assert (170, 12) == (model.prompt_tokens, model.completion_tokens)
    assert 3 == sum(span.attributes.get(semconv.LLM_COST_STATUS) == semconv.PRICED for span in seen.spans())
