"""Running a program twice, as it is and under ``tta-observe run``, and reading what the second one recorded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from programs import environment

from tta_observe.local.reader import StoreReader

RUN = ("-m", "tta_observe", "run")


@dataclass(frozen=True)
class Ended:
    """What a program leaves behind: everything that whoever started it can see."""

    code: int
    out: str
    err: str


def written(directory, files):
    """Write *files*, texts by name, into *directory*."""
    for name, text in files.items():
        path = Path(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def start(directory, *words, **variables):
    """Start Python with *words* in *directory*."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=directory,
        env=environment(directory, PYTHONIOENCODING="utf-8", **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
    )


def ended(child, text=""):
    """Wait for *child*, which reads *text*."""
    try:
        out, err = child.communicate(text, timeout=60)
    finally:
        child.kill()
    return Ended(child.returncode, out, err)


def both(directory, *words, text="", **variables):
    """How the program ends as it is, and how it ends observed."""
    children = [start(directory, *words, **variables), start(directory, *RUN, *words, **variables)]
    plain, observed = (ended(child, text) for child in children)
    return plain, observed


def observed(directory, *words, **variables):
    """How ``tta-observe run`` with *words* ends."""
    return ended(start(directory, *RUN, *words, **variables))


def interrupted(child, signal_=signal.SIGINT):
    """Send *signal_* once *child* has written its first line."""
    first = child.stdout.readline()
    time.sleep(0.1)
    child.send_signal(signal_)
    found = ended(child)
    return Ended(found.code, first + found.out, found.err)


def spans(directory):
    """``{name: [attributes, ...]}`` of the spans in the store of *directory*."""
    found = {}
    with StoreReader(Path(directory) / "store.db") as store:
        for name, attributes in store.rows("SELECT name, attributes FROM spans ORDER BY start_ns"):
            found.setdefault(name, []).append(json.loads(attributes))
    return found


def primitives(directory):
    """How often each primitive and workflow has run, by the spans in the store of *directory*."""
    counts = {}
    path = Path(directory) / "store.db"
    if not path.exists() or not path.stat().st_size:
        return counts
    for attributes in (one for many in spans(directory).values() for one in many):
        name = attributes.get("primitive.name") or attributes.get("workflow.name")
        counts[name] = counts.get(name, 0) + 1
    return counts
