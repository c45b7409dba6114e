"""The examples are programs: they run as they stand, and show what they say."""

from __future__ import annotations

import subprocess
import sys

import programs
import pytest
from example_runs import EXAMPLES, run

from tta_observe import semconv

ELSEWHERE = {
    "langgraph_agent.py": "langchain/test_graph_example.py",
    "pydantic_ai_agent.py": "pydantic_ai/test_agent_example.py",
}
"""Examples that need a framework: ``make test-providers`` runs them, by these tests of tests/providers."""

HERE = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in ELSEWHERE)


@pytest.mark.parametrize("example", HERE)
def test_example_runs_and_is_reported(example, tmp_path):
    """
    The first program that a newcomer runs is one of these, and `tta-observe report` is what it tells to type.
    """
    seen = run(example, tmp_path)
    command = [sys.executable, "-m", "tta_observe", "report"]
    reported = subprocess.run(command, env=programs.environment(tmp_path), capture_output=True, encoding="utf-8")

    assert seen.printed
    assert "● Yes: 100 % of" in reported.stdout


@pytest.mark.parametrize("example", HERE)
def test_example_runs_where_telemetry_is_switched_off(example, tmp_path):
    """
    Code that is observed runs as before where nobody looks: an example that did not would teach the wrong thing.
    """
    command = [sys.executable, EXAMPLES / example]
    ended = subprocess.run(
        command,
        env=programs.environment(tmp_path, OTEL_SDK_DISABLED="true"),
        capture_output=True,
        encoding="utf-8",
    )

    assert (0, "") == (ended.returncode, ended.stderr)
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize("example", ["pydantic_ai_agent.py", "langgraph_agent.py"])
def test_framework_example_is_tested_in_an_environment_of_its_own(example):
    """
    What cannot run here must not be forgotten there.
    """
    test = EXAMPLES.parent / "tests" / "providers" / ELSEWHERE[example]

    assert f'"{example}"' in test.read_text(encoding="utf-8")


def test_four_ways_to_run_side_by_side_draw_one_map(tmp_path):
    """
    A fork is a fork, whoever runs the branches: the context came along each time, or an edge would be missing.
    """
    expected = {
        "check-document ─ nested ─ load": 4,
        "load ─ parallel ─ check_spelling": 4,
        "load ─ parallel ─ check_length": 4,
        "check_spelling ─ parallel ─ summarize": 4,
        "check_length ─ parallel ─ summarize": 4,
    }

    assert expected == run("parallel.py", tmp_path).edges()


def test_streaming_example_knows_the_first_token_and_who_left(tmp_path):
    """
    Both readers heard the first word at once; the one who left is no failure, and costs what nobody can know.
    """
    seen = run("streaming.py", tmp_path)
    whole, left = (span.attributes for span in seen.spans() if span.name == "primitive.llm.stream")

    assert whole[semconv.LLM_TIME_TO_FIRST_TOKEN_MS] >= 60
    assert whole[semconv.LLM_TIME_TO_FIRST_TOKEN_MS] < whole[semconv.EXECUTION_DURATION_MS]
    assert (semconv.PRICED, semconv.NO_USAGE) == (whole[semconv.LLM_COST_STATUS], left[semconv.LLM_COST_STATUS])
    assert semconv.EXECUTION_CLOSED_EARLY not in whole
    assert (True, semconv.SUCCESS) == (left[semconv.EXECUTION_CLOSED_EARLY], left[semconv.EXECUTION_STATUS])
    assert "read to its end, $0.000009" in seen.printed
    assert "closed early, cost unknown" in seen.printed
