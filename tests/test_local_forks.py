import gc
import os

import pytest

from tta_observe.local import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are no concept of this platform")


class Holder:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def before_fork(self):
        self.told.append("before")

    def after_fork_in_parent(self):
        self.told.append("parent")

    def after_fork_in_child(self):
        self.told.append("child")


def forked(holder):
    """What *holder* was told in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, " ".join(holder.told).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 100).decode().split()
    os.close(reading)
    os.close(writing)
    return told


def test_holder_lets_go_around_a_fork():
    """
    Servers fork their workers from a process that has the store open.
    """
    holder = Holder()
    forks.watch(holder)

    assert ["before", "child"] == forked(holder)
    assert ["before", "parent"] == holder.told


def test_holder_that_is_gone_is_not_kept():
    """
    Tests of users configure and shut down a thousand times.
    """
    watched = len(forks._WATCHED)
    holder = Holder()
    forks.watch(holder)
    del holder
    gc.collect()

    assert watched == len(forks._WATCHED)
