"""``tta-observe run --suggest``: a ``[tool.tta_observe]`` for a program, proposed from its own functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe.cli import output
from tta_observe.cli.run.guesses import functions_in
from tta_observe.cli.run.sources import modules_of
from tta_observe.cli.words import many, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tta_observe.cli.run.guesses import Function
    from tta_observe.cli.run.sources import Module

_MOST: Final = 25
_STEPS: Final = 2
"""Who calls so many of the others puts them together, and is a workflow."""

_ORDER: Final = ("llm", "embedding", "retriever", "cache", "router", "tool", "validator", "retry", "fallback")


@dataclass(frozen=True, slots=True)
class _Found:
    """A function, and where it is."""

    module: Module
    function: Function

    @property
    def pattern(self) -> str:
        return f"{self.module.name}:{self.function.qualname}"

    @property
    def rank(self) -> int:
        type_ = self.function.type
        return _ORDER.index(type_) if type_ in _ORDER else len(_ORDER)


def suggest(words: Sequence[str]) -> int:
    """Write a proposal to the standard output; 1 when there is nothing to propose."""
    try:
        modules = modules_of(words)
    except FileNotFoundError as error:
        output.say(f"tta-observe run --suggest: there is no {plain_text(error)}. Name a script.", error=True)
        return 1
    text = propose(modules, Path(words[-1] if words else ".").resolve().stem)
    if text is None:
        output.say(_nothing(modules), error=True)
        return 1
    output.say(text)
    return 0


def propose(modules: Sequence[Module], service: str) -> str | None:
    """The proposal for *service* as TOML; None when no function of *modules* is telling."""
    functions = [_Found(module, function) for module in modules for function in functions_in(module.tree)]
    telling = [found for found in functions if found.function.type is not None]
    workflows = _workflows(functions, telling)
    around = {found.function.name for found in workflows} | {"main"}
    steps = [found for found in telling if found not in workflows and not found.function.calls & around]
    steps = [found for found in steps if found.function.name != "main"]
    if not workflows and not steps:
        return None
    chosen = sorted(steps, key=lambda found: found.rank)[:_MOST]
    kept = [found for found in steps if found in chosen]
    head = _head(service, len(modules), left_out=len(steps) - len(kept))
    return "\n".join([*head, *_rules(workflows[:_MOST], kept)])


def _workflows(functions: Sequence[_Found], telling: Sequence[_Found]) -> list[_Found]:
    """Those that call several of *telling*, or at least one; and that no other of them calls."""
    names = {found.function.name for found in telling}
    callers = {found: len((found.function.calls & names) - {found.function.name}) for found in functions}
    for least in (_STEPS, 1):
        several = [found for found in functions if callers[found] >= least]
        called = {name for found in several for name in found.function.calls - {found.function.name}}
        top = [found for found in several if found.function.name not in called]
        if top:
            return top
    return []


def _head(service: str, files: int, *, left_out: int) -> Iterator[str]:
    yield f"# Proposed from {many(files, 'file')}, by names and calls alone: read it, and change what is wrong."
    if left_out:
        yield f"# {many(left_out, 'more function')} could be named; a glob such as 'package.module:*' means many."
    yield f"[tool.tta_observe]\nservice_name = {json.dumps(service)}"


def _rules(workflows: Sequence[_Found], steps: Sequence[_Found]) -> Iterator[str]:
    for found in workflows:
        yield f"\n[[tool.tta_observe.workflows]]  # {_place(found)}"
        yield f"pattern = {json.dumps(found.pattern)}\nname = {json.dumps(_dashed(found.function.qualname))}"
    for found in steps:
        function = found.function
        yield f"\n[[tool.tta_observe.primitives]]  # {_place(found)}"
        yield f'pattern = {json.dumps(found.pattern)}\ntype = "{function.type}"\naction = "{function.action}"'


def _place(found: _Found) -> str:
    path = found.module.path
    shown = path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
    return plain_text(f"{shown}:{found.function.line}")


def _dashed(qualname: str) -> str:
    return qualname.replace(".", "-").replace("_", "-").lower()


def _nothing(modules: Sequence[Module]) -> str:
    return (
        f"tta-observe run --suggest: nothing to propose from {many(len(modules), 'file')}. No function is async, calls "
        "a known client, or is named like a step.\nName what you want to see yourself, in pyproject.toml:\n\n"
        '  [[tool.tta_observe.primitives]]\n  pattern = "package.module:function"\n  type = "tool"'
    )
