"""
What the programs of the table notice of their own context, written to a file while they run.

Everywhere it does the same; where nothing is observed there is nothing to see.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import threading
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import Span

from tta_observe import current_workflow
from tta_observe.context import FRAME, INNERMOST, POSITION, WORKFLOW, Bound, Frame, WorkflowContext

_HERE_TO_STAY = {"tta_observe.position"}  # of the last primitive: what runs next follows it


def inside(name):
    """Note which span and workflow are current in the body of the observed function *name*."""
    workflow = current_workflow()
    _write(kind="inside", name=name, workflow=workflow and workflow.workflow_name, **_span())


@contextmanager
def unchanged(what):
    """Note whether the context is after the block what it was before, also when the block raises."""
    before = Here(what)
    try:
        yield before
    finally:
        before.compare()


class Here:
    """The context as it is now, to be compared with what it is later."""

    def __init__(self, what):
        self._what = what
        self._before = _everything()

    def compare(self):
        """Note what differs now."""
        after = _everything()
        names = sorted(key for key in self._before | after if self._before.get(key) != after.get(key))
        _write(kind="compared", what=self._what, changed=names)


def finish():
    """At the end of the program: note what is still open, current or alive."""
    gc.collect()
    left = {
        "spans that are not ended": [
            found.name for found in gc.get_objects() if isinstance(found, Span) and found.end_time is None
        ],
        "observed blocks that are kept": [
            type(found).__name__ for found in gc.get_objects() if isinstance(found, (WorkflowContext, Frame, Bound))
        ],
        "threads": [thread.name for thread in threading.enumerate() if not _belongs_here(thread)],
        "context": [name for name, value in _everything().items() if value is not None],
    }
    _write(kind="finished", left={what: found for what, found in left.items() if found})


def _everything():
    """Every context variable by name: values that cannot be kept apart are compared by identity."""
    found = {variable.name: value for variable, value in contextvars.copy_context().items()}
    ours = {variable.name: variable.get() for variable in (INNERMOST, WORKFLOW, FRAME, POSITION)}
    found |= ours | {"current span": _span()["span"], "current_context": dict(found.get("current_context") or {})}
    return {name: value or None for name, value in found.items() if name not in _HERE_TO_STAY}


def _span():
    span = trace.get_current_span().get_span_context()
    return {"span": trace.format_span_id(span.span_id) if span.is_valid else None}


def _belongs_here(thread):
    return thread is threading.main_thread() or thread.daemon


def _write(**seen):
    path = os.environ.get("CONFORMANCE_SEEN")
    if path is None:
        return
    line = json.dumps(seen | {"pid": os.getpid(), "task": _task()}) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _task():
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return threading.current_thread().name
    return task.get_name() if task else threading.current_thread().name
