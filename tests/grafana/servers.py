"""A Prometheus of the tests' own, with a history that was written beforehand."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from grafana.node import program

READY_S = 30.0


@contextmanager
def prometheus(directory, history):
    """Serve *history*, a text in the OpenMetrics format; yields the address."""
    address = f"127.0.0.1:{_free_port()}"
    _backfill(directory, history)
    server = _start(directory, address)
    try:
        _wait(server, f"http://{address}/-/ready", directory / "log")
        yield f"http://{address}"
    finally:
        server.kill()  # what it holds is thrown away
        server.wait(timeout=20)


def _backfill(directory, history):
    text = directory / "history.txt"
    text.write_text(history, encoding="utf-8")
    command = [program("promtool", "prometheus"), "tsdb", "create-blocks-from", "openmetrics", text, directory / "data"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _start(directory, address):
    config = directory / "prometheus.yml"
    config.write_text("", encoding="utf-8")
    command = [
        program("prometheus", "prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def _wait(server, address, log):
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"Prometheus did not become ready:\n{log.read_text(encoding='utf-8', errors='replace')}")
