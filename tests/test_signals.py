"""SIGTERM delivers first, and then means what it meant before."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest
from programs import environment
from receiver import black_hole, receiving

from tta_observe._signals import flush_before_sigterm

PROGRAM = """
import os, signal, sys, time
import tta_observe

{before}
tta_observe.configure(endpoint={endpoint!r}, flush_on_sigterm={wanted})
for _ in range(10):
    with tta_observe.primitive("last"):
        pass
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(20)
"""


def ended(directory, endpoint, *, wanted=True, before=""):
    """Exit code of a program that gets SIGTERM right after its last call, what it printed, and how long it took."""
    program = PROGRAM.format(endpoint=endpoint, wanted=wanted, before=before)
    began = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment(directory), capture_output=True, text=True, timeout=30
    )
    return found, time.monotonic() - began


@pytest.mark.parametrize(("wanted", "delivered"), [(True, 10), (False, 0)])
def test_sigterm_delivers_when_asked_to_and_still_ends_the_process(wanted, delivered, tmp_path):
    """
    Orchestrators stop every process this way, and look at how it ended.
    """
    with receiving() as receiver:
        program, _ = ended(tmp_path, receiver.endpoint, wanted=wanted)

        assert (-signal.SIGTERM, "") == (program.returncode, program.stderr)
        assert delivered == len(receiver.spans())


def test_the_handler_of_the_application_has_its_way(tmp_path):
    """
    A graceful shutdown that was there before is not ours to take away.
    """
    before = "signal.signal(signal.SIGTERM, lambda number, frame: (print('graceful', flush=True), sys.exit(7)))"
    with receiving() as receiver:
        program, _ = ended(tmp_path, receiver.endpoint, before=before)

        assert (7, "graceful\n") == (program.returncode, program.stdout)
        assert 10 == len(receiver.spans())


def test_an_ignored_sigterm_stays_ignored(tmp_path):
    """
    Some programs end only when their parent does.
    """
    before = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep = lambda _: print('alive')"
    with receiving() as receiver:
        program, _ = ended(tmp_path, receiver.endpoint, before=before)

        assert (0, "alive\n") == (program.returncode, program.stdout)


def test_a_receiver_that_never_answers_costs_two_seconds_at_most(tmp_path):
    """
    Whoever sent SIGTERM sends SIGKILL next.
    """
    with black_hole() as endpoint:
        _, without = ended(tmp_path, endpoint, wanted=False)
        program, took_s = ended(tmp_path, endpoint)

        assert -signal.SIGTERM == program.returncode
        assert took_s - without < 3  # 2 s, and what a shared machine adds


@pytest.fixture(name="restored")
def _restored():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_second_call_changes_nothing(restored):
    """
    A handler that chains itself never ends.
    """
    flush_before_sigterm(bool)
    first = signal.getsignal(signal.SIGTERM)
    flush_before_sigterm(bool)

    assert signal.getsignal(signal.SIGTERM) is first


def test_outside_the_main_thread_it_is_said_that_it_has_no_effect(restored, caplog):
    """
    Python sets handlers in the main thread alone; nobody should learn that from missing spans.
    """
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=flush_before_sigterm, args=(bool,))
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGTERM) is before
    assert "flush_on_sigterm has no effect" in caplog.text
