"""How a call ended, and what may be told."""

import asyncio
import concurrent.futures
import json

import pytest

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
