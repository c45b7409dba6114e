"""How a call ended, and what may be told."""

import asyncio
import concurrent.futures
import json
import time

import pytest
from hostile import KINDS, RAN

from tta_observe._outcome import classify, exception_event, message_of


class BadError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class ExitsError(Exception):
    def __str__(self):
        raise SystemExit(1)


class Cancelled(BaseException):
    """As trio has it."""


CASES = [
    (None, ("success", None, False)),
    (ValueError("x"), ("error", "ValueError", False)),
    (json.JSONDecodeError("x", "y", 0), ("error", "json.decoder.JSONDecodeError", False)),
    (asyncio.CancelledError(), ("cancelled", None, False)),
    (concurrent.futures.CancelledError(), ("error", "concurrent.futures._base.CancelledError", False)),
    (KeyboardInterrupt(), ("cancelled", None, False)),
    (Cancelled(), ("cancelled", None, False)),
    (SystemExit(), ("success", None, False)),
    (SystemExit(0), ("success", None, False)),
    (SystemExit(3), ("error", "SystemExit", False)),
    (SystemExit("no"), ("error", "SystemExit", False)),
    (GeneratorExit(), ("success", None, True)),
    (ExceptionGroup("g", [ValueError()]), ("error", "ExceptionGroup", False)),
    (StopIteration(), ("error", "StopIteration", False)),
]


@pytest.mark.parametrize(("error", "expected"), CASES, ids=lambda v: type(v).__name__)
def test_classify(error, expected):
    """
    A storm of cancellations is no storm of errors, and a generator closed early did its work.
    """
    assert expected == tuple(classify(error))


@pytest.mark.parametrize(("detail", "size"), [("type", None), ("message", 1024), ("full", 8192)])
def test_detail_limits_the_message(detail, size):
    """
    A 10 MB exception text must not be stored three times.
    """
    message = message_of(ValueError("x" * 10_000_000), detail)

    assert size == (message and len(message.encode()))


@pytest.mark.parametrize("error", [BadError(), ExitsError(), ValueError("")], ids=lambda e: type(e).__name__)
def test_an_error_without_text_has_no_message(error):
    """
    Neither a failing ``__str__`` nor an empty one becomes a text of ours.
    """
    assert message_of(error, "message") is None


def test_stack_trace_is_the_last_eight_kilobytes():
    """
    The end says where it broke.
    """

    def deep(n):
        return deep(n - 1) if n else 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        deep(300)
    event = exception_event(caught.value, "ZeroDivisionError", "division by zero", "message")

    assert ["exception.type", "exception.message", "exception.stacktrace"] == list(event)
    assert event["exception.stacktrace"].endswith("ZeroDivisionError: division by zero\n")
    assert len(event["exception.stacktrace"].encode()) <= 8192


def test_type_alone_tells_no_text():
    """
    ``error_detail="type"`` is for those whose messages hold customer data.
    """
    assert {"exception.type": "ValueError"} == exception_event(ValueError("secret"), "ValueError", None, "type")


def test_a_failing_str_still_leaves_a_stack_trace():
    """
    The trace is what helps, the text is a bonus.
    """
    event = exception_event(BadError(), "BadError", None, "message")

    assert "BadError" in event["exception.stacktrace"]


def test_an_exception_group_that_branches_for_ever_takes_no_time():
    """
    A retry of retries of gathers is a tree; writing all of it out would take longer than the program ran.
    """
    error = ValueError("leaf")
    for _ in range(12):
        error = ExceptionGroup("branch", [error] * 10)
    began = time.thread_time()
    event = exception_event(error, "ExceptionGroup", "branch", "message")

    assert time.thread_time() - began < 0.05
    assert event["exception.stacktrace"].endswith("  | ExceptionGroup: branch (10 sub-exceptions)\n")


def test_what_a_group_holds_is_written_out():
    """
    The group says that tasks failed; its members say why.
    """
    error = ExceptionGroup("two tasks failed", [ValueError("first"), KeyError("second")])
    error.add_note("while fetching")
    trace = exception_event(error, "ExceptionGroup", "two tasks failed", "message")["exception.stacktrace"]

    assert [
        "ExceptionGroup: two tasks failed (2 sub-exceptions)",
        "while fetching",
        "  | ValueError: first",
        "  | KeyError: 'second'",
    ] == trace.splitlines()


def test_the_cause_stands_before_its_effect():
    """
    As Python prints it.
    """
    with pytest.raises(RuntimeError) as caught:
        _effect()
    lines = exception_event(caught.value, "RuntimeError", "effect", "message")["exception.stacktrace"].splitlines()

    assert "RuntimeError: effect" == lines[-1]
    assert lines.index("KeyError: 'cause'") < lines.index(
        "The above exception was the direct cause of the following exception:"
    )
    assert 2 == lines.count("Traceback (most recent call last):")


def _effect():
    try:
        raise KeyError("cause")
    except KeyError as error:
        raise RuntimeError("effect") from error


def test_a_chain_of_ten_thousand_causes_is_cut():
    """
    A loop that re-raises builds one.
    """
    error = None
    for n in range(10_000):
        made = ValueError(n)
        made.__context__ = error
        error = made
    began = time.thread_time()
    trace = exception_event(error, "ValueError", "9999", "message")["exception.stacktrace"]

    assert time.thread_time() - began < 0.05
    assert 4 == trace.count("ValueError: ")


def test_half_a_line_is_left_out():
    """
    Of a secret that was cut in two, the second half looks like nothing.
    """
    trace = exception_event(ValueError("secret=" + "x" * 8000 + "\nlast"), "ValueError", "", "full")

    assert "x" not in trace["exception.stacktrace"] or "secret=" in trace["exception.stacktrace"]


class LyingError(BaseException):
    """Says that it is another."""

    @property
    def __class__(self):
        raise RuntimeError("class")

    @property
    def __cause__(self):
        raise RuntimeError("cause")


class Code:
    def __eq__(self, other):
        raise RuntimeError("eq")

    __hash__ = object.__hash__


def test_no_code_of_an_exception_runs_but_its_text():
    """
    How it ended is read off the object as Python itself keeps it.
    """
    assert ("error", "SystemExit", False) == tuple(classify(SystemExit(Code())))
    assert "error" == classify(LyingError()).status
    assert "LyingError" in exception_event(LyingError(), "LyingError", None, "message")["exception.stacktrace"]


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_of_an_error_are_written_out_without_their_code(kind):
    """
    ``raise ValueError(thing)`` hands us the thing; its ``__str__`` may take a second.
    """
    RAN.clear()
    for error in (
        ValueError(KINDS[kind]),
        KeyError(KINDS[kind]),
        OSError(2, "no", KINDS[kind]),
        Exception(KINDS[kind], 1),
    ):
        began = time.thread_time()
        message = message_of(error, "message")
        exception_event(error, "E", message, "message")

        assert time.thread_time() - began < 0.02
    assert [] == RAN


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("text"), KeyError("k"), OSError(2, "No such file", "a.txt"), ValueError(1, "b")),
        *(json.JSONDecodeError("Expecting value", "x", 0), ExceptionGroup("g", [ValueError()]), StopIteration(None)),
        UnicodeDecodeError("utf-8", b"\xff" * 100, 0, 1, "invalid start byte"),
    ],
    ids=repr,
)
def test_plain_errors_read_as_python_prints_them(error):
    """
    Whoever searches for a message has it from a log.
    """
    assert str(error) == message_of(error, "message")
