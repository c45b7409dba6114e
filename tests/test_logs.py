"""Log records that say to which span, workflow and agent they belong."""

from __future__ import annotations

import io
import logging
import logging.handlers
import queue
import threading

import pytest
import structlog

from tta_observe import agent, bound_context, primitive, workflow
from tta_observe.logs import DEFAULTS, ContextFilter, add_context

FORMAT = "%(trace_id)s %(span_id)s %(workflow.name)s %(agent.id)s %(message)s"


@pytest.fixture
def logger():
    made = logging.Logger("app", logging.INFO)  # noqa: LOG001 - not in the tree that other tests look at
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter(FORMAT, defaults=DEFAULTS))
    handler.addFilter(ContextFilter())
    made.addHandler(handler)
    return made


def lines(logger):
    return logger.handlers[0].stream.getvalue().splitlines()


def test_a_record_inside_a_span_names_it(telemetry, logger):
    """
    From a log line to its trace is one copy and paste.
    """
    with workflow("chat", agent_id="a-1"), primitive("ask"):
        logger.info("hello")

    ids = telemetry.spans[-1].span.get_span_context()

    assert [f"{ids.trace_id:032x} {ids.span_id:016x} chat a-1 hello"] == lines(logger)


def test_outside_any_span_nothing_is_added(telemetry, logger):
    """
    Most lines of a program belong to no workflow: they look as before.
    """
    record = logging.makeLogRecord({"msg": "hello"})
    before = dict(record.__dict__)

    with bound_context(agent_id="a-1"):
        assert ContextFilter().filter(record) is True

    logger.info("plain")

    assert before == record.__dict__
    assert ["- - - - plain"] == lines(logger)


def test_what_a_record_has_already_stays(telemetry):
    """
    Another library may have set the same names: two truths in one line help nobody, and the first is its owner's.
    """
    record = logging.makeLogRecord({"msg": "hello", "trace_id": "theirs"})

    with workflow("chat"):
        ContextFilter().filter(record)

    assert "theirs" == record.trace_id
    assert "chat" == record.__dict__["workflow.name"]


def test_the_message_and_its_arguments_stay(telemetry, logger):
    """
    A filter that formats too early would cost, and break tools that group by the template.
    """
    record = logging.makeLogRecord({"msg": "%s left", "args": (3,)})

    with workflow("chat"):
        ContextFilter().filter(record)

    assert ("%s left", (3,)) == (record.msg, record.args)


def test_a_queue_in_between_keeps_the_context(telemetry):
    """
    With a QueueHandler records are written by a thread that knows nothing of the workflow.
    """
    waiting = queue.Queue()
    source = logging.Logger("app")  # noqa: LOG001 - see above
    handler = logging.handlers.QueueHandler(waiting)
    handler.addFilter(ContextFilter())
    source.addHandler(handler)

    with workflow("chat"):
        source.warning("hello")
    found = []
    thread = threading.Thread(target=lambda: found.append(waiting.get()))
    thread.start()
    thread.join()

    assert "chat" == found[0].__dict__["workflow.name"]


def test_a_step_without_a_workflow_has_ids_alone(telemetry, logger):
    """
    Scripts without a workflow have traces as well.
    """
    with primitive("ask"):
        logger.info("hello")

    ids = telemetry.spans[0].span.get_span_context()

    assert [f"{ids.trace_id:032x} {ids.span_id:016x} - - hello"] == lines(logger)


def test_structlog_events_get_the_same(telemetry):
    """
    One processor, and every event of structlog can be followed.
    """
    with workflow("chat"), agent("critic", agent_id="c-1"):
        inside = add_context(None, "info", {"event": "hello"})
    outside = add_context(None, "info", {"event": "hello"})

    ids = telemetry.spans[-1].span.get_span_context()

    assert {
        "event": "hello",
        "trace_id": f"{ids.trace_id:032x}",
        "span_id": f"{ids.span_id:016x}",
        "workflow.name": "chat",
        "agent.id": "c-1",
    } == inside
    assert {"event": "hello"} == outside


def test_structlog_itself_writes_them(telemetry):
    """
    The processor has the signature that structlog calls.
    """
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out), processors=[add_context, structlog.processors.KeyValueRenderer()]
    )

    with workflow("chat"):
        logger.info("hello")

    assert "workflow.name='chat'" in out.getvalue()
