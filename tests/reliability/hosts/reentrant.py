"""Telemetry from inside of telemetry: ``reentrant.py WAY``. A hang is seen by the watchdog."""

import gc
import logging
import signal
import sys
import threading
import time

from subject import SUBJECT, say

import tta_observe


@tta_observe.traced_primitive
def work(value=None):
    tta_observe.set_attributes({"value": value})
    tta_observe.record_cache_operation(hit=True, name="c", key=value)


class Meddling:
    """Whatever is asked of it, it records."""

    def _meddle(self):
        tta_observe.set_attributes({"meddled": 1})
        work()
        tta_observe.flush(0.01)
        return "meddling"

    __str__ = __repr__ = _meddle

    def __format__(self, _spec):
        return self._meddle()

    def __hash__(self):
        self._meddle()
        return 1

    def __eq__(self, other):
        self._meddle()
        return True

    def __bool__(self):
        self._meddle()
        return True

    def __len__(self):
        self._meddle()
        return 1

    def __iter__(self):
        self._meddle()
        return iter(())

    def __del__(self):
        self._meddle()


class MeddlingError(Exception):
    __str__ = Meddling._meddle


class MeddlingHandler(logging.Handler):
    def emit(self, record):
        work()
        tta_observe.flush(0.01)
        tta_observe.stats()


def dunders():
    for kind in (str, list, dict, int):
        name = f"Meddling{kind.__name__}"
        odd = type(name, (Meddling, kind), {"__hash__": None} if kind in (list, dict) else {})
        work(odd())
    for _ in range(50):
        with tta_observe.workflow("chat", attributes={"value": Meddling()}):
            work(Meddling())
            try:
                with tta_observe.primitive("failing"):
                    raise MeddlingError
            except MeddlingError:
                pass


def log_handler():
    logging.getLogger("tta_observe").addHandler(MeddlingHandler())
    logging.getLogger().addHandler(MeddlingHandler())
    for _ in range(50):
        work()
        tta_observe.record_execution("a", "tool", float("nan"), "success")
        tta_observe.configure(service_name="another")
    time.sleep(1.5)


class InCycle(Meddling):
    def __init__(self):
        self.me = self

    def __del__(self):
        work()
        tta_observe.stats()


def finalizer():
    gc.set_threshold(5, 2, 2)
    for _ in range(2000):
        InCycle()
        work()
    gc.collect()


def by_signal():
    signal.signal(signal.SIGALRM, lambda *_: (work(), tta_observe.stats(), tta_observe.flush(0)))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        work()
        tta_observe.stats()
    signal.setitimer(signal.ITIMER_REAL, 0)


def threads():
    sys.setswitchinterval(1e-6)
    started = [threading.Thread(target=lambda: [work() for _ in range(300)]) for _ in range(32)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


SUBJECT.configure()
WAYS = {"dunders": dunders, "log handler": log_handler, "finalizer": finalizer, "signal": by_signal, "threads": threads}
begun = time.monotonic()
if sys.argv[1] != "log handler":
    logging.disable()
WAYS[sys.argv[1]]()
gc.set_threshold(700, 10, 10)
say(took_s=time.monotonic() - begun)
