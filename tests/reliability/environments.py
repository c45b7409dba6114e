"""Environments of their own for what the checks' own one cannot hold: other interpreters, gevent, other wrapt."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LOCK = threading.Lock()


def interpreters():
    """Supported interpreters: version to path, None for those that this machine lacks."""
    listed = subprocess.run([ROOT / ".ci/interpreters"], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return {version: None if path == "-" else path for version, path in pairs}


def environment(name, python, *requirements, package=True):
    """
    The interpreter of ``.venvs/NAME``, made or brought up to date when pyproject.toml or *requirements* changed.

    *package*: with the package of this repository in it, as ``make test-all`` has it.
    """
    directory = ROOT / ".venvs" / name
    wanted = hashlib.sha256(repr(requirements).encode() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    mark = directory / ".reliability"
    with _LOCK:
        if not (mark.exists() and mark.read_text(encoding="ascii") == wanted):
            _make(directory, python, requirements, package=package)
            mark.write_text(wanted, encoding="ascii")
    return str(directory / "bin/python")


def _make(directory, python, requirements, *, package):
    if package:
        command = [ROOT / ".ci/venv", directory, python, *requirements]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    else:
        subprocess.run([python, "-m", "venv", directory], check=True)
        command = [directory / "bin/python", "-m", "pip", "install", "--quiet", *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"no environment {directory.name}: {done.stderr[-300:]}")
