"""
A quiet moment for forks.

A process that is forked while one of its threads is inside a request of gRPC copies locks that nobody will release, and
gRPC's core says so on standard error. So a fork waits for the request that is under way, and the next one for the fork.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORK_WAITS_S: Final = 0.08
"""A receiver that does not answer must not hold up a fork; then it happens in the middle of a request."""

_REQUEST_WAITS_S: Final = 1.0
"""Longer than any fork takes; a request must not wait for a thread that died while forking."""


class _Requests:
    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget, in a process that was forked, what threads of the parent were doing."""
        self.changed = threading.Condition()
        self.under_way = 0
        self.forks = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold off forks for the time of a request."""
        with self.changed:
            self.changed.wait_for(lambda: not self.forks, _REQUEST_WAITS_S)
            self.under_way += 1
        try:
            yield
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def before_fork(self) -> None:
        with self.changed:
            self.forks += 1
            self.changed.wait_for(lambda: not self.under_way, _FORK_WAITS_S)

    def after_fork(self) -> None:
        with self.changed:
            self.forks -= 1
            self.changed.notify_all()


_REQUESTS: Final = _Requests()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_REQUESTS.before_fork, after_in_parent=_REQUESTS.after_fork, after_in_child=_REQUESTS.renew
    )


@contextmanager
def request() -> Iterator[None]:
    """Send inside this block."""
    with _REQUESTS.one():
        yield
