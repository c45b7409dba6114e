"""The examples are programs: they run as they stand, and show what they say."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import programs
import pytest
from example_runs import EXAMPLES, Seen, run

from tta_observe import semconv

ELSEWHERE = {
    "langgraph_agent.py": "langchain/test_graph_example.py",
    "pydantic_ai_agent.py": "pydantic_ai/test_agent_example.py",
}
"""Examples that need a framework: ``make test-providers`` runs them, by these tests of tests/providers."""

HERE = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in ELSEWHERE)


@pytest.fixture(name="services", scope="module")
def _services(tmp_path_factory):
    """
    One run of the services.
    """
    return run("services", tmp_path_factory.mktemp("services"))


@pytest.fixture(name="fastapi", scope="module")
def _fastapi(tmp_path_factory):
    """
    One run of the FastAPI application, which asks itself.
    """
    return run("fastapi_app.py", tmp_path_factory.mktemp("fastapi"))


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


def test_services_are_one_trace_in_one_store(services):
    """
    Four processes and their HTTP requests: without the headers there would be a trace for each request.
    """
    spans = services.spans()

    assert {"tta-agent-coordinator", "tta-workflow-engine", "tta-llm-gateway", "tta-cache-layer"} == {
        span.service for span in spans
    }
    assert 1 == len({span.trace_id for span in spans})
    assert ["workflow.answer-all.execute"] == [span.name for span in spans if span.parent is None]


def test_services_hand_the_caller_on(services):
    """
    Each span that a service starts for a request hangs below the one which sent it.
    """
    expected = {
        ("workflow.answer-question.execute", "primitive.agent.delegate"),
        ("primitive.cache.lookup", "primitive.retriever.recall"),
        ("primitive.cache.store", "primitive.processor.generate"),
        ("primitive.processor.complete", "primitive.processor.generate"),
    }
    spans = services.spans()

    assert expected <= {(span.name, span.parent) for span in spans}
    assert {"SERVER"} == {span.kind for span in spans if span.name == "workflow.answer-question.execute"}


def test_services_are_connected_across_processes(services):
    """
    The map of a system is of use when it does not end where a process does.
    """
    expected = {
        "tta-agent-coordinator/delegate ─ remote ─ answer-question": 3,
        "tta-workflow-engine/recall ─ remote ─ look_up": 3,
        "tta-workflow-engine/generate ─ remote ─ complete": 2,
        "tta-workflow-engine/generate ─ remote ─ remember": 2,
    }

    assert expected == {edge: count for edge, count in services.edges().items() if " remote " in edge}
    assert "tta-agent-coordinator/delegate → answer-question  3×" in services.printed


def test_services_cache_what_was_answered(services):
    """
    The third question was asked before: the gateway is spared, and the figures say so.
    """
    assert (1, 3) == (services.report.cache.hits, services.report.cache.lookups)
    assert {"large": 1, "small": 1} == {row.model: row.calls for row in services.report.models}


def test_fastapi_requests_are_workflows_of_their_callers(fastapi):
    """
    A request is worth looking at as a whole, from the client's call to the last word that was streamed.
    """
    spans = fastapi.spans()
    traces = {span.trace_id for span in spans}
    parents = {span.name: span.parent for span in spans}

    assert 2 == len(traces)
    assert "workflow.ask.execute" == parents["workflow.list-sources.execute"]
    assert "workflow.ask.execute" == parents["workflow.stream-answer.execute"]
    assert "workflow.stream-answer.execute" == parents["primitive.llm.stream"]


def test_fastapi_under_a_real_server_continues_the_trace_of_its_caller(tmp_path):
    """
    Served by uvicorn, as in production, nothing but the headers tells who asked.
    """
    caller = "4bf92f3577b34da6a3ce929d0e0e4736"
    environ = programs.environment(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "fastapi_app:app", "--port", str(address[1])]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            answer = ask(address, "/answer?question=who+asked", {"traceparent": f"00-{caller}-00f067aa0ba902b7-01"})
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=20)
    spans = Seen(tmp_path, answer).spans()

    assert "who asked? See notes on who, notes on asked. " == answer
    assert {caller} == {span.trace_id for span in spans}
    assert {"SERVER"} == {span.kind for span in spans if span.name == "workflow.stream-answer.execute"}


def ask(address, path, headers, *, within_s=20.0):
    """GET *path* as soon as somebody answers there."""
    end = time.monotonic() + within_s
    while True:
        connection = HTTPConnection(*address, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def test_fastapi_streams_to_the_end_within_the_workflow(fastapi):
    """
    A workflow that ended with the endpoint would know neither what its stream cost nor how long it took.
    """
    (streamed,) = (span for span in fastapi.spans() if span.name == "workflow.stream-answer.execute")

    assert 1 == streamed.attributes[semconv.WORKFLOW_LLM_CALLS]
    assert streamed.attributes[semconv.WORKFLOW_COST_USD] > 0
    assert 1 == fastapi.edges()["find_sources ─ sequential ─ generate"]
