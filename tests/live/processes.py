"""Programs that run beside the tests: started, waited for, ended whatever happens, their logs at hand."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

RUNNING = {}
"""The programs that run now, by name: what they said is shown when a test fails."""

WAIT_S = 60.0
"""Longest wait for anything that should take a second or two: the machine may be busy."""

_ENDING_S = 10.0
_LAST_CHARACTERS = 3_000
_NUMBERS = count()


class Ended(Exception):  # noqa: N818 - what happened, and no error for those who expect it
    """A program is gone that should run."""


class Running:
    """A program, with what it says in a file."""

    def __init__(self, name, command, directory, environment=None):
        self.name = f"{name} {next(_NUMBERS)}"
        self.log = Path(directory) / f"{self.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                cwd=directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        RUNNING[self.name] = self

    def said(self):
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_words(self):
        """The end of it, for somebody who looks for what went wrong."""
        return self.said()[-_LAST_CHARACTERS:]

    def line_with(self, text):
        """Wait until it has printed a line with *text*, and return that; it has to live meanwhile."""

        def found():
            if self.process.poll() is not None:
                raise Ended(f"{self.name} ended with {self.process.returncode}")
            return [line for line in self.said().splitlines() if text in line]

        return wait_for(found, f"{self.name} to say {text!r}")[0]

    def end(self):
        """End it, politely first."""
        self.process.terminate()
        try:
            self.process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        RUNNING.pop(self.name, None)


@contextmanager
def running(name, command, directory, environment=None):
    """Run a program while the block runs; an error in there is told what the program said."""
    program = Running(name, command, directory, environment)
    try:
        yield program
    except Exception as error:
        error.add_note(f"{program.name} said:\n{program.last_words()}")
        raise
    finally:
        program.end()


@contextmanager
def listening(start, attempts=3):
    """
    Run what *start(port)* makes, a context manager, on a free port.

    Somebody else may take the port between asking the system for it and the start of the program: then again.
    """
    with ExitStack() as stack:
        yield _entered(stack, start, attempts)


def _entered(stack, start, attempts):
    for left in reversed(range(attempts)):
        try:
            return stack.enter_context(start(free_port()))
        except Ended:
            if not left:
                raise
    raise AssertionError("unreachable")


def wait_for(answer, what, timeout_s=WAIT_S):
    """Ask until *answer()* is true, and return it; fails with *what* was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = answer()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.1)


def free_port():
    """A port that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def substituted(text, replacements):
    """*text* with the keys of *replacements* turned to their values; each has to be in it."""
    for old, new in replacements.items():
        if old not in text:
            raise LookupError(f"{old!r} is not in the file any more: adapt the test\n{text}")
        text = text.replace(old, new)
    return text
