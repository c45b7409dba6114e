"""Processes that fork after ``configure()``: each delivers what is its own, once, and none hangs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tta_observe.local.queries import health, last_measurement, processes, window_before_last
from tta_observe.local.reader import StoreReader

PROGRAM = """
import concurrent.futures, multiprocessing, os, sys, time
import tta_observe as o

@o.traced_primitive
def work(_=None):
    "Do nothing, observed."

def child():
    for _ in range(20):
        work()

def main(how):
    o.configure(service_name="forks")
    with o.workflow("parent"):
        work()
        if how == "fork":
            for _ in range(3):
                if os.fork() == 0:
                    child()
                    sys.exit(0)
            for _ in range(3):
                os.wait()
        elif how == "process":
            fork = multiprocessing.get_context("fork")
            started = [fork.Process(target=child) for _ in range(3)]
            for one in started: one.start()
            for one in started: one.join()
        else:
            with concurrent.futures.ProcessPoolExecutor(3, multiprocessing.get_context("fork")) as pool:
                list(pool.map(work, range(60)))
    assert o.flush()

main(sys.argv[1])
"""


@pytest.mark.parametrize("how", ["fork", "process", "pool"])
def test_children_deliver_what_is_their_own(tmp_path, how):
    """
    A pre-forking server would lose its children's telemetry, or count the parent's once more in each of them.

    Sixty calls in children, one in the parent, and the parent's workflow: whatever the children were forked from.
    """
    store = tmp_path / "store.db"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, how],
        env={"TTA_OBSERVE_STORE": str(store), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    with StoreReader(store) as reader:
        found = health(reader, window_before_last(reader))
        pids = {process.pid for process in processes(reader, last_measurement(reader))}

    assert ("", 0) == (run.stderr, run.returncode)
    assert (62, 0) == (found.success, found.error)
    assert len(pids) >= 2
