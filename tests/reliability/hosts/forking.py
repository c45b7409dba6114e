"""Forks while spans are made and sent; each child makes fifty, delivers them and ends: ``forking.py FORKS``."""

import os
import signal
import sys
import threading
import time

from subject import SUBJECT, say

SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


stop = threading.Event()


def hammer():
    while not stop.wait(0.0002):
        work()


def fork_once():
    begun = time.perf_counter()
    pid = os.fork()
    took = time.perf_counter() - begun
    if pid:
        return pid, took
    for _ in range(50):
        work()
    SUBJECT.flush(2.0)
    os._exit(0)


def ended(pid, deadline):
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


sys.setswitchinterval(1e-4)
threading.Thread(target=hammer, daemon=True).start()
time.sleep(0.5)
good, slowest = 0, 0.0
for _ in range(int(sys.argv[1])):
    pid, took = fork_once()
    slowest = max(slowest, took)
    good += ended(pid, time.monotonic() + 5)
stop.set()
say(ended=good, slowest_fork_ms=slowest * 1000)
