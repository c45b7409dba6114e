"""What every test shares: internal errors are raised again, and nothing of a test outlives it."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import settings

from tta_observe import _guard, _otel_context, _prices, _telemetry
from tta_observe.context import FRAME, POSITION, WORKFLOW

# CI machines are shared: a slow example is no failure.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

# A shell that starts the build in the background has it ignore Ctrl-C, and every program under test with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """
    Read the prices, which no test shall wait for; and keep what was imported out of the collection after each test.

    Without the latter it would make half of the run's time.
    """
    _prices.in_order(lambda: None)
    _prices.drain(60)
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _strict(request):
    """A swallowed internal error fails the test that caused it, or the guards would hide our own bugs."""
    swallowed = request.node.get_closest_marker("swallowed") is not None
    _guard.STATE.reraise = not swallowed
    _guard.STATE.errors.clear()
    _guard.forget_warnings()
    yield
    _guard.STATE.reraise = False


@pytest.fixture(autouse=True)
def _nothing_left_open(_strict):
    """The test that leaves a span or our context current fails, not its neighbour."""
    POSITION.set(None)  # top-level primitives of one test are no predecessors of the next
    yield
    gc.collect()
    left = {"workflow": WORKFLOW.get(), "frame": FRAME.get(), "span": _otel_context.current_span()}
    WORKFLOW.set(None)
    FRAME.set(None)

    assert {"workflow": None, "frame": None, "span": None} == left
    assert _telemetry.capture(None) is None, "the test left a capture open"
    assert _telemetry.install(None) is None, "the test left telemetry configured: call shutdown()"
