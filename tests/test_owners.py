"""Who is running: the task, else the thread; what a forked child runs is nobody's that the parent knows."""

from __future__ import annotations

import asyncio
import os
import threading
from weakref import ref

import pytest

from tta_observe._owners import current_owner


def test_a_thread_is_itself_and_no_other():
    """
    Its identifier would not do: that is given to a later thread again.
    """
    found = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(current_owner()))
        thread.start()
        thread.join()

    assert current_owner() is current_owner()
    assert 3 == len({id(owner) for owner in (current_owner(), *found)})


def test_a_task_is_held_weakly():
    """
    A service map must not keep finished tasks alive.
    """

    async def main():
        owner = current_owner()
        return owner is current_owner(), owner, owner == ref(asyncio.current_task())

    is_same, owner, is_task = asyncio.run(main())

    assert (True, True) == (is_same, is_task)
    assert owner() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_somebody_else():
    """
    Its main thread is a copy of ours, and what it runs is a branch.
    """
    mine = current_owner()
    child = os.fork()
    if child == 0:
        os._exit(current_owner() is mine)
    _, status = os.waitpid(child, 0)

    assert 0 == os.waitstatus_to_exitcode(status)
    assert mine is current_owner()
