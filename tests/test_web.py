"""The helpers for HTTP: requests continue their callers, streams and background tasks included, and leave nothing."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import httpx
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from tta_observe import (
    ConfigurationError,
    _remote,
    _telemetry,
    context,
    current_workflow,
    inject_context,
    primitive,
    traced_primitive,
    workflow,
)
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTIONS
from tta_observe.semconv import NESTED, PARALLEL, REMOTE
from tta_observe.web import TTAMiddleware, httpx_hooks

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = {"traceparent": PARENT, "baggage": "tta.service=engine,tta.primitive=ask,tta.workflow=chat"}


@pytest.fixture(autouse=True)
def _nobody_has_called_yet(monkeypatch):
    monkeypatch.setattr(_remote, "_NAMES", _remote._Names())


def leaf(name):
    with primitive(name):
        pass


@traced_primitive(name="words", type="llm")
async def words():
    for word in ("one ", "two"):
        await asyncio.sleep(0)
        yield word


@traced_primitive(name="sync words")
def sync_words():
    yield from ("one ", "two")


async def plain(request):
    leaf("handle")
    return PlainTextResponse("done", background=BackgroundTask(leaf, "background"))


def in_worker(request):
    leaf("handle")
    return PlainTextResponse("done")


async def stream(request):
    return StreamingResponse(words(), background=BackgroundTask(leaf, "background"))


async def sync_stream(request):
    return StreamingResponse(sync_words())


async def fail(request):
    raise ValueError("wrong")


async def endless(request):
    async def body():
        with primitive("talk"):
            while True:
                yield "word "
                await asyncio.sleep(0.001)

    return StreamingResponse(body())


async def talk(socket):
    await socket.accept()
    async for text in socket.iter_text():
        leaf("answer")
        await socket.send_text(text.upper())


ROUTES = [
    Route("/plain", plain),
    Route("/worker", in_worker),
    Route("/stream", stream),
    Route("/sync-stream", sync_stream),
    Route("/fail", fail),
    Route("/endless", endless),
    WebSocketRoute("/talk", talk),
]


def application(**options):
    return Starlette(routes=ROUTES, middleware=[Middleware(TTAMiddleware, **options)])


def get(path, headers=HEADERS, app=None, **options):
    """One request, in a process that does nothing else."""

    async def main():
        transport = httpx.ASGITransport(app or application(**options), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(main())


def test_a_request_continues_its_caller(telemetry):
    """
    One line in the application, and the trace goes on; what runs after the response is part of it.
    """
    response = get("/plain")

    assert "done" == response.text
    assert {int(PARENT[3:35], 16)} == {span.span.context.trace_id for span in telemetry.spans}
    assert {int(PARENT[36:52], 16)} == {span.span.parent.span_id for span in telemetry.spans}
    assert {("engine/ask", "handle", REMOTE): 1, ("handle", "background", PARALLEL): 1} == telemetry.connections()
    assert 2 == telemetry.total(EXECUTIONS, {"workflow.name": "chat"})


def test_no_workflow_is_opened_unasked(telemetry):
    """
    The application knows better what a run of it is.
    """
    get("/plain")

    assert {"handle", "background"} == {span.shown for span in telemetry.spans}


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/plain", ["handle", "background"]),
        ("/worker", ["handle"]),
        ("/stream", ["words", "background"]),
        ("/sync-stream", ["sync words"]),
    ],
)
def test_a_workflow_lasts_as_long_as_the_response(telemetry, path, inside):
    """
    Streamed bodies are most of what an LLM service says, and run when the handler has returned.
    """
    get(path, workflow="answer")

    assert [{"answer": inside}] == telemetry.tree()
    assert "SERVER" == telemetry.span("answer").span.kind.name
    assert 1 == telemetry.total(EXECUTIONS, {"primitive.name": "answer"})
    assert 1 == telemetry.connections()["engine/ask", "answer", REMOTE]
    assert 1 == telemetry.connections()["answer", inside[0], NESTED]


def test_workflows_may_be_named_by_request(telemetry):
    """
    Or not at all, e.g. for health checks.
    """

    def name(scope):
        return {"/plain": "answer", "/worker": None}[scope["path"]]

    for path in ("/plain", "/worker", "/unknown"):
        get(path, workflow=name)

    assert {"answer": 0} == telemetry.counts(ACTIVE_WORKFLOWS, by="workflow.name")
    assert 1 == telemetry.total(EXECUTIONS, {"primitive.type": "workflow"})


def test_a_failing_request_is_an_error_of_the_programs_own(telemetry):
    """
    The server gets the exception that the application raised.
    """
    client = TestClient(application(workflow="answer"))
    with pytest.raises(ValueError, match="wrong"):
        client.get("/fail", headers=HEADERS)

    assert "ValueError" == telemetry.span("answer").attributes["error.type"]


def scope(path, spec="2.3"):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
    }


async def served(app, path, spec, gone_after):
    """Serve one client that goes away after so many messages, as servers of that version of ASGI say it."""
    sent, gone, asked = [], asyncio.Event(), [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if asked:
            return asked.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if len(sent) >= gone_after:
            gone.set()
            if spec >= "2.4":
                raise OSError("gone")
        sent.append(message)

    before = context.capture(), otel_context.get_current()
    try:
        async with asyncio.timeout(10):  # in this very task, other than wait_for() before Python 3.12
            await app(scope(path, spec), receive, send)
    finally:
        assert before == (context.capture(), otel_context.get_current())
    return sent


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_client_that_goes_away_cancels(telemetry, spec):
    """
    Readers who lose patience are no errors, and no successes either.
    """
    app = application(workflow="answer")
    run = served(app, "/endless", spec, gone_after=3)
    if spec == "2.4":
        with pytest.raises(ClientDisconnect):
            asyncio.run(run)
    else:
        asyncio.run(run)

    assert "cancelled" == telemetry.span("answer").attributes["execution.status"]
    assert 0 == telemetry.total(ACTIVE_WORKFLOWS)


def test_a_client_that_hangs_up_at_the_end_was_served(telemetry):
    """
    That is how every response over HTTP/1.0 ends.
    """
    asyncio.run(served(application(workflow="answer"), "/plain", "2.3", gone_after=2))

    assert "success" == telemetry.span("answer").attributes["execution.status"]


def test_an_application_that_waits_for_the_client_to_hang_up_has_served_it(telemetry):
    """
    Some do so after the response, to know when to tidy up.
    """

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
        await receive()

    async def main():
        messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

        async def receive():
            return messages.pop()

        async def send(message):
            pass

        await TTAMiddleware(app, workflow="answer")(scope("/"), receive, send)

    asyncio.run(main())

    assert "success" == telemetry.span("answer").attributes["execution.status"]


def test_a_cancelled_request_is_cancelled(telemetry):
    """
    Some servers cancel the task instead.
    """

    async def main():
        task = asyncio.create_task(served(application(workflow="answer"), "/endless", "2.3", gone_after=10**9))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    assert "cancelled" == telemetry.span("answer").attributes["execution.status"]


def test_websockets_are_continued_too(telemetry):
    """
    For as long as they are open; that the client closes them is how they end.
    """
    client = TestClient(application(workflow="chat"))
    with client.websocket_connect("/talk", headers=HEADERS) as socket:
        socket.send_text("hello")
        answer = socket.receive_text()

    assert "HELLO" == answer
    assert [{"chat": ["answer"]}] == telemetry.tree()
    assert "success" == telemetry.span("chat").attributes["execution.status"]


def test_lifespan_is_none_of_our_business(telemetry):
    """
    It is no request; a model that is loaded there belongs to nobody's workflow.
    """
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send, current_workflow()))

    given = {"type": "lifespan"}, object(), object()
    asyncio.run(TTAMiddleware(app, workflow="answer")(*given))

    assert [(*given, None)] == seen


def test_without_a_workflow_the_application_gets_what_the_server_gave(telemetry):
    """
    Not a wrapper around it that might behave differently.
    """
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    given = {"type": "http", "headers": []}, object(), object()
    asyncio.run(TTAMiddleware(app)(*given))

    assert [given] == seen


def test_a_caller_that_is_not_trusted_is_not_asked(telemetry):
    """
    A public service starts traces of its own, with names of its own.
    """
    get("/plain", trusted=False, workflow="answer")
    found = telemetry.span("answer").span

    assert found.parent is None
    assert "INTERNAL" == found.kind.name
    assert "chat" not in telemetry.counts(EXECUTIONS, by="workflow.name")


def test_another_instrumentation_outside_keeps_its_span(telemetry):
    """
    OpenTelemetry's middleware has read the headers before; one trace, and its span stays the server's.
    """
    tracer = _telemetry.current().tracer
    app = application(workflow="answer")

    async def theirs(scope, receive, send):
        parent = trace.SpanContext(
            int(PARENT[3:35], 16), int(PARENT[36:52], 16), is_remote=True, trace_flags=trace.TraceFlags(1)
        )
        given = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        with tracer.start_as_current_span("GET", context=given, kind=trace.SpanKind.SERVER):
            await app(scope, receive, send)

    get("/plain", app=theirs)

    assert [{"GET": [{"answer": ["handle", "background"]}]}] == telemetry.tree()


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense", "baggage": "x" * 9000}])
def test_requests_of_strangers_are_served(telemetry, headers, caplog):
    """
    With a trace of their own, and without a word in the log.
    """
    caplog.set_level(logging.INFO, logger="tta_observe")
    response = get("/plain", headers=headers, workflow="answer")

    assert 200 == response.status_code
    assert [{"answer": ["handle", "background"]}] == telemetry.tree()
    assert [] == [record for record in caplog.records if record.name == "tta_observe"]


def test_a_server_between_two_others_is_in_the_middle(telemetry):
    """
    Client hooks, middleware, client hooks, middleware: one trace, and each edge of the map once.
    """

    async def last(request):
        leaf("last")
        return PlainTextResponse("done")

    far = Starlette(routes=[Route("/", last)], middleware=[Middleware(TTAMiddleware)])

    async def middle(request):
        with primitive("middle"):
            async with client_of(far) as client:
                return PlainTextResponse((await client.get("/")).text)

    near = Starlette(routes=[Route("/", middle)], middleware=[Middleware(TTAMiddleware)])

    async def main():
        with workflow("chat"), primitive("first"):
            async with client_of(near) as client:
                return (await client.get("/")).text

    assert "done" == asyncio.run(main())
    assert [{"chat": [{"first": [{"middle": ["last"]}]}]}] == telemetry.tree()
    assert {("chat", "first", NESTED): 1, ("first", "middle", REMOTE): 1, ("middle", "last", REMOTE): 1} == (
        telemetry.connections()
    )


def client_of(app):
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test", event_hooks=httpx_hooks())


def test_both_clients_of_httpx_tell_what_they_continue(telemetry):
    """
    One list of hooks for both, because that is what people have one of.
    """
    asked = []

    def answer(request):
        asked.append(dict(request.headers))
        return httpx.Response(200)

    async def main():
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), event_hooks=httpx_hooks()) as client:
            await client.get("http://test/", headers={"baggage": "a=1"})

    with workflow("chat"), primitive("ask"):
        with httpx.Client(transport=httpx.MockTransport(answer), event_hooks=httpx_hooks()) as client:
            client.get("http://test/")
        asyncio.run(main())
        expected = inject_context({})

    assert [expected["traceparent"]] * 2 == [headers["traceparent"] for headers in asked]
    assert [expected["baggage"], f"a=1,{expected['baggage']}"] == [headers["baggage"] for headers in asked]


def test_hooks_never_fail():
    """
    Whatever a later httpx passes them.
    """
    (hook,) = httpx_hooks()["request"]
    hook(None)
    hook(object())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"app": None}, "takes an ASGI application, not NoneType"),
        ({"workflow": ""}, "workflow must be a string"),
        ({"workflow": 7}, "workflow must be a string"),
        ({"trusted": "no"}, "trusted='no' is neither on nor off"),
    ],
)
def test_what_is_wrong_fails_where_it_is_written(arguments, message):
    """
    Not at the first request.
    """
    with pytest.raises(ConfigurationError, match=message):
        TTAMiddleware(**{"app": application(), **arguments})


def test_it_imports_no_web_library():
    """
    The package has none among its dependencies.
    """
    program = (
        "import sys, tta_observe.web\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('starlette', 'httpx', 'requests', 'anyio')])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "[]" == run.stdout.strip()
