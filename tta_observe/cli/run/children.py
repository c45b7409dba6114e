"""
Processes that the program starts by ``multiprocessing`` with spawn or forkserver: observed as their parent is.

What such a child is told first is data, which it unpickles before it imports anything of the program's; there stands
a call of :func:`begin` besides. Forked children need none of this. Programs that are started in any other way, by
``subprocess`` or ``os.exec*``, are programs of their own: put ``tta-observe run`` in front of them.
"""

from __future__ import annotations

import functools
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import wrapt

from tta_observe._guard import guarded
from tta_observe.cli.run.execution import execute_as
from tta_observe.cli.run.program import source_of_file, source_of_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tta_observe._patching import Rule

_BEGIN: Final = """
try:
    from tta_observe.cli.run.session import begin_in_child
except Exception:
    pass  # another Python, without this package
else:
    begin_in_child(said)
"""
_MAIN: Final = "__mp_main__"


def follow(state: dict[str, Any]) -> None:
    """Have every such child begin with *state*, which is plain data, and its ``sys_path``."""
    wrapt.register_post_import_hook(lambda spawn: _extend(spawn, state), "multiprocessing.spawn")


@guarded
def _extend(spawn: Any, state: dict[str, Any]) -> None:
    prepared: Callable[..., dict[str, Any]] = spawn.get_preparation_data

    @functools.wraps(prepared)
    def extended(name: str) -> dict[str, Any]:
        data = prepared(name)
        data["tta_observe"] = _Begin({**state, "sys_path": data.get("sys_path", sys.path)})
        return data

    spawn.get_preparation_data = extended


class _Begin:
    """Is a call of :func:`begin` once it was unpickled."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._said = json.dumps(state)

    def __reduce__(self) -> Any:
        return exec, (_BEGIN, {"said": self._said})


def deliver_at_end(deliver: Callable[[], None]) -> None:
    """In a child: call *deliver* when it ends; children of a fork server call no other hook."""
    util = sys.modules["multiprocessing.util"]
    util.register_after_fork(deliver, lambda call: call())  # not earlier: what is registered now is forgotten


def observe_main(rules: list[Rule]) -> None:
    """In a child: when its ``__main__`` is imported again, observe in it what *rules* mean."""
    if rules:
        wrapt.register_post_import_hook(lambda spawn: _replace_runpy(spawn, rules), "multiprocessing.spawn")


@guarded
def _replace_runpy(spawn: ModuleType, rules: list[Rule]) -> None:
    """:mod:`multiprocessing.spawn` runs the main module by these two functions, and by no other way."""

    def run_path(path: str, run_name: str = _MAIN) -> dict[str, Any]:
        names = {"__doc__": None, "__package__": "", "__spec__": None, "__loader__": None}
        return vars(execute_as(run_name, source_of_file(path, names), rules))

    def run_module(name: str, run_name: str = _MAIN, *, alter_sys: bool = False) -> dict[str, Any]:  # noqa: ARG001 - as it is called
        return vars(execute_as(run_name, source_of_module(name), rules))

    vars(spawn)["runpy"] = SimpleNamespace(run_path=run_path, run_module=run_module)
