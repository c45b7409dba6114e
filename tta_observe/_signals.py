"""SIGTERM: deliver what was recorded, then let it have the effect that it had before."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import quietly, warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

_FLUSH_S: Final = 1.8
"""Orchestrators kill what does not end; with the end of the process it stays within 2 s."""


def flush_before_sigterm(flush: Callable[[float], object]) -> None:
    """
    Have *flush* called, with the seconds that it may take, before SIGTERM does what it does now.

    In the main thread only, as Python has it; elsewhere there is one warning. A handler that the application installs
    later takes the place of this one. A second call changes nothing.
    """
    before = signal.getsignal(signal.SIGTERM)
    if isinstance(before, partial) and before.func is _deliver:
        return
    if threading.current_thread() is not threading.main_thread() or before is None:
        warn_once(
            "sigterm",
            "flush_on_sigterm has no effect: configure() runs outside the main thread, or a library holds the signal. "
            "Call configure() in the main thread, or flush() in your own handler.",
        )
        return
    signal.signal(signal.SIGTERM, partial(_deliver, flush, before))


def _deliver(flush: Callable[[float], object], before: Any, number: int, frame: Any) -> None:
    quietly(flush, _FLUSH_S)
    if callable(before):
        before(number, frame)
    elif before == signal.SIG_DFL:  # ended by the signal, not by an exit code that looks like it
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
