"""The example that drops into pydantic-ai shows what it says, with the newest pydantic-ai."""

from __future__ import annotations

import pytest
from example_runs import run

from tta_observe import semconv


@pytest.fixture(name="seen", scope="module")
def _seen(tmp_path_factory):
    """One run of the example."""
    return run("pydantic_ai_agent.py", tmp_path_factory.mktemp("example"), warnings="ignore")


def test_the_agent_answers_as_if_nobody_looked(seen):
    """The schema of its tool is made from the signature and docstring of an observed function."""
    assert "In Lisbon: 19 degrees there, 4 in Oslo.\n" == seen.printed


def test_requests_and_tools_are_inside_the_run(seen):
    """pydantic-ai starts tasks of its own for both: they take the context along."""
    expected = [
        ("workflow.compare-weather.execute", None),
        ("primitive.agent.run", "workflow.compare-weather.execute"),
        ("primitive.llm.chat", "primitive.agent.run"),
        ("primitive.tool.call", "primitive.agent.run"),
        ("primitive.tool.call", "primitive.agent.run"),
        ("primitive.llm.chat", "primitive.agent.run"),
    ]

    assert expected == [(span.name, span.parent) for span in seen.spans()]


def test_usage_of_each_request_is_recorded_once(seen):
    """The run returns the sum of its requests, too: nobody may count both."""
    requests = [span.attributes for span in seen.spans() if span.name == "primitive.llm.chat"]
    (model,) = seen.report.models

    assert 2 == model.calls
    assert model.prompt_tokens + model.completion_tokens == sum(each[semconv.LLM_TOTAL_TOKENS] for each in requests)
    assert [semconv.PRICED] * 2 == [each[semconv.LLM_COST_STATUS] for each in requests]
