"""Programs under test that need a process of their own, and an environment that nobody else has a say in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

_OURS = ("OTEL_", "TTA_OBSERVE_")
_PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "no_proxy")

LAST_LINE = "\nimport time as _time\nprint('the last line', _time.monotonic(), flush=True)\n"
"""Ends a program whose exit is measured."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str
    exit_s: float | None
    """From its last line to its end; None when it did not print the last line."""


def environment(directory, **more):
    """The environment of a program: ours without what concerns telemetry, and with a store in *directory*."""
    kept = {key: value for key, value in os.environ.items() if not _concerns_us(key)}
    return {**kept, "TTA_OBSERVE_STORE": str(Path(directory) / "store.db"), "PYTHONWARNINGS": "", **more}


def clean(monkeypatch, directory):
    """The same for this process."""
    for key in [key for key in os.environ if _concerns_us(key)]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("TTA_OBSERVE_STORE", str(Path(directory) / "store.db"))


def run(program, directory, *, timeout_s=30.0, interrupt_after=None, **variables):
    """
    Run the source text *program* until it ends by itself.

    *interrupt_after*: press Ctrl-C so many seconds after its last line.
    """
    path = Path(directory) / f"program_{abs(hash(program))}.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, str(path)],
        env=environment(directory, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
    )
    try:
        if interrupt_after is not None:
            first = child.stdout.readline()
            time.sleep(interrupt_after)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=timeout_s)
            out = first + out
        else:
            out, err = child.communicate(timeout=timeout_s)
        ended = time.monotonic()
    finally:
        child.kill()
        child.communicate()
    printed = [float(line.split()[-1]) for line in out.splitlines() if line.startswith("the last line")]
    return Ended(child.returncode, out, err, ended - printed[-1] if printed else None)


def _concerns_us(key):
    return key.startswith(_OURS) or key.lower() in _PROXIES
