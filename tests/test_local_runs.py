import pytest
from local_store import SECOND, App

from tta_observe import semconv
from tta_observe.local.rows import Run, Window
from tta_observe.local.runs import latest_runs

RUN = {
    semconv.PRIMITIVE_TYPE: semconv.WORKFLOW_TYPE,
    semconv.WORKFLOW_NAME: "checkout",
    semconv.WORKFLOW_ID: "order-7",
    semconv.EXECUTION_STATUS: semconv.ERROR,
    semconv.EXECUTION_DURATION_MS: 12.5,
    semconv.ERROR_TYPE: "TimeoutError",
    semconv.WORKFLOW_COST_USD: 0.25,
    semconv.WORKFLOW_LLM_CALLS: 2,
    semconv.WORKFLOW_TOTAL_TOKENS: 900,
    semconv.WORKFLOW_PRIMITIVES: 5,
    semconv.WORKFLOW_UNPRICED_CALLS: 1,
    semconv.WORKFLOW_BUDGET_USD: 0.5,
}


@pytest.fixture(name="app")
def _app(tmp_path):
    app = App(tmp_path / "store.db")
    yield app
    app.exporter.close()


def latest(app, limit=10):
    """The newest runs until now."""
    app.tick()
    with app.reader() as reader:
        return latest_runs(reader, app.window(), limit)


def test_run_says_what_its_span_says(app):
    """
    The list is where someone starts who was told "order 7 failed".
    """
    app.span("workflow.checkout.execute", RUN, start_ns=app.now_ns + 5)
    (found,) = latest(app)

    assert (
        Run(
            trace_id=found.trace_id,
            span_id=found.span_id,
            workflow="checkout",
            workflow_id="order-7",
            start_ns=app.start_ns + 5,
            duration_ms=12.5,
            status="error",
            error_type="TimeoutError",
            cost_usd=0.25,
            llm_calls=2,
            tokens=900,
            primitives=5,
            unpriced_calls=1,
            budget_usd=0.5,
        )
        == found
    )
    assert (32, 16) == (len(found.trace_id), len(found.span_id))


def test_run_that_says_little_is_listed(app):
    """
    Spans received from other versions, or other languages, may lack what ours carry.
    """
    app.span("workflow.x.execute", {semconv.PRIMITIVE_TYPE: "workflow"}, start_ns=app.now_ns + 5)
    (found,) = latest(app)

    assert ("workflow.x.execute", None, 1000.0, "success") == (
        found.workflow,
        found.workflow_id,
        found.duration_ms,
        found.status,
    )
    assert (None, None, 0, 0, 0) == (found.error_type, found.cost_usd, found.llm_calls, found.tokens, found.primitives)


def test_newest_come_first_and_the_rest_is_left_out(app):
    """
    What just happened is what someone asks about.
    """
    for number in range(15):
        app.span(f"w{number}", {semconv.PRIMITIVE_TYPE: "workflow"}, start_ns=app.now_ns + 1 + number)

    assert ["w14", "w13", "w12"] == [run.workflow for run in latest(app, 3)]


def test_other_spans_are_no_runs(app):
    """
    A workflow calls hundreds of primitives.
    """
    app.span("primitive.tool.execute", {semconv.PRIMITIVE_TYPE: "tool"}, start_ns=app.now_ns + 1)
    app.span("GET /", {}, start_ns=app.now_ns + 1)

    assert () == latest(app)


def test_runs_outside_of_the_window_are_left_out(app):
    """
    "The last hour" is meant.
    """
    for seconds in (0, 1, 2):
        app.span(f"w{seconds}", {semconv.PRIMITIVE_TYPE: "workflow"}, start_ns=app.start_ns + seconds * SECOND)
    app.tick()
    with app.reader() as reader:
        runs = latest_runs(reader, Window(app.start_ns, app.start_ns + SECOND))

    assert ["w1"] == [run.workflow for run in runs]
