"""
Context that was lost on the way to another thread, told: threads and executors start with an empty one.

A primitive without a parent is meant so as a rule: a background job, or a request that is no workflow. It is called
lost only where it is certain that an open workflow of this process had it run: in a thread that is not the main one,
with neither a workflow nor a span around it, and

- the thread began while the workflow was open, and when that was opened, by no task, its thread was the only one of
  the program, so that nobody else can have started the thread, or what started it; or
- an event loop handed the work to an executor in a context that belongs to a workflow, as ``run_in_executor()`` does.

Everywhere else nothing is said, so the count is a lower bound: in a server with many threads only the latter is seen,
and of other processes nothing. Nothing is patched, no stack of another thread is touched (Python 3.11 may crash when
that thread goes on meanwhile), and a primitive with a parent pays nothing. ``TTA_OBSERVE_LOST_CONTEXT=off`` ends it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from tta_observe import semconv
from tta_observe._guard import STATE, guarded, quietly, warn_once
from tta_observe._owners import current_owner
from tta_observe.context import workflow_in
from tta_observe.instruments import CONTEXT_LOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tta_observe._call import Live
    from tta_observe._sites import CallSite
    from tta_observe._telemetry import Slot
    from tta_observe.context import WorkflowContext

SWITCH: Final = "TTA_OBSERVE_LOST_CONTEXT"
"""Environment variable; ``off`` for programs whose threads have nothing to do with the workflows that start them."""

_MOST_LOOKS: Final = 100
"""A primitive that starts without a parent and was not lost so many times is not looked at any more."""

_MOST_NAMES: Final = 1000

_OPEN: Final[dict[Live, frozenset[int] | None]] = {}
"""The workflows that are running; and the threads there were when one was opened that alone could start more."""

_COUNTS: Final[Counter[str]] = Counter()
_IN_VAIN: Final[Counter[str]] = Counter()

_HELPERS: Final = ("tta-observe", "Otel")
"""Names of threads that export telemetry begin with these: they start nothing that anybody wants to see."""

_MOST_THREADS: Final = 16
"""With more of them the program is a server, and a workflow one of many things that go on."""

_PLUMBING: Final = frozenset({"asyncio", "concurrent", "contextvars", "threading", "tta_observe", "wrapt"})
"""Packages whose lines are not what anybody wrote to have something run."""

_CHAINED: Final = "_chain_future.<locals>._call_set_state"
"""What an event loop adds to the future of an executor."""


def opened(run: Live) -> None:
    """Note that *run*, of a workflow, begins in the current thread."""
    _OPEN[run] = quietly(_threads_before)


def closed(run: Live) -> None:
    """Note that it ended, wherever that is."""
    _OPEN.pop(run, None)


def counts() -> dict[str, int]:
    """Executions in this process that lost their context, by primitive."""
    return dict(_COUNTS)


@guarded
def look(slot: Slot, site: CallSite, workflow: WorkflowContext | None, anchor: int) -> None:
    """
    Count, and say once, that the primitive of *site*, which starts here with no block around it, lost its context.

    *workflow* is what the context says that it works for, *anchor* identifies the current OpenTelemetry span (0: none).
    """
    if not _OPEN or anchor or (workflow is not None and workflow.workflow_name is not None):
        return  # a workflow, too, works for itself
    if _IN_VAIN[site.name] >= _MOST_LOOKS or not _may_be_astray():
        return
    line = _line(sys._getframe()) or _definition(site)
    future = quietly(_future)
    name = quietly(_started_by) or quietly(_handed_over_in, future)
    if name is not None:
        _tell(slot, site, name, line)
    elif len(_IN_VAIN) < _MOST_NAMES or site.name in _IN_VAIN:
        _IN_VAIN[site.name] += 1
        if future is not None:  # an event loop has just handed it over, and not yet said that it waits for the result
            quietly(future.add_done_callback, partial(_look_again, slot, site, line))


@guarded
def _look_again(slot: Slot, site: CallSite, line: str, future: Any) -> None:
    name = quietly(_handed_over_in, future)
    if name is not None:
        _tell(slot, site, name, line)


def _may_be_astray() -> bool:
    is_main = threading.get_ident() == threading.main_thread().ident
    return not is_main and os.environ.get(SWITCH, "").strip().lower() != "off"


def _tell(slot: Slot, site: CallSite, workflow: str, line: str) -> None:
    _IN_VAIN.pop(site.name, None)
    name = slot.bounds.value(semconv.PRIMITIVE_NAME, site.name)
    with STATE.lock:
        _COUNTS[name] += 1
    slot.record(CONTEXT_LOST, 1, (site.name,))
    warn_once(
        f"lost:{name}",
        "%s: the workflow %r has %r run in another thread without its context, so that it has no parent and belongs to "
        "no workflow. Hand over propagate(...) of what runs there, as in pool.submit(propagate(work), ...), "
        "Thread(target=propagate(work)) or run_in_executor(None, propagate(work)); asyncio.to_thread needs nothing. "
        "Further ones are counted by stats().lost_context alone; %s=off is for threads that are meant to be apart.",
        line,
        workflow,
        site.name,
        SWITCH,
    )


# What follows knows how threading, concurrent.futures and asyncio work inside. Where they have changed, an attribute is
# missing or a name is not met: `quietly` turns that into no proof.


def _threads_before() -> frozenset[int] | None:
    """The threads that there are, when what runs in the current one alone can start others; else None."""
    threads = list(threading._active.items()) if len(threading._active) <= _MOST_THREADS else []  # type: ignore[attr-defined]
    here = threading.get_ident()
    others = [thread for ident, thread in threads if ident != here]
    if not threads or isinstance(current_owner(), ref):  # another task of the event loop can
        return None
    alone = all(thread.__dict__["_name"].startswith(_HELPERS) for thread in others)
    return frozenset(ident for ident, _ in threads) if alone else None


def _started_by() -> str | None:
    """The workflow that must have started the current thread, or the thread that did."""
    here = threading.get_ident()
    if here not in threading._active:  # type: ignore[attr-defined]  # a library in C has started it
        return None
    # What has ended in its context goes on as a generator, between whose steps its consumer may start threads.
    runs = [run for run, before in list(_OPEN.items()) if before is not None and here not in before]
    names = [run.name for run in runs if not run.bound.ended]
    return names[-1] if names else None


def _future() -> Any:
    """The future of what an executor runs in this thread; None when no executor does."""
    executors = sys.modules.get("concurrent.futures.thread")
    wanted = executors._WorkItem.run.__code__ if executors is not None else None
    for frame in _stack(sys._getframe()):
        if frame.f_code is wanted:
            values = frame.f_locals
            future = values["self"].future
            if type(values) is dict:  # before Python 3.13 a copy, which the frame keeps: a failure would keep itself
                values.clear()
            return future
    return None


def _handed_over_in(future: Any) -> str | None:
    """The workflow of the context in which an event loop handed over the work for *future*."""
    for callback in list(future._done_callbacks):
        if type(callback) is FunctionType and callback.__qualname__ == _CHAINED:
            cells = dict(zip(callback.__code__.co_freevars, callback.__closure__ or (), strict=True))
            for _, context in cells["destination"].cell_contents._callbacks or ():
                workflow = workflow_in(context)
                if workflow is not None and workflow.workflow_name is not None:
                    return workflow.workflow_name
    return None


def _line(frame: FrameType) -> str | None:
    """The innermost line of somebody's own code on the stack of *frame*."""
    for each in _stack(frame):
        name = each.f_globals.get("__name__")
        if type(name) is not str or name.partition(".")[0] not in _PLUMBING:
            return f"{each.f_code.co_filename}:{each.f_lineno}"
    return None


def _definition(site: CallSite) -> str:
    file = site.attributes.get(semconv.CODE_FILE_PATH)
    return site.name if file is None else f"{file}:{site.attributes.get(semconv.CODE_LINE_NUMBER)}"


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _forget() -> None:
    for found in (_OPEN, _COUNTS, _IN_VAIN):
        found.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_forget)  # the parent's workflows run in the parent
