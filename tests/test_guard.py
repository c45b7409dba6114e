"""Failures of the telemetry stay in the telemetry."""

import logging
import os
import threading

import pytest

from tta_observe import _guard


@_guard.guarded
def broken():
    raise KeyError("ours")


@pytest.mark.swallowed
def test_production_swallows_counts_and_says_once(caplog):
    """
    The host goes on; the operator reads one calm line, not one per call.
    """
    caplog.set_level(logging.WARNING)
    found = [broken() for _ in range(3)]

    assert [None] * 3 == found
    assert {"broken": 3} == dict(_guard.STATE.errors)
    assert 1 == len(caplog.records)
    assert "your code is still running" in caplog.text


def test_our_own_tests_get_the_error_back():
    """
    Or the guards would hide our own bugs.
    """
    with pytest.raises(KeyError):
        broken()


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_quietly_drops_whatever_user_code_raises(error):
    """
    A ``__str__`` that exits must not replace the exception that is being recorded.
    """

    def hostile():
        raise error

    assert _guard.quietly(hostile) is None


@pytest.mark.swallowed
def test_a_logging_handler_that_fails_reaches_nobody():
    """
    The application's own handlers are user code too.
    """

    class Failing(logging.Handler):
        def emit(self, record):
            raise RuntimeError("handler")

    handler = Failing()
    _guard.LOGGER.addHandler(handler)
    try:
        assert broken() is None
    finally:
        _guard.LOGGER.removeHandler(handler)


def test_remembered_warnings_are_bounded(caplog):
    """
    A message per request for a month must not become a leak.
    """
    for i in range(3000):
        _guard.warn_once(f"k{i}", "%s", i)

    assert 1000 == len(_guard.STATE.said) == len(caplog.records)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_lock_held_by_another_thread_at_a_fork_does_not_hang_the_child():
    """
    The thread that would let go of it does not exist in the child, whose first warning would never return.
    """
    held, release = threading.Event(), threading.Event()

    def hold():
        with _guard.STATE.lock:
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if _guard.STATE.lock.acquire(timeout=2) else 1)
    _, status = os.waitpid(child, 0)
    release.set()
    holder.join()

    assert 0 == status
