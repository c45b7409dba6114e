"""What the garbage collector closes: generators and blocks that were left suspended."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tta_observe import _garbage


def test_collections_anywhere_neither_crash_nor_lose_a_span():
    """
    On CPython 3.11 a variable that is set by a finalizer, while another is being set, takes the process down.

    Eighteen spans a round: three of the stream, two of the bare generator, two of LLM calls, eight of finalizers, three
    outside; and twenty tokens.
    """
    program = Path(__file__).with_name("collected.py")
    run = subprocess.run([sys.executable, program, "300"], capture_output=True, text=True, timeout=100)

    assert ("5400 6000\n", "", 0) == (run.stdout, run.stderr, run.returncode)


def test_what_is_recorded_while_something_is_recorded_comes_after_it():
    """
    The SDK holds locks meanwhile that the same thread cannot take twice: a finalizer that records would wait for ever.
    """
    seen = []

    def outer():
        _garbage.in_turn(inner, 1)
        _garbage.in_turn(inner, 2)
        seen.append("outer")

    def inner(number):
        _garbage.in_turn(seen.append, number * 10)
        seen.append(number)

    _garbage.in_turn(outer)

    assert ["outer", 1, 2, 10, 20] == seen


def test_any_number_of_recordings_may_wait_for_one():
    """
    A collection in the middle of a recording may end thousands of streams: the stack has no room for each in turn.
    """
    seen = []

    def outer():
        for number in range(5000):
            _garbage.in_turn(seen.append, number)

    _garbage.in_turn(outer)

    assert list(range(5000)) == seen


def test_a_failure_does_not_keep_others_from_their_turn():
    """
    One recording that fails must not be the last one of its thread.
    """
    seen = []

    def fail():
        _garbage.in_turn(seen.append, 1)
        raise LookupError

    with pytest.raises(LookupError):
        _garbage.in_turn(fail)
    _garbage.in_turn(seen.append, 2)

    assert [2, 1] == seen


def test_other_threads_need_not_wait():
    """
    Each thread takes its own turns: the locks between them are the SDK's business.
    """
    seen = []

    def outer():
        thread = threading.Thread(target=_garbage.in_turn, args=(seen.append, "other"))
        thread.start()
        thread.join(30)
        seen.append("outer")

    _garbage.in_turn(outer)

    assert ["other", "outer"] == seen
