"""
Context that was lost on the way to another thread: a thread and an executor start with an empty one.

A primitive without a parent is meant so as a rule: a background job, or a request that is no workflow. It is called
lost only while it can be proven that code inside an open workflow of this process had it run. One of these holds when
it starts, in a thread that is not the main one, with neither a workflow nor a span around it:

- the thread of the workflow is in ``start()`` or ``join()`` of the very thread that the primitive runs in;
- it hands the very call to an executor, or waits for its future: ``result()``, ``map()``, ``wait()``, ...;
- an event loop handed the call to an executor, in a context that belongs to a workflow: ``run_in_executor()``.

Where nothing is proven nothing is said, and so the count is a lower bound: of a thread that is started and left alone,
of work that waits in a queue, of processes nothing is known. Nothing is patched for it. Stacks are looked at by such
primitives alone, while a workflow is open; one with a parent pays nothing. ``TTA_OBSERVE_LOST_CONTEXT=off`` ends it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from itertools import islice
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import ref

from tta_observe import semconv
from tta_observe._guard import STATE, guarded, quietly, warn_once
from tta_observe.context import workflow_in
from tta_observe.instruments import CONTEXT_LOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tta_observe._connections import Visit
    from tta_observe._sites import CallSite
    from tta_observe._telemetry import Slot
    from tta_observe.context import WorkflowContext

SWITCH: Final = "TTA_OBSERVE_LOST_CONTEXT"
"""Environment variable; ``off`` for programs whose threads have nothing to do with the workflows that start them."""

_MOST_LOOKS: Final = 100
"""A primitive that starts without a parent and was not lost so many times is not looked at any more."""

_MOST_NAMES: Final = 1000

_OPEN: Final[dict[Visit, int]] = {}
"""The workflows that are running in this process, and the threads that opened them."""

_COUNTS: Final[Counter[str]] = Counter()
_IN_VAIN: Final[Counter[str]] = Counter()

_BLOCKED: Final = {
    threading.Condition.wait.__code__,
    threading.Thread.join.__code__,
    getattr(threading.Thread, "_wait_for_tstate_lock", threading.Thread.join).__code__,  # Python 3.11 and 3.12
}
"""Where a thread is while it waits for another one, or for a future; ``self`` is for what."""

_PLUMBING: Final = frozenset({"asyncio", "concurrent", "threading", "tta_observe", "wrapt"})
"""Packages whose lines are not what anybody wrote to have something run."""

_DEEPEST: Final = 6
"""Above a thread that waits within ``submit()`` or ``map()`` there are so many frames at most."""

_MAPPED: Final = "Executor.map.<locals>.result_iterator"

_CHAINED: Final = "_chain_future.<locals>._call_set_state"
"""What an event loop adds to the future of an executor."""


class _Proof(NamedTuple):
    workflow: str
    line: str | None


def opened(visit: Visit) -> None:
    """Note that the workflow *visit* begins, in the current thread."""
    _OPEN[visit] = threading.get_ident()


def closed(visit: Visit) -> None:
    """Note that it ended, wherever that is."""
    _OPEN.pop(visit, None)


def counts() -> dict[str, int]:
    """Executions in this process that lost their context, by primitive."""
    return dict(_COUNTS)


@guarded
def look(slot: Slot, site: CallSite, workflow: WorkflowContext | None, anchor: int) -> None:
    """
    Count, and say once, that the primitive of *site*, which starts here with no block around it, lost its context.

    *workflow* is what the context says that it works for, *anchor* identifies the current OpenTelemetry span (0: none).
    """
    if not _OPEN or anchor or site.is_workflow or (workflow is not None and workflow.workflow_name is not None):
        return
    if _IN_VAIN[site.name] >= _MOST_LOOKS or not _may_be_astray():
        return
    proof: _Proof | None = quietly(_proof)
    if proof is not None:
        _IN_VAIN.pop(site.name, None)
        _tell(slot, site, proof)
    elif len(_IN_VAIN) < _MOST_NAMES or site.name in _IN_VAIN:
        _IN_VAIN[site.name] += 1


def _may_be_astray() -> bool:
    is_main = threading.get_ident() == threading.main_thread().ident
    return not is_main and os.environ.get(SWITCH, "").strip().lower() != "off"


def _tell(slot: Slot, site: CallSite, proof: _Proof) -> None:
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
        proof.line or _line(sys._getframe()) or _definition(site),
        proof.workflow,
        site.name,
        SWITCH,
    )


# What follows knows how threading, concurrent.futures and asyncio work inside. Where they have changed, an attribute is
# missing or a name is not met: `quietly` turns that into no proof.


def _proof() -> _Proof | None:
    future = _future()
    waiting = next(_waiting(future), None)
    if waiting is not None:
        ident, frame = waiting
        names = [visit.name for visit, opener in list(_OPEN.items()) if opener == ident and _is_current(visit)]
        if names:
            return _Proof(names[-1], _line(frame))
    name = _handed_over_in(future) if future is not None else None
    return _Proof(name, None) if name is not None else None


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


def _waiting(future: Any) -> Iterator[tuple[int, FrameType]]:
    """Threads that wait for the current one, or for *future*, which it works for: identifier, and where they are."""
    here = threading.get_ident()
    thread: Any = threading._active.get(here)  # type: ignore[attr-defined]  # current_thread() would add one
    if future is None:
        awaited = [thread, thread._started._cond]
    else:
        waiters = [waiter.event._cond for waiter in list(future._waiters)]
        awaited = [thread, future._condition, *waiters]
    for ident, frame in sys._current_frames().items():
        if ident != here and (_waits_for(frame, awaited) or (future is not None and _hands_over(frame, future))):
            yield ident, frame


def _waits_for(frame: FrameType, awaited: list[Any]) -> bool:
    return frame.f_code in _BLOCKED and any(frame.f_locals["self"] is each for each in awaited)


def _hands_over(frame: FrameType, future: Any) -> bool:
    """Whether *frame* is in the midst of ``submit()`` or ``map()`` that *future* comes from."""
    submit = sys.modules["concurrent.futures.thread"].ThreadPoolExecutor.submit.__code__
    for each in islice(_stack(frame), _DEEPEST):
        if each.f_code is submit:  # it has started another thread, which was faster
            return each.f_locals["f"] is future
        if each.f_code.co_qualname == _MAPPED:  # it waits for one of many
            return any(other is future for other in list(each.f_locals["fs"]))
    return False


def _is_current(visit: Visit) -> bool:
    """Whether the thread that opened *visit* is in it now: another task of the same event loop is not."""
    if not isinstance(visit.owner, ref):
        return True
    task: Any = visit.owner()
    return task is not None and sys.modules["asyncio"].current_task(task.get_loop()) is task


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
