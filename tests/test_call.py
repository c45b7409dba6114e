"""One observed call: which span, with which attributes, and what is counted."""

import os
import time

import pytest

from tta_observe import (
    Price,
    agent,
    primitive,
    record_cache_operation,
    record_llm_usage,
    set_attributes,
    step,
    traced_primitive,
    workflow,
)
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTION_DURATION, EXECUTIONS
from tta_observe.testing import captured_telemetry


@traced_primitive(type="llm", action="chat", attributes={"team": "search"})
def ask():
    """Record what a real call would."""
    record_llm_usage(prompt_tokens=100, completion_tokens=10, cached_tokens=20, temperature=0.5, max_tokens=256)


@traced_primitive(type="cache", action="lookup")
def look_up():
    """Find something."""
    record_cache_operation(hit=True, key="k", ttl_seconds=60, saved_usd=0.25)


@traced_primitive(type="tool")
def fail():
    """Fail with a text."""
    raise ValueError("no such file")


@traced_primitive
def closes_early():
    """Give one item, of more."""
    yield 1
    yield 2


CONTEXT = {
    "workflow_id": "run-1",
    "session_id": "session-1",
    "agent_id": "agent-1",
    "agent_type": "reviewer",
    "llm_provider": "acme",
    "llm_model_name": "acme-large",
    "llm_model_tier": "large",
}

EXPECTED = [
    # group, span, attribute, type, value (None: any)
    ("primitive", "ask", "primitive.name", str, "ask"),
    ("primitive", "ask", "primitive.type", str, "llm"),
    ("primitive", "ask", "primitive.action", str, "chat"),
    ("workflow", "ask", "workflow.name", str, "review"),
    ("workflow", "ask", "workflow.id", str, "run-1"),
    ("workflow", "ask", "session.id", str, "session-1"),
    ("agent", "ask", "agent.id", str, "agent-1"),
    ("agent", "ask", "agent.type", str, "reviewer"),
    ("step", "first", "step.index", int, 0),
    ("step", "first", "step.name", str, "first"),
    ("code", "ask", "code.function.name", str, f"{__name__}.ask"),
    ("code", "ask", "code.file.path", str, None),
    ("code", "ask", "code.line.number", int, None),
    ("execution", "ask", "execution.status", str, "success"),
    ("execution", "ask", "execution.duration_ms", float, None),
    ("execution", "fail", "execution.status", str, "error"),
    ("execution", "closes_early", "execution.closed_early", bool, True),
    ("error", "fail", "error.type", str, "ValueError"),
    ("error", "fail", "error.message", str, "no such file"),
    ("llm", "ask", "llm.provider", str, "acme"),
    ("llm", "ask", "llm.model_name", str, "acme-large"),
    ("llm", "ask", "llm.model_tier", str, "large"),
    ("llm", "ask", "llm.temperature", float, 0.5),
    ("llm", "ask", "llm.max_tokens", int, 256),
    ("llm", "ask", "llm.prompt_tokens", int, 100),
    ("llm", "ask", "llm.completion_tokens", int, 10),
    ("llm", "ask", "llm.total_tokens", int, 110),
    ("llm", "ask", "llm.cached_tokens", int, 20),
    ("llm", "ask", "llm.cost_usd", float, 0.00012),
    ("llm", "ask", "llm.cost_status", str, "priced"),
    ("llm", "ask", "llm.price_source", str, "user"),
    ("cache", "look_up", "cache.hit", bool, True),
    ("cache", "look_up", "cache.key", str, None),
    ("cache", "look_up", "cache.type", str, "memory"),
    ("cache", "look_up", "cache.ttl_seconds", int, 60),
    ("cache", "look_up", "cache.savings_usd", float, 0.25),
    ("roll-up", "review", "workflow.cost_usd", float, 0.00012),
    ("roll-up", "review", "workflow.llm_calls", int, 1),
    ("roll-up", "review", "workflow.total_tokens", int, 110),
    ("roll-up", "review", "workflow.primitives", int, 4),
    ("interoperability", "ask", "openinference.span.kind", str, "LLM"),
    ("interoperability", "review", "openinference.span.kind", str, "CHAIN"),
    ("own", "ask", "team", str, "search"),
]


FOREIGN = ("gen_ai.", "langfuse.", "operation.cost")
"""Our own in the words of others: tests/test_genai.py has a table of them."""


@pytest.fixture(name="run")
def _run():
    """One workflow that touches every attribute group."""
    with captured_telemetry(prices={"acme-large": Price(1, 2)}) as telemetry:
        with workflow("review", **CONTEXT):
            with step("first"):
                pass
            ask()
            look_up()
            with pytest.raises(ValueError, match="no such file"):
                fail()
            items = closes_early()
            next(items)
            items.close()
        yield telemetry


@pytest.mark.parametrize(("group", "span", "name", "kind", "value"), EXPECTED, ids=lambda v: str(v)[:30])
def test_attribute(run, group, span, name, kind, value):
    """
    Attribute names, value types and values are public: queries and other people's backends depend on each.
    """
    found = run.span(span).attributes[name]

    assert kind is type(found), group
    assert value is None or value == pytest.approx(found) if kind is float else value in (None, found)


def test_every_attribute_is_in_the_table(run):
    """
    An attribute that nobody documented is a promise by accident.
    """
    known = {name for _, _, name, _, _ in EXPECTED}
    found = {name for span in run.spans for name in span.attributes}

    assert set() == {name for name in found - known if not name.startswith(FOREIGN)}


def test_llm_span_in_a_workflow_has_more_than_twenty_attributes(run):
    """
    One look at the span answers who, for whom, what, how long and how much.
    """
    assert len(run.span("ask").attributes) > 20


SPAN_NAMES = [
    ("ask", "primitive.llm.chat", "CLIENT"),
    ("look_up", "primitive.cache.lookup", "INTERNAL"),
    ("fail", "primitive.tool.execute", "INTERNAL"),
    ("closes_early", "primitive.function.execute", "INTERNAL"),
    ("review", "workflow.review.execute", "INTERNAL"),
    ("first", "primitive.sequential.step_0", "INTERNAL"),
]


@pytest.mark.parametrize(("shown", "name", "kind"), SPAN_NAMES)
def test_span_name_and_kind(run, shown, name, kind):
    """
    Trace queries search by span name, and backends draw a CLIENT span as a call that leaves the process.
    """
    span = run.span(shown)

    assert (name, kind) == (span.name, span.span.kind.name)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("llm", "LLM"),
        ("embedding", "EMBEDDING"),
        ("tool", "TOOL"),
        ("agent", "AGENT"),
        ("retriever", "RETRIEVER"),
        ("router", "CHAIN"),
    ],
)
def test_openinference_kind(telemetry, type_, kind):
    """
    Phoenix and Opik show a span by this one attribute.
    """
    with primitive("p", type=type_):
        pass

    assert kind == telemetry.span("p").attributes["openinference.span.kind"]


def test_failure_has_status_and_the_standard_event(run):
    """
    Every tracing backend knows how to show the standard exception event.
    """
    span = run.span("fail").span
    (event,) = span.events

    assert ("ERROR", "no such file") == (span.status.status_code.name, span.status.description)
    assert "exception" == event.name
    assert {"exception.type", "exception.message", "exception.stacktrace"} == set(event.attributes)


@pytest.mark.parametrize(
    ("detail", "message", "event"),
    [
        ("type", None, {"exception.type"}),
        ("message", "x" * 1016 + "…[cut]", {"exception.type", "exception.message", "exception.stacktrace"}),
        ("full", "x" * 5000, {"exception.type", "exception.message", "exception.stacktrace"}),
    ],
)
def test_error_detail(detail, message, event):
    """
    Whose messages hold customer data can keep them in.
    """
    with captured_telemetry(error_detail=detail) as telemetry, pytest.raises(ValueError, match="x"), primitive("p"):
        raise ValueError("x" * 5000)
    span = telemetry.span("p")

    assert message == span.attributes.get("error.message")
    assert event == set(span.span.events[0].attributes)


def test_duration_comes_from_the_monotonic_clock(telemetry, monkeypatch):
    """
    A wall clock that is set back inside a span makes a duration of minus five seconds, or 2^64 µs in Jaeger.
    """
    wall = time.time_ns()
    monkeypatch.setattr("tta_observe._call.time_ns", lambda: wall)
    with primitive("p"):
        monkeypatch.setattr("tta_observe._call.time_ns", lambda: wall - 5_000_000_000)
        time.sleep(0.01)
    span = telemetry.span("p")

    assert wall == span.span.start_time
    assert 10 <= span.attributes["execution.duration_ms"] < 5000
    assert span.attributes["execution.duration_ms"] * 1e6 == pytest.approx(span.span.end_time - wall)


def test_executions_have_every_label(telemetry):
    """
    The dashboards group by each of them.
    """
    with workflow("review", agent_type="reviewer"), pytest.raises(ValueError, match="no such"):
        fail()
    labels = {
        "primitive.name": "fail",
        "primitive.type": "tool",
        "execution.status": "error",
        "workflow.name": "review",
        "agent.type": "reviewer",
        "error.type": "ValueError",
    }

    assert 1 == telemetry.total(EXECUTIONS, labels)
    assert 1 == telemetry.total(EXECUTION_DURATION, {k: labels[k] for k in EXECUTION_DURATION.labels})


def test_a_workflow_run_is_an_execution(telemetry):
    """
    The P95 of workflows is read from the same histogram.
    """
    with workflow("review"):
        pass
    labels = {"primitive.name": "review", "primitive.type": "workflow", "workflow.name": "review"}

    assert 1 == telemetry.total(EXECUTIONS, labels)
    assert 1 == telemetry.total(EXECUTION_DURATION, labels)


def test_an_agent_is_counted_as_a_primitive(telemetry):
    """
    It is a node of the map and a parent.
    """
    with workflow("w"), agent("planner", agent_id="a1"), primitive("inside"):
        pass

    assert 1 == telemetry.total(EXECUTIONS, {"primitive.name": "planner", "primitive.type": "agent"})
    assert {("w", "planner", "nested"): 1, ("planner", "inside", "nested"): 1} == telemetry.connections()
    assert "a1" == telemetry.span("inside").attributes["agent.id"]


def test_forked_child_does_not_lower_the_gauge(telemetry):
    """
    A gauge that each child lowers reads minus a hundred behind a pre-forking server.
    """
    read, write = os.pipe()
    with workflow("w"):
        child = os.fork()
        if not child:
            os.close(read)
    if not child:
        os.write(write, str(telemetry.total(ACTIVE_WORKFLOWS)).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)

    assert b"1.0" == os.read(read, 10)
    assert 0 == telemetry.total(ACTIVE_WORKFLOWS)
    os.close(read)


def test_steps_above_ninety_nine_share_a_name(telemetry):
    """
    A loop of a million steps must not make a million span names.
    """
    with workflow("w"):
        for _ in range(102):
            with step("s"):
                pass
    names = [span.name for span in telemetry.spans if span.shown == "s"]

    assert ["primitive.sequential.step_99", "primitive.sequential.step_n"] == names[-3:-1]
    assert [99, 100, 101] == [s.attributes["step.index"] for s in telemetry.spans if s.shown == "s"][-3:]


def test_sequential_opens_steps_by_itself(telemetry):
    """
    A pipeline shows its steps without a line of code.
    """
    with primitive("pipeline", type="sequential"):
        with primitive("load"):
            pass
        with step("own"), primitive("inner"):
            pass
        with primitive("save"), primitive("deep"):
            pass

    assert [{"pipeline": [{"load": ["load"]}, {"own": ["inner"]}, {"save": [{"save": ["deep"]}]}]}] == telemetry.tree()
    assert [0, 1, 2] == [s.attributes["step.index"] for s in telemetry.spans if "step.index" in s.attributes]
    assert {("pipeline", "load", "nested"), ("load", "inner", "sequential"), ("inner", "save", "sequential")} <= set(
        telemetry.connections()
    )


def test_a_failing_automatic_step_is_marked(telemetry):
    """
    The step shows red together with what failed in it.
    """
    with pytest.raises(ValueError, match="no such"), primitive("pipeline", type="sequential"):
        fail()

    assert ["ERROR"] * 3 == [span.span.status.status_code.name for span in telemetry.spans]


def test_set_attributes_on_the_current_span(telemetry):
    """
    What is known only inside still gets onto the span, whatever its type.
    """
    with primitive("p"):
        set_attributes({"rows": 3, "who": None, "odd": object()})

    assert (3, "<object>") == tuple(telemetry.span("p").attributes[name] for name in ("rows", "odd"))
    assert "who" not in telemetry.span("p").attributes


def test_set_attributes_without_a_span_is_harmless(telemetry):
    """
    Library code may be called from anywhere.
    """
    set_attributes({"a": 1})

    assert () == telemetry.spans


@pytest.mark.swallowed
def test_a_sampler_that_raises_leaves_the_call_alone():
    """
    The application's own OpenTelemetry set-up may be broken; its function is not.
    """
    from opentelemetry.sdk.trace import TracerProvider

    from tta_observe import _telemetry
    from tta_observe.context import FRAME

    class Broken:
        def should_sample(self, *_, **__):
            raise RuntimeError("sampler")

        def get_description(self):
            return "broken"

    provider = TracerProvider(sampler=Broken(), shutdown_on_exit=False)
    _telemetry.install(_telemetry.make_slot(provider.get_tracer("t"), ()))
    try:
        with pytest.raises(ValueError, match="no such file"):
            fail()
        with primitive("pipeline", type="sequential") as span:
            span.set_attribute("a", 1)
    finally:
        _telemetry.install(None)

    assert FRAME.get() is None
