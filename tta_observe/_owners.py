"""Who is running: the task, or else the thread."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final
from weakref import ref


class _Thread(threading.local):
    def __init__(self) -> None:
        self.token = object()  # not the identifier, which is used again for a later thread


_THREAD: Final = _Thread()


def current_owner() -> object:
    """The running task of asyncio or trio, held weakly, or else a token of this thread."""
    asyncio = sys.modules.get("asyncio")  # a program without it need not import it
    if asyncio is not None:
        try:
            loop = asyncio._get_running_loop()  # noqa: SLF001 - the public way raises, at a fifth of the whole cost
            if loop is not None and (task := asyncio.current_task(loop)) is not None:
                return ref(task)  # the same object each time, as long as a strand holds it
        except AttributeError:  # asyncio is being imported
            pass
    return _trio_task() if "trio" in sys.modules else _THREAD.token


def _trio_task() -> object:
    try:
        return ref(sys.modules["trio"].lowlevel.current_task())
    except (AttributeError, RuntimeError):  # trio is being imported; or does not run here
        return _THREAD.token


def _renew_token() -> None:
    _THREAD.token = object()  # what a forked child runs is a branch of what its parent ran


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_renew_token)
