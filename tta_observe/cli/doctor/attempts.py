"""Attempts that may hang: each runs in a thread of its own, which the end of the program does not wait for."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

PATIENCE_S: Final = 2.0
"""How long one attempt over a network, or on a file system, may take."""


def begin(attempt: Callable[[], _T]) -> Future[_T]:
    """Start *attempt*; its result, or what it raised, is in the future."""
    future: Future[_T] = Future()

    def settle() -> None:
        try:
            result = attempt()
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=settle, name="doctor attempt", daemon=True).start()
    return future


def within(seconds: float, attempt: Callable[[], _T]) -> _T:
    """
    The result of *attempt*.

    Raises:
        TimeoutError: there is none after *seconds*.
    """
    return begin(attempt).result(seconds)
