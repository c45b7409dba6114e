"""What a real Phoenix server shows of our spans, asked through its own API."""

from collections import Counter

import pytest
from interop.program import SESSION

from tta_observe import semconv
from tta_observe.cli.review import LARGE, SMALL


@pytest.fixture(name="demo", scope="module")
def _demo(phoenix):
    """A run of the demo: what it counted by itself, and the spans that the server has."""
    counted = phoenix.send("demo")
    assert counted["delivered"], "not all spans were acknowledged"
    return counted, phoenix.spans("demo")


@pytest.fixture(name="program", scope="module")
def _program(phoenix):
    """The spans of the program that has one of every kind, by name."""
    counted = phoenix.send("program")
    assert counted["delivered"], "not all spans were acknowledged"
    return {shown(span): span for span in phoenix.spans("program")}


def shown(span):
    """As our own tests call spans."""
    attributes = span["attributes"]
    if span["name"] == semconv.LLM_USAGE_SPAN:
        return span["name"]
    return attributes.get("step.name") or attributes.get("primitive.name")


def tokens(span):
    return span["tokenCountPrompt"] or 0, span["tokenCountCompletion"] or 0


def test_every_execution_of_the_demo_is_there_as_what_it_is(demo):
    """
    A person who looks for the slow tool filters by kind.
    """
    counted, spans = demo
    kinds = {"llm": "llm", "tool": "tool", "agent": "agent"}
    expected = Counter()
    for name, type_, _status, count in counted["executions"]:
        expected[name, kinds.get(type_, "chain")] += count
    found = Counter((shown(span), span["spanKind"]) for span in spans if "primitive.name" in span["attributes"])

    assert expected == found
    assert {"llm", "tool", "agent", "chain"} == {kind for _name, kind in found}


def test_every_model_call_of_the_demo_has_its_model_and_its_tokens(demo):
    """
    What was spent on which model is what the page is opened for.
    """
    counted, spans = demo
    found = {}
    for span in spans:
        if span["spanKind"] == "llm" and sum(tokens(span)):
            of_model = found.setdefault(span["attributes"]["llm.model_name"], {"prompt": 0, "completion": 0})
            of_model["prompt"] += tokens(span)[0]
            of_model["completion"] += tokens(span)[1]

    assert counted["tokens"] == found
    assert {LARGE, SMALL} == set(found)
    assert counted["llm_calls"] == sum(bool(sum(tokens(span))) for span in spans)


def test_the_project_adds_up_to_what_was_used(phoenix, demo):
    """
    Tokens on a span around a model call would be counted twice in the sum.
    """
    counted, _ = demo
    used = sum(sum(of_model.values()) for of_model in counted["tokens"].values())

    assert used == phoenix.total_tokens("demo")


def test_a_span_of_every_kind(program):
    """
    The demo has no embedding and no retriever.
    """
    kinds = {
        "support": "chain",
        "route": "chain",
        "again": "chain",
        "gather": "chain",
        "researcher": "agent",
        "closer": "agent",
        "calculator": "tool",
        "refused": "tool",
        "search": "retriever",
        "embed": "embedding",
        "answer": "llm",
        "inner": "llm",
        semconv.LLM_USAGE_SPAN: "llm",
    }

    assert kinds == {name: program[name]["spanKind"] for name in kinds}


def test_tokens_stand_where_they_were_used(program):
    """
    A workflow that shows its model's tokens would be taken for a call.
    """
    used = {"answer": (1000, 146), semconv.LLM_USAGE_SPAN: (5, 5), "inner": (11, 3)}

    assert used == {name: tokens(span) for name, span in program.items() if sum(tokens(span))}


def test_an_embedding_has_its_model_and_its_tokens(program):
    """
    Phoenix adds up tokens of kind LLM alone; those of an embedding are to be seen on its own page.
    """
    attributes = program["embed"]["attributes"]

    assert "embed-1" == attributes["embedding.model_name"]
    assert 20 == attributes["llm.token_count.prompt"]


def test_the_cached_part_is_known(program):
    """
    Phoenix prices it apart from the rest.
    """
    assert 400 == program["answer"]["attributes"]["llm.token_count.prompt_details.cache_read"]


def test_the_session_is_there(phoenix, program):
    """
    Conversations have a page of their own.
    """
    assert [SESSION] == [session["session_id"] for session in phoenix.rest("projects/program/sessions")]


def test_failures_are_failures(program):
    """
    Red where it is red in our own report.
    """
    assert {"refused"} == {name for name, span in program.items() if span["statusCode"] == "ERROR"}
