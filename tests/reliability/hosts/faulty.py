"""One call on a machine with one fault: ``faulty.py FAULT``. Says what the call returned."""

import logging
import os
import resource
import sys
import threading
import time

from subject import say

import tta_observe

fault = sys.argv[1]


@tta_observe.traced_primitive
def work(clock_step_s=0):
    if clock_step_s:
        real = time.time_ns
        time.time_ns = lambda: real() + int(clock_step_s * 1e9)
    return 42


def no_descriptors():
    import tta_observe._configure
    import tta_observe._pipeline

    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    assert tta_observe._configure
    return taken


def no_threads():
    def refuse(self):
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse


class BrokenHandler(logging.Handler):
    def emit(self, record):
        raise RuntimeError("a broken handler")


def closed_stderr():
    logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
    sys.stderr.close()


FAULTS = {
    "fd limit": no_descriptors,
    "thread": no_threads,
    "closed stderr": closed_stderr,
    "broken handler": lambda: logging.getLogger().addHandler(BrokenHandler()),
    "read-only home": lambda: os.environ.update(HOME="/proc/none", TTA_OBSERVE_STORE="/proc/none/store.db"),
}
FAULTS.get(fault, lambda: None)()
tta_observe.configure()
result = work(-5 if fault == "clock" else 0)
tta_observe.flush(2.0)
say(result=result, spans=1)
