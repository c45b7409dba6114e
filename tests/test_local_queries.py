import pytest
from local_store import MORNING, SECOND, App

from tta_observe import semconv
from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    CACHE_SAVINGS,
    CONNECTIONS,
    LLM_COST,
    LLM_TOKENS,
    LLM_UNPRICED,
)
from tta_observe.local import queries
from tta_observe.local.rows import (
    CacheRow,
    ConnectionRow,
    ErrorRow,
    Health,
    ModelRow,
    PrimitiveRow,
    Spending,
    Throughput,
    TypeRow,
    Window,
    WorkflowRow,
)

OPENAI = {semconv.LLM_PROVIDER: "openai", semconv.LLM_MODEL_NAME: "gpt-4"}
LOCAL = {semconv.LLM_PROVIDER: "ollama", semconv.LLM_MODEL_NAME: "llama"}
OURS = {semconv.LLM_MODEL_NAME: "tuned"}


@pytest.fixture(name="app")
def _app(tmp_path):
    app = App(tmp_path / "store.db")
    yield app
    app.exporter.close()


@pytest.fixture(name="ask")
def _ask(app):
    """
    Export, then ask about the life of the program so far.
    """

    def ask(question, seconds=1, **options):
        app.tick(seconds)
        with app.reader() as reader:
            return question(reader, app.window(), **options)

    return ask


def test_last_measurement_is_when_something_changed(app):
    """
    A report on a demo of yesterday shows yesterday, not the empty hour before now.
    """
    app.run()
    app.tick(10)
    app.tick(1000)
    with app.reader() as reader:
        assert MORNING + 10 * SECOND == queries.last_measurement(reader)
        assert Window(MORNING - 50 * SECOND, MORNING + 10 * SECOND) == queries.window_before_last(reader, 60)


def test_measurements_of_other_libraries_are_not_ours(app):
    """
    An application's own metrics would move the window away from what it shows.
    """
    app.meters.get_meter("theirs").create_counter("requests").add(1)
    app.tick()
    with app.reader() as reader:
        assert None is queries.last_measurement(reader)
        assert None is queries.window_before_last(reader)


def test_health_counts_every_end(app, ask):
    """
    Is my system working? Cancelled executions are known, and held against nobody.
    """
    app.run(times=6)
    app.run(status="error", error_type="ValueError", times=2)
    app.run(status="cancelled")

    assert Health(success=6, error=2, cancelled=1) == ask(queries.health)
    assert 0.75 == ask(queries.health).score


def test_health_of_an_idle_system(ask):
    """
    Nothing ran: neither good nor bad.
    """
    assert Health(0, 0, 0) == ask(queries.health)


def test_throughput_is_over_the_time_that_saw_traffic(app, ask):
    """
    Forty executions in eight seconds are five a second, whatever the window.
    """
    app.run(times=40)

    assert Throughput(40, 5.0) == ask(queries.throughput, 8)


def test_throughput_of_an_idle_system(ask):
    """
    None, which is shown as a dash, not 0 per second.
    """
    assert Throughput(0, None) == ask(queries.throughput)


def active(app, later_s=0.0):
    """Workflows running *later_s* seconds from now."""
    with app.reader() as reader:
        return queries.active_workflows(reader, app.now_ns + int(later_s * SECOND))


def test_active_workflows_are_counted_now(app):
    """
    How many are running is a question about now, not about the last hour.
    """
    app.record(ACTIVE_WORKFLOWS, 3, {semconv.WORKFLOW_NAME: "a"})
    app.record(ACTIVE_WORKFLOWS, 2, {semconv.WORKFLOW_NAME: "b"})
    app.tick()
    assert 5 == active(app)
    app.record(ACTIVE_WORKFLOWS, -3, {semconv.WORKFLOW_NAME: "a"})
    app.tick()

    assert 2 == active(app)


def test_workflows_of_a_silent_process_are_gone_with_it(app):
    """
    After a crash nobody lowers the gauge; it would say 1 for ever.
    """
    app.record(ACTIVE_WORKFLOWS, 1, {})
    app.tick()

    assert 1 == active(app, 14.9)
    assert 0 == active(app, 15)


def test_workflows_of_a_quiet_process_are_still_active(app):
    """
    A workflow that waits an hour for a human changes no metric, but its process beats.
    """
    app.record(ACTIVE_WORKFLOWS, 1, {})
    for _ in range(10):
        app.tick(6)

    assert 1 == active(app, 8)


def test_workflows_of_a_process_that_ended_are_gone_at_once(app):
    """
    After Ctrl-C the page is right at the next look.
    """
    app.record(ACTIVE_WORKFLOWS, 1, {})
    app.tick()
    app.exporter.close()

    assert 0 == active(app)


def test_active_workflows_are_never_below_zero(app):
    """
    A forked child may lower what its parent raised.
    """
    app.record(ACTIVE_WORKFLOWS, -1, {})
    app.tick()

    assert 0 == active(app)


def test_workflows_slowest_first(app, ask):
    """
    Which workflow is slow? With what it costs, for nobody optimises the cheap one.
    """
    app.run("chat", "workflow", ms=3.0, times=3)
    app.run("chat", "workflow", ms=3.0, status="error", error_type="ValueError")
    app.run("research", "workflow", ms=20_000.0)
    app.run("chat", "router", ms=9_000.0, workflow_name="chat")  # a primitive of the same name
    app.record(LLM_COST, 0.5, OPENAI | {semconv.WORKFLOW_NAME: "chat"})
    app.record(LLM_COST, 0.1, OPENAI)

    assert (
        WorkflowRow("research", 1, 1.0, 20_000.0, 10_000.0, 0.0, 0.0),
        WorkflowRow("chat", 4, 0.75, 3.0, pytest.approx(2 + 3 * 0.95), 0.5, 0.125),
    ) == ask(queries.workflows)


def test_workflow_whose_calls_have_no_price_is_not_free(app, ask):
    """
    Unknown is not 0: the dearest workflow may be the one with the newest model.
    """
    app.run("chat", "workflow", ms=3.0)
    app.record(LLM_TOKENS, 500, OPENAI | {semconv.WORKFLOW_NAME: "chat", semconv.LLM_TOKEN_TYPE: "prompt"})
    (row,) = ask(queries.workflows)

    assert (None, None) == (row.cost_usd, row.cost_per_run_usd)


def test_workflow_that_was_only_cancelled(app, ask):
    """
    It ran, it neither failed nor succeeded.
    """
    app.run("chat", "workflow", status="cancelled")
    (row,) = ask(queries.workflows)

    assert (1, None) == (row.runs, row.success_rate)


def test_workflow_without_durations_comes_last(app, ask):
    """
    The histogram has fewer label sets than the counter; past them a run is still a run.
    """
    app.run("fast", "workflow", ms=1.0)
    labels = {semconv.PRIMITIVE_NAME: "new", semconv.PRIMITIVE_TYPE: "workflow", semconv.EXECUTION_STATUS: "success"}
    app.record(queries.instruments.EXECUTIONS, 1, labels)

    assert [("fast", 1.0), ("new", None)] == [(row.name, row.mean_ms) for row in ask(queries.workflows)]


def test_workflow_that_did_not_run_within_the_window_is_left_out(app):
    """
    A row of zeros would push the rows that matter off the screen.
    """
    app.run("old", "workflow")
    app.tick(60)
    app.run("new", "workflow")
    app.tick(60)
    with app.reader() as reader:
        rows = queries.workflows(reader, Window(app.start_ns + 60 * SECOND, app.now_ns))

    assert ["new"] == [row.name for row in rows]


def test_primitives_slowest_first_without_workflows(app, ask):
    """
    What to optimise, and what fails.
    """
    app.run("answer", "llm", ms=700.0, times=2)
    app.run("answer", "llm", ms=700.0, status="error", error_type="TimeoutError")
    app.run("pick", "router", ms=1.0)
    app.run("chat", "workflow", ms=800.0)

    assert (
        PrimitiveRow("answer", "llm", 3, 1, 700.0, pytest.approx(500 + 500 * 0.95)),
        PrimitiveRow("pick", "router", 1, 0, 1.0, pytest.approx(0.95)),
    ) == ask(queries.primitives)


def test_errors_by_type_most_frequent_first(app, ask):
    """
    Why are requests failing? Mostly because of one thing.
    """
    app.run(times=5)
    app.run(status="error", error_type="ValueError")
    app.run(status="error", error_type="TimeoutError", times=2)
    app.run("other", status="error", error_type="TimeoutError")
    app.run(status="cancelled", error_type="CancelledError")

    assert (ErrorRow("TimeoutError", 3, 0.75), ErrorRow("ValueError", 1, 0.25)) == ask(queries.errors_by_type)


def test_error_without_a_type_is_an_error(app, ask):
    """
    Whoever measures by himself may leave it out.
    """
    app.run(status="error")

    assert (ErrorRow("unknown", 1, 1.0),) == ask(queries.errors_by_type)


def test_executions_by_type(app, ask):
    """
    What the system does all day.
    """
    app.run("a", "tool", times=2)
    app.run("b", "tool")
    app.run("c", "llm")

    assert (TypeRow("tool", 3), TypeRow("llm", 1)) == ask(queries.executions_by_type)


def looked_up(app, primitive, hits, lookups, saved):
    """Use a cache."""
    labels = {semconv.CACHE_TYPE: "memory"} | ({semconv.PRIMITIVE_NAME: primitive} if primitive else {})
    app.record(CACHE_HITS, hits, labels)
    app.record(CACHE_LOOKUPS, lookups, labels)
    app.record(CACHE_SAVINGS, saved, labels)


def test_caches_together_and_each(app, ask):
    """
    Am I wasting money? Overall no, but one of the caches never hits.
    """
    looked_up(app, "embed", 9, 10, 0.9)
    looked_up(app, "search", 0, 20, 0.0)
    looked_up(app, None, 1, 2, 0.0)

    assert CacheRow(10, 32, 10 / 32, 0.9) == ask(queries.cache)
    assert (
        CacheRow(0, 20, 0.0, 0.0, "search"),
        CacheRow(9, 10, 0.9, 0.9, "embed"),
        CacheRow(1, 2, 0.5, 0.0, None),
    ) == ask(queries.caches_by_primitive)


def test_cache_without_lookups_has_no_hit_rate(ask):
    """
    A program without a cache does not have a bad one.
    """
    assert CacheRow(0, 0, None, 0.0) == ask(queries.cache)
    assert () == ask(queries.caches_by_primitive)


def called(app, model, prompt, completion, cost=None, **more):
    """Call a model; without a cost it has no known price."""
    labels = model | {key.replace("_", "."): value for key, value in more.items()}
    app.record(LLM_TOKENS, prompt, labels | {semconv.LLM_TOKEN_TYPE: semconv.PROMPT})
    app.record(LLM_TOKENS, completion, labels | {semconv.LLM_TOKEN_TYPE: semconv.COMPLETION})
    if cost is None:
        app.record(LLM_UNPRICED, 1, model)
    else:
        app.record(LLM_COST, cost, labels)


def test_models_by_cost_then_tokens(app, ask):
    """
    Which model costs the most? One without a price is never said to cost nothing.
    """
    called(app, OURS, 5000, 100)
    called(app, LOCAL, 70, 30, cost=0.0)
    called(app, OPENAI, 100, 20, cost=0.02, workflow_name="a")
    called(app, OPENAI, 10, 2, cost=0.01, workflow_name="b")

    assert (
        ModelRow("openai", "gpt-4", 110, 22, pytest.approx(0.03), 0),
        ModelRow(None, "tuned", 5000, 100, None, 1),
        ModelRow("ollama", "llama", 70, 30, 0.0, 0),
    ) == ask(queries.models)


def test_model_that_was_not_called_within_the_window_is_left_out(app):
    """
    The model of last week is not what costs now.
    """
    called(app, OPENAI, 1, 1, cost=1.0)
    app.tick(60)
    app.run()
    app.tick(60)
    with app.reader() as reader:
        assert () == queries.models(reader, Window(app.start_ns + 60 * SECOND, app.now_ns))


def test_spending_per_hour_of_traffic(app, ask):
    """
    How much am I spending? As much per hour as while it ran; calls without a price are said, not guessed.
    """
    called(app, OPENAI, 100, 20, cost=0.02)
    called(app, OURS, 100, 20)
    app.run()

    assert Spending(0.02, pytest.approx(0.02 / 10 * 3600), 1) == ask(queries.spending, 10)


def test_spending_without_traffic(ask):
    """
    Nothing ran, so nothing is known about an hour.
    """
    assert Spending(0.0, None, 0) == ask(queries.spending)


def test_connections_most_frequent_first(app, ask):
    """
    What is calling what?
    """
    for source, target, kind, count in (("chat", "pick", "nested", 2), ("pick", "ask", "sequential", 7)):
        labels = {semconv.SOURCE_PRIMITIVE: source, semconv.TARGET_PRIMITIVE: target, semconv.CONNECTION_TYPE: kind}
        app.record(CONNECTIONS, count, labels)

    assert (ConnectionRow("pick", "ask", "sequential", 7), ConnectionRow("chat", "pick", "nested", 2)) == ask(
        queries.connections
    )


def test_latest_runs_are_a_question_too(app, ask):
    """
    The report asks all of its questions in one place.
    """
    app.span("workflow.a.execute", {semconv.PRIMITIVE_TYPE: "workflow"}, start_ns=app.now_ns + 1)

    assert 1 == len(ask(queries.latest_runs))


def test_processes_and_whether_they_live(app, tmp_path):
    """
    Of four workers one is gone: which?
    """
    app.tick(1)
    other = App(tmp_path / "store.db", name="worker")
    other.tick(20)
    with app.reader() as reader:
        rows = queries.processes(reader, other.now_ns)
    other.exporter.close()
    with app.reader() as reader:
        ended = queries.processes(reader, other.now_ns)

    assert [("worker", True), ("shop", False)] == [(row.service_name, row.alive) for row in rows]
    assert [("worker", False), ("shop", False)] == [(row.service_name, row.alive) for row in ended]
    assert (other.now_ns, app.start_ns) == (rows[0].heartbeat_ns, rows[1].started_ns)
    assert rows[0].pid is not None


def test_every_question_can_be_asked_of_an_empty_store(app):
    """
    The first look comes before the first measurement.
    """
    app.tick()
    window = Window(0, app.now_ns)
    with app.reader() as reader:
        for name in set(queries.__all__) - {"last_measurement", "window_before_last", "active_workflows", "processes"}:
            getattr(queries, name)(reader, window)
        assert 0 == queries.active_workflows(reader, app.now_ns)
        assert 1 == len(queries.processes(reader, app.now_ns))
