"""Running the program of one row in every way, each in a process and a directory of its own, and judging it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ways as in_which
from columns import judge
from facts import Facts, noticed, stored
from programs import environment

SHIM = Path(__file__).parent / "shim"
WATCHDOG_S = 40.0


@dataclass(frozen=True)
class Outcome:
    """What is wrong with one row: by way, then by column."""

    name: str
    wrong: dict[str, dict[str, list[str]]]
    seconds: float

    @property
    def green(self):
        return not any(problems for columns in self.wrong.values() for problems in columns.values())


def tried(row, ways):
    """Run the program of *row* bare and in each of *ways*."""
    begun = time.monotonic()
    bare = seen(row, in_which.bare)
    wrong = {way: judge(row, seen(row, in_which.WAYS[way]), bare) for way in ways}
    return Outcome(row.name, wrong, time.monotonic() - begun)


def seen(row, way):
    """What a program does when it is run in some *way*, and what is left of it."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        directory = Path(name)
        code, out, err = _run(way(row, directory), directory)
        spans, points = stored(directory / "store.db")
        return Facts(out, code, err, spans, points, noticed(directory / "seen"))


def _run(command, directory):
    path = os.pathsep.join([str(SHIM), str(directory), os.environ.get("PYTHONPATH", "")])
    variables = environment(directory, PYTHONPATH=path, CONFORMANCE_SEEN=str(directory / "seen"))
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=WATCHDOG_S)
    except subprocess.TimeoutExpired:
        _end(process)
        out, err = process.communicate()
        return "watchdog", out, f"{err}\nended after {WATCHDOG_S:g} s"
    _end(process)  # what it may have left behind
    return process.returncode, out, err


def _end(process):
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
