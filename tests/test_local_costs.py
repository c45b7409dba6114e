"""What LLM calls cost, and how many there were."""

import pytest
from local_store import SECOND, App

from tta_observe import semconv
from tta_observe.instruments import LLM_COST, LLM_TOKENS, LLM_UNPRICED
from tta_observe.local.calls import Calls, Owner, llm_calls
from tta_observe.local.costs import costs, models, spending
from tta_observe.local.rows import CostRow, ModelRow, Spending, Window

GPT = {semconv.LLM_PROVIDER: "openai", semconv.LLM_MODEL_NAME: "gpt-4"}
OWN = {semconv.LLM_MODEL_NAME: "tuned"}
CHAT = {semconv.WORKFLOW_NAME: "chat", semconv.AGENT_TYPE: "writer", semconv.PRIMITIVE_NAME: "ask"}
SUMS = {semconv.WORKFLOW_NAME: "sums", semconv.PRIMITIVE_NAME: "add"}


@pytest.fixture(name="app")
def _app(tmp_path):
    app = App(tmp_path / "store.db")
    yield app
    app.exporter.close()


@pytest.fixture(name="ask")
def _ask(app):
    """Export, then ask about the life of the program so far."""

    def ask(question):
        app.tick()
        with app.reader() as reader:
            return question(reader, app.window())

    return ask


def called(app, model, owner, *, tokens=0, cost=None, status=semconv.PRICED, kind="llm"):
    """Call a model once, as the package records it: a span, and what is known of it on the metrics."""
    labels = model | owner
    span = labels | {semconv.LLM_COST_STATUS: status} | ({semconv.PRIMITIVE_TYPE: kind} if kind else {})
    name = "primitive.llm.generate" if kind else semconv.LLM_USAGE_SPAN
    app.span(name, span, start_ns=app.now_ns + SECOND // 2)
    if status != semconv.NO_USAGE:
        app.record(LLM_TOKENS, tokens, labels | {semconv.LLM_TOKEN_TYPE: semconv.PROMPT})
    if status == semconv.UNPRICED:
        app.record(LLM_UNPRICED, 1, model)
    if status == semconv.PRICED:
        app.record(LLM_COST, cost, labels)


def test_costs_by_workflow_agent_and_primitive(app, ask):
    """
    The same money from three sides: what was asked for, who did it, and where in the code.
    """
    called(app, GPT, CHAT, tokens=100, cost=0.02)
    called(app, GPT, CHAT, tokens=50, cost=0.01)
    called(app, GPT, SUMS, tokens=10, cost=0.5, kind=None)

    assert (
        CostRow("workflow", "sums", 1, 10, 0.5, False, 0, 0),  # noqa: FBT003
        CostRow("workflow", "chat", 2, 150, pytest.approx(0.03), False, 0, 0),  # noqa: FBT003
        CostRow("agent", "writer", 2, 150, pytest.approx(0.03), False, 0, 0),  # noqa: FBT003
        CostRow("primitive", "add", 1, 10, 0.5, False, 0, 0),  # noqa: FBT003
        CostRow("primitive", "ask", 2, 150, pytest.approx(0.03), False, 0, 0),  # noqa: FBT003
    ) == ask(costs)


def test_what_is_not_known_is_a_lower_bound_or_nothing(app, ask):
    """
    One call without a price among a hundred makes the sum a lower bound; where all are, there is no sum.
    """
    called(app, GPT, CHAT, tokens=100, cost=0.02)
    called(app, OWN, CHAT, tokens=70, status=semconv.UNPRICED)
    called(app, GPT, CHAT, status=semconv.NO_USAGE)
    called(app, OWN, SUMS, tokens=5, status=semconv.UNPRICED)
    chat, sums, *_ = ask(costs)

    assert CostRow("workflow", "chat", 3, 170, 0.02, True, 1, 1) == chat  # noqa: FBT003
    assert CostRow("workflow", "sums", 1, 5, None, True, 1, 0) == sums  # noqa: FBT003


def test_without_their_spans_costs_are_still_marked(app, ask):
    """
    Metrics are exact where traces are sampled out: a model without a price is seen in its tokens.
    """
    app.record(LLM_COST, 0.02, GPT | CHAT)
    app.record(LLM_TOKENS, 7, GPT | CHAT | {semconv.LLM_TOKEN_TYPE: semconv.PROMPT})
    app.record(LLM_TOKENS, 5, OWN | CHAT | {semconv.LLM_TOKEN_TYPE: semconv.PROMPT})
    app.record(LLM_UNPRICED, 1, OWN)
    found = ask(costs)[0]

    assert CostRow("workflow", "chat", 0, 12, 0.02, True, 0, 0) == found  # noqa: FBT003


def test_a_free_model_costs_nothing(app, ask):
    """
    A price of 0 is a price: nothing is missing.
    """
    called(app, OWN, CHAT, tokens=5, cost=0.0)

    assert {(0.0, False)} == {(row.cost_usd, row.is_lower_bound) for row in ask(costs)}


def test_a_model_whose_calls_tell_no_usage_is_shown(app, ask):
    """
    A stream that never says what it used is on the bill of the provider, so it is on ours.
    """
    called(app, GPT, CHAT, status=semconv.NO_USAGE)
    called(app, GPT, CHAT, status=semconv.NO_USAGE)

    assert (ModelRow("openai", "gpt-4", 0, 0, None, 0, 2, 2),) == ask(models)
    assert Spending(0.0, None, 0, 2) == ask(spending)


def test_a_model_is_a_lower_bound_when_a_call_is_missing(app, ask):
    """
    The dearest model may be the one that does not always say what it used.
    """
    called(app, GPT, CHAT, tokens=100, cost=0.02)
    called(app, GPT, CHAT, status=semconv.NO_USAGE)
    (found,) = ask(models)

    assert (0.02, True, 1, 2) == (found.cost_usd, found.is_lower_bound, found.no_usage_calls, found.calls)


def test_calls_are_those_that_began_within_the_window(app):
    """
    What was called an hour before is another report's.
    """
    called(app, GPT, CHAT, tokens=1, cost=1.0)
    app.tick(60)
    called(app, OWN, SUMS, tokens=1, cost=1.0, kind="embedding")
    app.tick(60)
    with app.reader() as reader:
        found = llm_calls(reader, Window(app.start_ns + 60 * SECOND, app.now_ns))

    assert {Owner(None, "tuned", "sums", None, "add"): Calls(1, 0, 0)} == found


def test_a_span_that_recorded_no_usage_is_no_call(app, ask):
    """
    An LLM primitive that only calls another one is not a second call.
    """
    app.span("primitive.llm.generate", {semconv.PRIMITIVE_TYPE: "llm"}, start_ns=app.now_ns + 1)
    app.span("primitive.tool.execute", {semconv.LLM_COST_STATUS: "priced"}, start_ns=app.now_ns + 1)

    assert {} == ask(llm_calls)
    assert () == ask(costs)
