"""
Nothing of SQLite is open while the process forks.

SQLite keeps its locks per process and inode: a child that was forked while a connection was open would believe to hold
locks that it does not hold, and damage the file (sqlite.org/howtocorrupt.html, section 2.6).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class Forkable(Protocol):
    """What holds a file open, and can let go of it for a moment."""

    def before_fork(self) -> None:
        """Let go of the file, and keep it so until the fork is over."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Go on as a process of its own."""


_WATCHED: Final[WeakSet[Forkable]] = WeakSet()


def watch(holder: Forkable) -> None:
    """Tell *holder* about every fork for as long as it lives."""
    _WATCHED.add(holder)


def _tell(what: Callable[[Forkable], None]) -> Callable[[], None]:
    def tell_all() -> None:
        for holder in tuple(_WATCHED):
            what(holder)

    return tell_all


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(
        before=_tell(lambda holder: holder.before_fork()),
        after_in_parent=_tell(lambda holder: holder.after_fork_in_parent()),
        after_in_child=_tell(lambda holder: holder.after_fork_in_child()),
    )
