"""Programs that run in Node, with Grafana's libraries, installed once for each lock file."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_OLDEST_NODE = 20
_INSTALLED = HERE / "node_modules" / ".installed"


def program(name, needs="node and npm"):
    """Where a program is; without it the test is skipped, and says what it *needs*."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {needs}: there is no {name}")
    return found


def install():
    """Install what the lock file names, unless that was done already."""
    asked = subprocess.run([program("node"), "--version"], capture_output=True, text=True, check=True, timeout=30)
    if int(asked.stdout.lstrip("v").split(".")[0]) < _OLDEST_NODE:
        pytest.skip(f"needs node {_OLDEST_NODE} or newer: this is {asked.stdout.strip()}")
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if _INSTALLED.exists() and _INSTALLED.read_text(encoding="utf-8") == lock:
        return
    ended = subprocess.run([program("npm"), "ci"], cwd=HERE, capture_output=True, text=True, timeout=240)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    _INSTALLED.write_text(lock, encoding="utf-8")


def run(script, job):
    """Give *job* to a script of this directory, as JSON, and return what it answers."""
    command = [program("node"), str(HERE / script)]
    ended = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=60, encoding="utf-8")
    assert 0 == ended.returncode, ended.stderr
    return json.loads(ended.stdout)
