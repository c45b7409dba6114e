"""
Forks while another thread holds one lock of the telemetry, for every lock that can be found.

A child that records, flushes and ends within four seconds is well. The locks are found by walking through all
objects of this library, of OpenTelemetry's SDK and of logging, so that none is forgotten when the code changes.
"""

import gc
import os
import signal
import sys
import threading
import time

from opentelemetry import trace
from subject import SUBJECT, say

import tta_observe

SUBJECT.configure(label_limit=50)
OURS = ("tta_observe", "opentelemetry")
OUT_OF_REACH = {"opentelemetry.sdk.resources._service_instance_id_lock"}
"""Taken by the SDK's own fork handler, in every application that has a TracerProvider."""
LOCK, RLOCK = type(threading.Lock()), type(threading.RLock())


@tta_observe.traced_primitive
def work():
    tta_observe.record_cache_operation(hit=True, name="c")
    tta_observe.record_llm_usage(provider="p", model="m", prompt_tokens=1, completion_tokens=1)


def open_llm_call():
    return tta_observe.primitive("open", type="llm")


def everything():
    tta_observe.record_llm_usage(provider="p", model="m", prompt_tokens=1)
    tta_observe.set_attributes({"open": True})
    with tta_observe.workflow("chat"):
        work()


def locks():
    """Every lock that an object or module of the telemetry holds, one of a kind: where it is, and the lock."""
    found = {"the current span": trace.get_current_span()._lock}  # of all spans the one that the child writes to
    for where, name, value in [*_of_objects(), *_of_modules()]:
        inner = getattr(value, "_lock", value) if isinstance(value, threading.Condition) else value
        if isinstance(inner, (LOCK, RLOCK)) and f"{where}.{name}" not in OUT_OF_REACH:
            found.setdefault(f"{where}.{name}", inner)
    return found


def _of_objects():
    for thing in gc.get_objects():
        module = type(thing).__dict__.get("__module__", "")
        if isinstance(module, str) and module.startswith(OURS) and not isinstance(thing, type):
            for name, value in _attributes(thing):
                yield f"{module}.{type(thing).__qualname__}", name, value


def _of_modules():
    for module in [module for module in sys.modules if module.startswith(OURS)]:
        for name, value in vars(sys.modules[module]).items():
            yield module, name, value


def _attributes(thing):
    held = dict(getattr(thing, "__dict__", None) or {})
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if isinstance(name, str) and hasattr(thing, name):
                held[name] = getattr(thing, name)
    return list(held.items())


def hold(lock, held, release):
    with lock:
        held.set()
        release.wait(30)


def child_is_well(lock):
    held, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(lock, held, release), daemon=True)
    holder.start()
    if not held.wait(2):  # somebody waits in it for good: it cannot be held at a fork
        release.set()
        return True
    pid = os.fork()
    if not pid:
        everything()
        tta_observe.flush(1.0)
        os._exit(0)
    release.set()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


everything()
SUBJECT.flush(2.0)
everything()
with SUBJECT.tracer().start_as_current_span("open"), tta_observe.workflow("open"), open_llm_call():
    everything()
    by_name = locks()
    hung = [name for name, lock in by_name.items() if not child_is_well(lock)]
say(hung=hung, locks=len(by_name), names=sorted(by_name))
os._exit(0)
