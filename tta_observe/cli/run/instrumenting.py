"""From what a file says to what is observed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tta_observe._patching import Rule, patch
from tta_observe._patching.finding import can_be_imported
from tta_observe._patching.pattern import parse
from tta_observe._primitive import traced_primitive
from tta_observe._workflow import workflow
from tta_observe.cli.run.program import MAIN
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tta_observe._patching.pattern import Pattern
    from tta_observe._settings.file import FileRule, FileSettings


def apply(settings: FileSettings, names: Sequence[str]) -> list[Rule]:
    """
    Observe what *settings* name; returns what is left for the main module, which has these *names*.

    Workflows come first: a function that a glob for primitives matches as well is a workflow alone.

    Raises:
        ConfigurationError: an entry is wrong, or names a module that is nowhere.
    """
    main: list[Rule] = []
    for rule, decorate in _decorators(settings):
        try:
            main += _apply(rule, decorate(rule), names)
        except ConfigurationError as error:
            raise ConfigurationError(f"{rule.where}: {error}") from None
    return main


def _decorators(settings: FileSettings) -> Iterator[tuple[FileRule, Callable[[FileRule], Any]]]:
    yield from ((rule, _workflow) for rule in settings.workflows)
    yield from ((rule, _primitive) for rule in settings.primitives)


def _apply(rule: FileRule, decorate: Callable[[Any], Any], names: Sequence[str]) -> list[Rule]:
    patterns = parse(rule.pattern)
    _refuse_ourselves(patterns[0])
    found = next((pattern for pattern in patterns if _means_main(pattern, names)), None)
    if found is None:
        _patch(rule.pattern, decorate)
        return []
    # Under its own name the main module may be imported once more.
    if found.module_is_glob or (found.module != MAIN and can_be_imported(found.module)):
        patch(rule.pattern, decorate)
    return [Rule(rule.pattern, found, decorate)]


def _patch(target: str, decorate: Callable[[Any], Any]) -> None:
    try:
        patch(target, decorate)
    except ConfigurationError as error:
        hint = " If the program itself adds to sys.path, set PYTHONPATH to the same directory."
        raise ConfigurationError(f"{error}{hint if 'no module' in str(error) else ''}") from None


def _means_main(pattern: Pattern, names: Sequence[str]) -> bool:
    return any(pattern.means_module(name) for name in (MAIN, *names))


def _refuse_ourselves(pattern: Pattern) -> None:
    if fnmatchcase("tta_observe._call", pattern.module) or fnmatchcase("tta_observe", pattern.module):
        raise ConfigurationError(
            f"{pattern.text!r} means tta_observe itself, too. Begin it with the name of your own package."
        )


def _primitive(rule: FileRule) -> Callable[[Any], Any]:
    decorate: Callable[[Any], Any] = traced_primitive(**rule.options)
    return decorate


def _workflow(rule: FileRule) -> Callable[[Any], Any]:
    options = dict(rule.options)
    name = options.pop("name", None)
    if name is not None:
        return workflow(name, **options)
    workflow("checked now", **options)
    return lambda function: workflow(_name_of(function), **options)(function)


def _name_of(function: Any) -> str:
    inner = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
    return str(getattr(inner, "__qualname__", None) or type(inner).__qualname__)
