"""Runs the programs under test: each in a process group of its own, watched, with an environment nobody else fills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from collector import collecting

HOSTS = Path(__file__).parent / "hosts"
ROOT = HOSTS.parents[2]
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYENV_ROOT")


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said."""

    name: str
    code: int | None
    out: str
    err: str
    hung: bool
    exit_s: float | None
    """From its last line to its end."""
    said: dict = field(default_factory=dict)
    """All figures that it printed, merged."""

    @property
    def ledger(self):
        """Of the spans: created, exported, dropped, queued, in_flight. None where the subject keeps none."""
        return self.said.get("ledger")


class Running:
    """A program that was started; :meth:`end` waits for it."""

    def __init__(self, name, process, deadline):
        self.name = name
        self.process = process
        self._deadline = deadline
        self._lines = []
        self._err = []
        self._readers = [
            threading.Thread(target=self._lines.extend, args=(process.stdout,)),
            threading.Thread(target=self._err.extend, args=(process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()

    def said(self, key, timeout_s=30.0):
        """Wait until the program has printed the figure *key*; None when it does not."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            found = _figures(self._lines).get(key)
            if found is not None or self.process.poll() is not None:
                return _figures(self._lines).get(key)
            time.sleep(0.02)
        return None

    def err_so_far(self):
        return "".join(self._err)

    def end(self):
        """Wait for its end; at the deadline it is killed with all its children."""
        hung = False
        try:
            self.process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            hung = True
        ended = time.monotonic()
        _kill_group(self.process)
        for reader in self._readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        said = _figures(self._lines)
        last = said.get("last_line")
        exit_s = None if last is None else ended - last
        code = None if hung else self.process.returncode
        return Ended(self.name, code, "".join(self._lines), "".join(self._err), hung, exit_s, said)


@dataclass
class Bench:
    """Where, with what interpreter and on whom the checks are run."""

    directory: Path
    python: str = sys.executable
    subject: str = "ours"
    calls: int = 300_000
    """Decorated calls of the long run with the collector down."""
    seconds: float = 60.0
    """Of the chaos run."""
    seed: int = 4

    protocol: str = "grpc"

    def collecting(self, mode="ok"):
        """A collector while the block runs."""
        return collecting(self.scratch(), mode, self.protocol)

    def scratch(self):
        """A fresh directory."""
        return Path(tempfile.mkdtemp(dir=self.directory))

    def start(self, host, *arguments, endpoint=None, python=None, deadline_s=30.0, env=None):
        """Start ``hosts/HOST.py`` with *arguments*; *env* is added to its environment."""
        place = self.scratch()
        variables = {key: os.environ[key] for key in _KEPT if key in os.environ}
        variables |= {
            "HOME": str(place),
            "PYTHONPATH": os.pathsep.join([str(HOSTS), str(ROOT)]),  # the package that stands beside these checks
            "PYTHONWARNINGS": "ignore",
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "RELIABILITY_SUBJECT": self.subject,
            "TTA_OBSERVE_STORE": str(place / "store.db"),
        }
        if endpoint is not None:
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        process = subprocess.Popen(
            [python or self.python, str(HOSTS / f"{host}.py"), *map(str, arguments)],
            env=variables | (env or {}),
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        return Running(" ".join([host, *map(str, arguments)]), process, time.monotonic() + deadline_s)

    def run(self, host, *arguments, **options):
        """Start it and wait for its end."""
        return self.start(host, *arguments, **options).end()


def _figures(lines):
    found = {}
    for line in list(lines):
        if line.startswith("{"):
            try:
                found.update(json.loads(line))
            except ValueError:  # two processes wrote at once, or it was killed in the middle
                continue
    return found


def _kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def crowd():
    """Who else wants the processors, in words; empty where everybody gets one. Figures of a millisecond need that."""
    waiting, cpus = os.getloadavg()[0], os.cpu_count()
    return f"{waiting:.1f} processes wanted {cpus} processors" if waiting > cpus else ""
