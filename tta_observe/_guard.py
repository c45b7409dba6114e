"""
The one place where failures of the telemetry are caught, so that they never reach the host application.

In production they are counted and logged once per place; in our own tests they are raised again.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from tta_observe._secrets import masked

if TYPE_CHECKING:
    from collections.abc import Callable

LOGGER: Final = logging.getLogger("tta_observe")

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MOST_WARNINGS: Final = 1000
"""Warnings that differ are remembered up to here; past it nothing new is said, so that the set stays small."""


class SharedLock:
    """
    Has a reentrant lock as ``lock``, and a new one in a forked process, where whoever held it does not exist.

    For what lives as long as the process: it is told of forks for ever.
    """

    def __init__(self) -> None:
        self._renew_lock()
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self.lock = threading.RLock()


class _Guard(SharedLock):
    """What went wrong so far in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.reraise = False
        self.errors: Counter[str] = Counter()
        self.said: set[str] = set()


STATE: Final = _Guard()


def guarded(function: Callable[_P, _R]) -> Callable[_P, _R | None]:
    """Make *function* return None where it would raise an :class:`Exception` of ours."""

    @functools.wraps(function)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> _R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the host application is sacred
            swallow(function.__qualname__, error)
            return None

    return safe


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    """
    Call *function*, which may be user code such as ``__str__``; whatever it raises is dropped.

    Even a :class:`SystemExit` from a ``__str__`` must not replace the exception that is being recorded.
    """
    try:
        return function(*args)
    except BaseException:  # noqa: BLE001 - see the docstring
        return None


def swallow(where: str, error: Exception) -> None:
    """Count *error*, say it once per place, and go on; our own tests get it back."""
    if STATE.reraise:
        raise error
    STATE.errors[where] += 1
    quietly(_tell, where, error)


def warn_once(key: str, message: str, *args: object) -> None:
    """Log *message* at warning level the first time that *key* is seen in this process."""
    with STATE.lock:
        if key in STATE.said or len(STATE.said) >= _MOST_WARNINGS:
            return
        STATE.said.add(key)
    quietly(_log, message, args)


def forget_warnings() -> None:
    """Let every warning be said again."""
    with STATE.lock:
        STATE.said.clear()


def _tell(where: str, error: Exception) -> None:
    warn_once(
        f"internal:{where}:{type(error).__name__}",
        "your code is still running, with less telemetry: internal error in %s (%s)",
        where,
        type(error).__name__,
    )
    LOGGER.debug("internal error in %s", where, exc_info=error)


def _log(message: str, args: tuple[object, ...]) -> None:
    # What is told may have come from anywhere: the name of a model, the text of an error.
    LOGGER.warning(cast("Any", message), *(masked(arg) if type(arg) is str else arg for arg in args))
