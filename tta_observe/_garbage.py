"""
What must not be done while the garbage collector runs, and what to do instead.

Generators and blocks that were left suspended are closed by it, anywhere: in the middle of setting a context
variable, and where locks are held.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

COLLECTING: Final[list[int]] = []
"""
The thread in which a garbage collection is running, there is one at a time; on CPython 3.11 only.

While it is empty :func:`safely` need not be called, which costs a frame where the stack may be used up.
"""


def collecting() -> bool:
    """
    Whether context variables must not be set now: a garbage collection runs in this thread, on CPython 3.11.

    There it may have started inside ``ContextVar.set``, which then loses what a finalizer sets and leaves a dangling
    pointer behind: the process crashes (python/cpython#148891). Later versions collect between two instructions.
    """
    return threading.get_ident() in COLLECTING


def safely(function: Callable[..., _T], *args: Any) -> _T:
    """Call *function*, which sets context variables; while they must not be set, in a copy of the context."""
    if not collecting():
        return function(*args)
    thread = threading.get_ident()
    COLLECTING.clear()  # inside the copy they may be set
    try:
        return copy_context().run(function, *args)
    finally:
        COLLECTING.append(thread)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.inside = False
        self.waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()


_THREAD: Final = _Thread()


def in_turn(function: Callable[..., None], *args: Any) -> None:
    """
    Call *function*, or when one is being called in this thread, after that.

    The SDK's metrics hold locks that a thread cannot take twice, as a finalizer or signal handler would that records.
    """
    if _THREAD.inside:
        _THREAD.waiting.append((function, args))
        return
    while True:
        _THREAD.inside = True
        try:
            function(*args)
        finally:
            _THREAD.inside = False
        if not _THREAD.waiting:
            return
        function, args = _THREAD.waiting.popleft()


def _note_collection(phase: str, _info: object) -> None:
    # Neither may need more of the stack than the other: the second would fail alone where it is nearly used up.
    if phase == "start":
        COLLECTING.append(threading.get_ident())
    else:
        COLLECTING.clear()


if sys.version_info < (3, 12):
    gc.callbacks.append(_note_collection)
