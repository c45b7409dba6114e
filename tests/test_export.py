"""What the pipeline and its exporters have in common."""

from __future__ import annotations

import sys
import threading
import time
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from tta_observe._export import in_turns


@given(st.lists(st.integers()))
def test_items_come_as_they_are_and_in_order(items):
    """
    What is encoded is what was recorded.
    """
    assert items == list(in_turns(items))


def test_thread_that_needs_the_interpreter_does_not_wait_for_a_whole_batch():
    """
    A request handler that waits 5 ms for our worker, again and again, is a slow service because of its telemetry.
    """
    stop = threading.Event()

    def encode():
        for _ in in_turns(takewhile(lambda _: not stop.is_set(), iter(int, 1))):
            sum(range(500))

    switching = sys.getswitchinterval()
    sys.setswitchinterval(0.2)
    worker = threading.Thread(target=encode)
    worker.start()
    try:
        waits = []
        for _ in range(20):
            begun = time.perf_counter()
            time.sleep(0.001)
            waits.append(time.perf_counter() - begun)
    finally:
        stop.set()
        worker.join()
        sys.setswitchinterval(switching)

    assert sorted(waits)[10] < 0.1
