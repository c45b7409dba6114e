"""``inject_context`` and ``remote_context``: one trace and one map across services, whoever calls."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from programs import clean
from test_headers import ANYTHING, OUR_NAMES, OUR_VALUES

from tta_observe import (
    _remote,
    _telemetry,
    agent,
    configure,
    context,
    current_workflow,
    inject_context,
    primitive,
    remote_context,
    semconv,
    shutdown,
    traced_primitive,
    workflow,
)
from tta_observe._headers import is_name
from tta_observe._secrets import masked
from tta_observe.instruments import EXECUTIONS
from tta_observe.semconv import NESTED, PARALLEL, REMOTE, SEQUENTIAL

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NAMES = st.text(min_size=1, max_size=60).filter(lambda name: is_name(name) and masked(name) == name)


@pytest.fixture(autouse=True)
def _nobody_has_called_yet(monkeypatch):
    monkeypatch.setattr(_remote, "_NAMES", _remote._Names())


def told(primitive_name="ask", **names):
    """Headers of a caller that is nobody we know."""
    members = {"tta.primitive": primitive_name, **{f"tta.{kind}": name for kind, name in names.items()}}
    return {"traceparent": PARENT, "baggage": ",".join(f"{key}={name}" for key, name in members.items())}


def leaf(name):
    with primitive(name):
        pass


@contextlib.contextmanager
def service(name, telemetry):
    """Another service with the same telemetry: its spans are not seen, but its name is."""
    provider = TracerProvider(resource=Resource({semconv.SERVICE_NAME: name}), shutdown_on_exit=False)
    slot = _telemetry.current()
    before = _telemetry.capture(_telemetry.make_slot(provider.get_tracer("x"), ()))
    yield
    _telemetry.capture(before)
    assert before is slot


def called(function):
    """Runs it where nothing is known but what it is given, as in another service."""
    return contextvars.Context().run(function)


def test_the_span_of_the_caller_is_the_parent(telemetry):
    """
    One trace, from the question to the last primitive of the last service.
    """
    with workflow("chat"), primitive("ask"):
        headers = inject_context({"Content-Type": "application/json"})

    def serve():
        with remote_context(headers):
            leaf("answer")

    called(serve)

    assert [{"chat": [{"ask": ["answer"]}]}] == telemetry.tree()
    assert telemetry.span("answer").span.parent.is_remote
    assert {"Content-Type", "traceparent", "baggage"} == set(headers)


def test_a_remote_connection_leads_from_the_callers_primitive(telemetry):
    """
    The map shows which primitive of which service was called from where.
    """

    def serve():
        with remote_context(told(service="engine")), workflow("answer"):
            leaf("first")
            leaf("second")

    with service("engine", telemetry):
        own = _telemetry.service_name()
    called(serve)

    assert "engine" == own
    assert {
        ("engine/ask", "answer", REMOTE): 1,
        ("answer", "first", NESTED): 1,
        ("first", "second", SEQUENTIAL): 1,
    } == telemetry.connections()


def test_the_names_of_the_services_are_compared(telemetry, monkeypatch):
    """
    Between two processes of one service the primitive's own name is what it is known by.
    """
    with service("engine", telemetry), workflow("chat"), primitive("ask"):
        headers = inject_context({})
    monkeypatch.setenv("OTEL_SERVICE_NAME", "engine")
    with remote_context(headers):
        leaf("same")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gateway")
    with remote_context(headers):
        leaf("other")

    assert {("ask", "same", REMOTE): 1, ("engine/ask", "other", REMOTE): 1} == telemetry.connections()


@pytest.mark.parametrize("exporter", ["local", "none"])
def test_the_service_is_called_what_was_configured(tmp_path, monkeypatch, exporter):
    """
    The name that its spans carry, wherever they go.
    """
    clean(monkeypatch, tmp_path)
    configure(service_name="engine", exporter=exporter)
    try:
        with primitive("ask"):
            headers = inject_context({})
    finally:
        shutdown()

    assert "tta.service=engine,tta.primitive=ask" == headers["baggage"]


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", ""])
def test_a_service_without_a_name_tells_none(telemetry, monkeypatch, name):
    """
    ``unknown_service:python/ask`` would be no help to anybody.
    """
    monkeypatch.setenv("OTEL_SERVICE_NAME", name)
    with primitive("ask"):
        headers = inject_context({})

    assert "tta.service" not in headers["baggage"]


def test_only_the_first_call_is_remote(telemetry):
    """
    What follows in the called service follows what ran there.
    """

    def serve():
        with remote_context(told()):
            leaf("first")
            leaf("second")

    called(serve)

    assert {("ask", "first", REMOTE): 1, ("first", "second", SEQUENTIAL): 1} == telemetry.connections()


def test_branches_of_the_called_service_are_called_each(telemetry):
    """
    A request that fans out at once has several first ones; what follows joins them.
    """

    async def branch(name):
        leaf(name)

    async def serve():
        with remote_context(told()):
            await asyncio.gather(branch("a"), branch("b"))
            leaf("after")

    asyncio.run(serve())

    assert {
        ("ask", "a", REMOTE): 1,
        ("ask", "b", REMOTE): 1,
        ("a", "after", PARALLEL): 1,
        ("b", "after", PARALLEL): 1,
    } == telemetry.connections()


def test_requests_are_not_joined(telemetry):
    """
    One accept loop serves them all.
    """
    leaf("before")
    for _ in range(2):
        with remote_context(told()):
            leaf("serve")
    leaf("between")

    assert {("ask", "serve", REMOTE): 2, ("before", "between", SEQUENTIAL): 1} == telemetry.connections()


def test_a_workflow_inside_is_a_server(telemetry):
    """
    Backends draw service graphs from the kinds of spans: this one serves, those inside it do not.
    """
    with remote_context(told()):
        leaf("first")
        with workflow("outer"), workflow("inner"):
            leaf("leaf")
    with workflow("local"):
        pass

    assert ["outer"] == [span.shown for span in telemetry.spans if span.span.kind is trace.SpanKind.SERVER]


def test_what_runs_inside_counts_for_the_callers_workflow_and_agent(telemetry):
    """
    Until the called service opens a workflow of its own.
    """
    with remote_context(told(workflow="chat", agent="reviewer")) as caller:
        leaf("early")
        with workflow("own") as own:
            leaf("late")

    assert ("chat", "reviewer") == (caller.workflow_name, caller.agent_type)
    assert ("own", "reviewer") == (own.workflow_name, own.agent_type)
    assert 1 == telemetry.total(EXECUTIONS, {"primitive.name": "early", "workflow.name": "chat"})
    assert 1 == telemetry.total(EXECUTIONS, {"primitive.name": "late", "workflow.name": "own"})


def test_inside_a_workflow_of_the_same_process_the_caller_wins(telemetry):
    """
    In tests client and server are one process, and one task.
    """
    with workflow("client"), primitive("ask"):
        headers = inject_context({})
        with workflow("unrelated"), remote_context(headers):
            leaf("served")
            seen = current_workflow().workflow_name
        outside = current_workflow().workflow_name

    assert ("client", "client") == (seen, outside)
    assert [{"client": [{"ask": ["unrelated", "served"]}]}] == telemetry.tree()
    assert {
        ("client", "ask", NESTED): 1,
        ("ask", "unrelated", NESTED): 1,
        ("ask", "served", REMOTE): 1,
    } == telemetry.connections()


def test_the_context_is_as_before(telemetry):
    """
    Requests that share a thread share nothing else.
    """
    with workflow("outer"):
        before = context.capture(), otel_context.get_current()
        with contextlib.suppress(ValueError), remote_context(told(workflow="chat")):
            leaf("inside")
            raise ValueError("wrong")
        after = context.capture(), otel_context.get_current()

    assert before == after


def test_left_in_another_context_it_is_put_back_there(telemetry, caplog):
    """
    Frameworks enter and leave blocks in different tasks.
    """

    async def main():
        block = remote_context(told(workflow="chat"))

        async def enter():
            block.__enter__()
            return await asyncio.create_task(leave())

        async def leave():
            block.__exit__(None, None, None)
            return context.capture()[1:], otel_context.get_current()

        leaf("before")
        before = context.capture()[1:], otel_context.get_current()
        return before, await asyncio.create_task(enter())

    before, after = asyncio.run(main())

    assert before == after
    assert [] == caplog.records


def test_as_a_decorator(telemetry):
    """
    A consumer of a queue is a function of a message.
    """

    @remote_context(told(workflow="chat"))
    @traced_primitive(name="consume")
    def consume():
        return current_workflow().workflow_name

    assert ["chat", "chat"] == [consume(), consume()]
    assert {("ask", "consume", REMOTE): 2} == telemetry.connections()


@pytest.fixture(name="threading_is_instrumented")
def _threading_is_instrumented():
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()


@pytest.mark.usefixtures("threading_is_instrumented")
def test_threads_of_the_called_service_know_the_caller(telemetry):
    """
    What OpenTelemetry's instrumentation takes along is all of it.
    """
    with remote_context(told(workflow="chat")):
        thread = threading.Thread(target=leaf, args=["in thread"])
        thread.start()
        thread.join()

    assert {("ask", "in thread", REMOTE): 1} == telemetry.connections()
    assert "chat" == telemetry.span("in thread").attributes["workflow.name"]


def test_a_span_that_continues_the_caller_already_stays_the_parent(telemetry):
    """
    OpenTelemetry's instrumentation of the web framework has read the same headers first.
    """
    tracer = _telemetry.current().tracer
    parent = trace.set_span_in_context(
        trace.NonRecordingSpan(
            trace.SpanContext(
                int(PARENT[3:35], 16), int(PARENT[36:52], 16), is_remote=True, trace_flags=trace.TraceFlags(1)
            )
        )
    )
    server = tracer.start_as_current_span("GET /answer", context=parent, kind=trace.SpanKind.SERVER)
    with server, remote_context(told()), workflow("answer"):
        pass

    assert [{"GET /answer": ["answer"]}] == telemetry.tree()
    assert "INTERNAL" == telemetry.span("answer").span.kind.name
    assert {("ask", "answer", REMOTE): 1} == telemetry.connections()


@pytest.mark.parametrize(
    "headers", [None, {}, {"baggage": "tta.primitive=ask"}, {"traceparent": "00-0-0-0"}, object(), "text", 7]
)
def test_without_a_caller_everything_stays_as_it_is(telemetry, headers):
    """
    Most requests come from somewhere that knows nothing of this.
    """
    with workflow("outer"):
        before = context.capture(), otel_context.get_current()
        with remote_context(headers) as found:
            assert before == (context.capture(), otel_context.get_current())
            leaf("inside")

    assert "outer" == found.workflow_name
    assert {("outer", "inside", NESTED): 1} == telemetry.connections()


def test_strangers_cannot_make_labels_without_end(telemetry, caplog):
    """
    Baggage is text from the internet; a metrics backend would store each of its names for weeks.
    """
    for number in range(500):
        headers = told(f"p{number}", service=f"s{number}", workflow=f"w{number}", agent=f"a{number}")
        with remote_context(headers):
            leaf("served")

    labels = {
        label: {
            point.attributes.get(label)
            for spec in ("primitive.execution.count", "primitive.connection.count")
            for point in telemetry.points(spec)
        }
        - {None}
        for label in ("workflow.name", "agent.type", "source.primitive", "target.primitive", "primitive.name")
    }

    assert {
        "workflow.name": 51,
        "agent.type": 51,
        "source.primitive": 51,
        "target.primitive": 1,
        "primitive.name": 1,
    } == {label: len(values) for label, values in labels.items()}
    assert 3 == len([record for record in caplog.records if "callers have told more than 50" in record.getMessage()])


@given(headers=st.lists(st.tuples(OUR_NAMES | ANYTHING, OUR_VALUES | ANYTHING)))
def test_no_header_whatsoever_changes_what_the_program_does(headers):
    """
    Not its result, not its context, and it never fails.
    """
    before = context.capture(), otel_context.get_current()
    with remote_context([("traceparent", PARENT), *headers]):
        found = inject_context(headers)

    assert found is headers
    assert before == (context.capture(), otel_context.get_current())


@given(names=st.tuples(NAMES, NAMES, NAMES))
def test_names_and_identifiers_are_the_same_on_both_sides(names):
    """
    In any script, with spaces, commas and percent signs in them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_remote, "_NAMES", _remote._Names())
        from tta_observe.testing import captured_telemetry

        with captured_telemetry() as telemetry:
            with workflow(names[0], agent_type=names[1]), primitive(names[2]):
                headers = inject_context({})
                sent = trace.get_current_span().get_span_context()
            with remote_context(headers) as caller:
                found = trace.get_current_span().get_span_context()
                with primitive("served"):
                    pass
            edges = telemetry.connections()

    assert (sent.trace_id, sent.span_id, sent.trace_flags) == (found.trace_id, found.span_id, found.trace_flags)
    assert names[:2] == (caller.workflow_name, caller.agent_type)
    assert (names[2], "served", REMOTE) in edges


def test_the_nearest_primitive_is_what_calls(telemetry):
    """
    An agent is one; where there is none, the workflow.
    """
    with workflow("chat"):
        from_workflow = inject_context({})
        with agent("writer"):
            from_agent = inject_context({})

    assert "tta.primitive=chat,tta.workflow=chat" == from_workflow["baggage"]
    assert "tta.primitive=writer,tta.workflow=chat,tta.agent=writer" == from_agent["baggage"]


def test_outside_any_span_nothing_is_told(telemetry):
    """
    A call that belongs to nothing continues nothing.
    """
    headers = {"Accept": "*/*"}

    assert headers is inject_context(headers)
    assert {"Accept": "*/*"} == headers


def test_baggage_is_not_made_current(telemetry):
    """
    From there it would leave with every call to a third party.
    """
    from opentelemetry import baggage

    with workflow("chat"), primitive("ask"):
        headers = inject_context({})
        outside = dict(baggage.get_all())
        with remote_context(headers):
            inside = dict(baggage.get_all())

    assert ({}, {}) == (outside, inside)


def test_malformed_headers_are_told_at_debug_level_alone(telemetry, caplog):
    """
    A log that strangers can fill is one more thing to attack.
    """
    caplog.set_level(logging.DEBUG)
    with remote_context({"traceparent": "secret-text", "baggage": "x"}):
        pass

    assert ["traceparent ignored: malformed, too long, or there are several"] == [
        record.getMessage() for record in caplog.records
    ]


def test_without_telemetry_the_names_and_the_span_are_still_passed_on():
    """
    A service that records nothing does not break the trace of those around it.
    """
    before = _telemetry.install(_telemetry.DISABLED)
    with remote_context(told()):
        headers = inject_context({})
    _telemetry.install(before)

    assert PARENT == headers["traceparent"]
