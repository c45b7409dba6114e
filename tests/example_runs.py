"""An example, run as its user runs it, and what the store knows afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import programs

from tta_observe.cli import report
from tta_observe.local.reader import StoreReader

EXAMPLES = Path(__file__).parent.parent / "examples"


@dataclass(frozen=True)
class Span:
    """What the tests ask of a span: *service* is who emitted it, *parent* the name of the span around it."""

    name: str
    service: str
    trace_id: str
    parent: str | None
    kind: str
    attributes: dict


class Seen:
    """What one program *printed*, and what it left in the store of *directory*."""

    def __init__(self, directory, printed):
        self.printed = printed
        self.store = Path(directory) / "store.db"
        self.report = report.read(self.store)

    def edges(self):
        """How often each connection was made: ``{"load ─ parallel ─ check": 2}``."""
        return {f"{row.source} ─ {row.connection_type} ─ {row.target}": row.count for row in self.report.connections}

    def executions(self):
        """How often each primitive ran."""
        return {row.name: row.executions for row in self.report.primitives}

    def spans(self):
        """All of them, the earliest first."""
        asked = "SELECT span_id, parent_id, name, trace_id, kind, attributes, service_name"
        with StoreReader(self.store) as store:
            rows = store.rows(f"{asked} FROM spans JOIN processes ON process = processes.id ORDER BY start_ns")
        names = {row[0]: row[2] for row in rows}
        return [Span(row[2], row[6], row[3], names.get(row[1]), row[4], json.loads(row[5])) for row in rows]


def run(example, directory, *, warnings="error"):
    """
    Run it with a store of its own and no other settings; it has to end well, and to say nothing on stderr.

    *warnings*: what becomes of them; those of a framework that is always the newest are not ours to mend.
    """
    command = [sys.executable, "-W", warnings, EXAMPLES / example]
    environ = programs.environment(directory, PYTHONIOENCODING="utf-8")
    ended = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60)

    assert (0, "") == (ended.returncode, ended.stderr)
    return Seen(directory, ended.stdout)
