"""Processes that fork after ``configure()``: each delivers what is its own, once, and none hangs."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from programs import run

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


SCRAPED = """
import os, socket, sys, time, urllib.request
import tta_observe as o

def target():
    return next((row.target for row in o.stats().exporters), None)

def page(address):
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.read().decode()

o.configure(exporter="prometheus")
o.record_execution("parent", "tool", 1, "success")
before = target()
port = int(before.split(":")[-1].split("/")[0])
page(before)
hanging = socket.create_connection(("127.0.0.1", port))
hanging.sendall(b"GET /metr")
time.sleep(0.1)
child = os.fork()
if not child:
    o.record_execution("child", "tool", 1, "success")
    own = target()
    print("child", own is not None, own != before, 'name="parent"' in page(own or before), flush=True)
    time.sleep(0.5)
    assert o.flush()
    sys.exit(0)
time.sleep(0.3)
print("parent", 'name="parent"' in page(before), 'name="child"' in page(before), target() == before)
hanging.sendall(b"ics HTTP/1.0\\r\\n\\r\\n")
print("hanging", hanging.recv(15))
o.shutdown()
socket.create_server(("127.0.0.1", port)).close()  # the child, which is still there, holds nothing of it
print("ended", os.wait()[1])
"""


@pytest.mark.parametrize("port", ["fixed", "0"])
def test_scrape_endpoint_stays_the_parent_s(tmp_path, port):
    """
    A server that forks its workers has one port for all: the parent keeps it, and the child says once what to do.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        fixed = free.getsockname()[1]
    address = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(fixed) if port == "fixed" else port}
    ended = run(SCRAPED, tmp_path, PYTHONWARNINGS="ignore", **address)
    child = "child False True True" if port == "fixed" else "child True True False"
    words = ended.err.splitlines()

    assert [child, "parent True False True", "hanging b'HTTP/1.0 200 OK'", "ended 0"] == ended.out.splitlines()
    assert (0, 1 if port == "fixed" else 0) == (ended.code, len(words)), ended.err
    assert all("to 0 for any that is free" in line and "exporter='otlp'" in line for line in words)


ORPHANED = """
import os, socket, time
import tta_observe as o

server = os.fork()
if not server:
    o.configure(exporter="prometheus")
    worker = os.fork()
    if worker:
        os._exit(0)  # killed: nothing is shut down
    time.sleep(1)
    os._exit(0)
os.waitpid(server, 0)
time.sleep(0.3)
socket.create_server(("127.0.0.1", int(os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"]))).close()
"""


def test_child_that_outlives_its_parent_does_not_keep_the_port(tmp_path):
    """
    The server would not come up again: its port is held by a worker that answers nobody.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    ended = run(ORPHANED, tmp_path, PYTHONWARNINGS="ignore", OTEL_EXPORTER_PROMETHEUS_PORT=port)

    assert (0, "") == (ended.code, ended.err)


WRITTEN_TO = """
import os, signal, threading
import tta_observe as o
from opentelemetry import trace

o.configure(exporter="none")
held, release = threading.Event(), threading.Event()

def write(span):
    with span._lock:  # where the SDK is while it sets an attribute
        held.set()
        release.wait(20)

with o.workflow("parent"):
    threading.Thread(target=write, args=(trace.get_current_span(),), daemon=True).start()
    held.wait()
    child = os.fork()
    if not child:
        signal.alarm(4)
        o.set_attributes({"child": True})
if not child:
    os._exit(7)
release.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_child_writes_to_the_span_that_another_thread_wrote_to_when_it_was_forked(tmp_path):
    """
    Threads of a server share the span of a request; the SDK's lock of it would stop the child for good.
    """
    ended = run(WRITTEN_TO, tmp_path)

    assert ("7\n", "", 0) == (ended.out, ended.err, ended.code)
