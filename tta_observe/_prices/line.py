"""
What has to wait until the prices are read, in order.

genai-prices is imported by a thread of ours: that takes a tenth of a second, which no call of the application shall
pay. Nothing here holds a lock, because a finalizer may come along at any moment; ``deque`` is atomic.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from tta_observe import _guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._prices.book import Book

LIMIT: Final = 10_000
"""So much waits at most."""

_EXIT_S: Final = 1.0
"""Where nothing was configured, the end of the process waits so long."""

_FORK_WAITS_S: Final = 1.0
"""
A process that is forked while a thread imports inherits locks on modules that nobody will release. So a fork waits for
the end of the import, and the import for the end of a fork.
"""

_FORK_TAKES_S: Final = 0.01

_IDLE_S: Final = 1.0
"""Nobody needs a price yet: the start of the application is not the time to import something."""


class _Line:
    """Who waits, and whoever has the turn works it off."""

    def __init__(self) -> None:
        self.book: Book | None = None
        self.is_read = False
        self.unread = 0
        self.exit_hook = False
        self.renew()

    def renew(self) -> None:
        """Begin anew, in a process that was forked: what waits is the parent's, no thread of its runs here."""
        self.waiting: deque[Callable[[], object]] = deque()
        self.turn: deque[None] = deque([None])
        self.worker: int | None = None
        self.wanted = threading.Event()
        self.reading: threading.Event | None = None
        self.forks = 0

    def renew_in_child(self) -> None:
        """The same; and what was half imported when the fork came stays so here: there will be no prices."""
        if self.reading is not None:
            self.is_read = True
        self.renew()

    def start(self) -> bool:
        """Have a thread work off what waits; False when none can be started."""
        if not _took(self.turn):
            return True
        begin: deque[None] = deque([None])
        try:
            threading.Thread(target=self._work, args=(begin,), name="tta-observe-prices", daemon=True).start()
        except BaseException as error:
            if not _took(begin):  # it runs all the same
                return True
            self.turn.append(None)
            if not isinstance(error, Exception):
                raise
            return False
        return True

    def _work(self, begin: deque[None]) -> None:
        if _took(begin):
            self.worker = threading.get_ident()
            self.work_off()

    def work_off(self) -> None:
        """Read the prices and do what waits; to be called with the turn, which is given back."""
        failed: list[Exception] = []
        while True:
            if not self.is_read and self._is_needed():
                self._read()
            while self.is_read and self.waiting:
                _do(self.waiting[0], failed)
                self.waiting.popleft()  # only now: until it is done, nothing may overtake it
            self.worker = None
            self.turn.append(None)
            if not self.waiting or not _took(self.turn):
                break
        for error in failed:
            _guard.swallow("in_order", error)

    def _is_needed(self) -> bool:
        """Whether to read now: somebody waits, or will; a program that is ending and has not asked will not."""
        return self.wanted.wait(_IDLE_S) or threading.main_thread().is_alive()

    def _read(self) -> None:
        done = self.reading = threading.Event()
        while self.forks:
            self.reading = None
            done.set()
            sleep(_FORK_TAKES_S)
            done = self.reading = threading.Event()
        self.book = _read_book()
        self.is_read, self.reading = True, None
        done.set()

    def before_fork(self) -> None:
        self.forks += 1
        reading = self.reading
        if reading is not None:
            reading.wait(_FORK_WAITS_S)

    def after_fork(self) -> None:
        self.forks = 0


def _read_book() -> Book | None:
    try:
        from tta_observe._prices.book import Book

        return Book.read()
    except BaseException as error:  # noqa: BLE001 - whatever a broken installation raises
        hint = "models have no price but those that you give: genai-prices cannot be read (%s). %s"
        _guard.warn_once("no-prices", hint, error, "Run: pip install --upgrade genai-prices")
        return None


def _took(token: deque[None]) -> bool:
    try:
        token.pop()
    except IndexError:
        return False
    return True


def _do(work: Callable[[], object], failed: list[Exception]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the next one's turn comes
        failed.append(error)
    except BaseException:  # noqa: BLE001, S110 - a SystemExit of a __str__ is nobody's here
        pass


_LINE: Final = _Line()


def in_order(work: Callable[[], object], *, needs_price: bool = True) -> None:
    """
    Do *work* that needs a price, or has to come after such work.

    At once, as a rule. Until the prices are read it waits behind what is waiting, and is done by a thread of ours, in
    an empty context; nobody's call waits for it. What it raises is swallowed there.

    Args:
        work: called once.
        needs_price: False for what only has to keep the order: it waits only where something is waiting.
    """
    if not _LINE.waiting and (_LINE.is_read or not needs_price):
        work()
    elif len(_LINE.waiting) < LIMIT:
        _LINE.waiting.append(work)
        _look_after()
    else:
        _LINE.unread += 1
        _guard.warn_once("prices-late", "LLM calls came faster than the prices were read: some are recorded without.")
        work()


def drain(timeout_s: float) -> bool:
    """Wait at most *timeout_s* seconds until all is done that was waiting before; True when it is."""
    if not _LINE.waiting:
        return True
    if threading.get_ident() == _LINE.worker:  # work that flushes would wait for itself
        return False
    done = threading.Event()
    _LINE.waiting.append(done.set)
    _LINE.wanted.set()
    if not _LINE.start() and _took(_LINE.turn):
        _LINE.work_off()
    return done.wait(min(max(0.0, timeout_s), threading.TIMEOUT_MAX))


def after_drain(deliver: Callable[[float], bool], timeout_s: float) -> bool:
    """Call *deliver* with the seconds left of *timeout_s*, half of them at least, once nothing waits."""
    deadline = monotonic() + timeout_s
    is_drained = drain(timeout_s / 2)
    return deliver(deadline - monotonic()) and is_drained


def prepare() -> None:
    """
    Have a thread of ours read the prices, when the first is needed or after a second.

    Who calls this calls :func:`drain` at exit.
    """
    _LINE.exit_hook = True
    atexit.unregister(_at_exit)
    if not _LINE.is_read:
        _LINE.start()


def is_read() -> bool:
    """Whether the prices are read, or never will be."""
    return _LINE.is_read


def book() -> Book | None:
    """What genai-prices says, once it is read."""
    found = _LINE.book
    if found is not None and found.is_outdated():  # the application keeps its prices up to date
        found = _LINE.book = found.renewed()
    return found


def unread() -> int:
    """How much was done without a price, because too much was waiting."""
    return _LINE.unread


def _look_after() -> None:
    if not _LINE.exit_hook:
        _LINE.exit_hook = True
        atexit.register(_at_exit)
    _LINE.wanted.set()
    _LINE.start()


def _at_exit() -> None:
    drain(_EXIT_S)


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_LINE.before_fork, after_in_parent=_LINE.after_fork, after_in_child=_LINE.renew_in_child)
