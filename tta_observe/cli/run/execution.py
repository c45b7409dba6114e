"""Running the program's main module, so that neither it nor whoever reads its traceback sees a difference."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import quietly
from tta_observe.cli.run import definitions
from tta_observe.cli.run.program import MAIN, CannotRun, make_main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType, TracebackType

    from tta_observe._patching import Rule
    from tta_observe.cli.run.program import Source

_OURS: Final = __name__.partition(".")[0] + "."

_LAUNCHER: Final = sys.modules.get(MAIN)
"""The main module that we were started from. Kept: its frames are still in use, so it must not be emptied."""


def execute(load: Callable[[], Source], rules: Sequence[Rule]) -> None:
    """
    Execute what *load* finds as ``__main__``, with what *rules* mean observed; whatever it raises goes on.

    Raises:
        CannotRun: there is nothing to execute, or it has not what *rules* name; nothing was executed.
    """
    try:
        execute_as(MAIN, load(), rules)
    except (CannotRun, SystemExit):
        raise
    except BaseException:
        main = sys.modules.get(MAIN)
        _hide_our_frames({} if main is None or main is _LAUNCHER else vars(main))
        raise


def execute_as(name: str, source: Source, rules: Sequence[Rule]) -> ModuleType:
    """The module *name*, executed."""
    code = definitions.compiled(source, rules)
    module = make_main(source, name)
    definitions.observe(module, rules)
    exec(code, vars(module))  # noqa: S102 - the program that we were asked to run
    return module


def _hide_our_frames(main: dict[str, Any]) -> None:
    """Let the exception that is about to end the process be shown as without us; *main* are the program's globals."""
    shown_by = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        quietly(_strip, error, main)
        shown_by(kind, error, error.__traceback__)

    sys.excepthook = hook


def _strip(error: BaseException, main: dict[str, Any]) -> None:
    """
    Take what called the program off the traceback, and the shells around its functions out of it.

    Of the exceptions before it only the latter: they were raised further in.
    """
    error.__traceback__ = sys.last_traceback = _from_program(error.__traceback__, main)
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            current.__traceback__ = _without_shells(current.__traceback__)
            waiting += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def _from_program(trace: TracebackType | None, main: dict[str, Any]) -> TracebackType | None:
    """*trace* from the main module on; where that never began, from what is not ours."""
    last_of_ours = None
    current = trace
    while current is not None:
        if current.tb_frame.f_globals is main:
            return current
        last_of_ours = current if _is_ours(current) else last_of_ours
        current = current.tb_next
    return trace if last_of_ours is None else last_of_ours.tb_next


def _without_shells(trace: TracebackType | None) -> TracebackType | None:
    first = _next_of_theirs(trace)
    current = first
    while current is not None:
        current.tb_next = _next_of_theirs(current.tb_next)
        current = current.tb_next
    return first


def _next_of_theirs(trace: TracebackType | None) -> TracebackType | None:
    """*trace* from the first frame that is not a shell; a frame of ours that raised by itself is none."""
    while trace is not None and trace.tb_next is not None and _is_ours(trace):
        trace = trace.tb_next
    return trace


def _is_ours(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).startswith(_OURS)
