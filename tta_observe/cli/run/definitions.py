"""
Functions of the program's own main module, observed as soon as they are defined.

They are called by the very module that defines them, so there is no moment after the import: each statement that
defines what a pattern may mean is followed by a call of :func:`defined`. Line numbers stay as they are.
"""

from __future__ import annotations

import ast
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import guarded, swallow, warn_once
from tta_observe._patching.finding import close_to
from tta_observe.cli.run.program import CannotRun
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType, ModuleType

    from tta_observe._patching import Rule
    from tta_observe.cli.run.program import Source

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BINDINGS: Final = (*_DEFINITIONS, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)


class _Main:
    """The main module that is being executed, and what is to be observed in it."""

    def __init__(self) -> None:
        self.module: ModuleType | None = None
        self.rules: Sequence[Rule] = ()


_MAIN: Final = _Main()


def compiled(source: Source, rules: Sequence[Rule]) -> CodeType:
    """
    The code of *source*, in which what *rules* mean is observed; as it stands where there are none.

    Raises:
        CannotRun: a name that is written in full is not defined there.
        SyntaxError: it is no Python.
    """
    if source.text is None or not rules:
        return source.compiled()
    try:
        return _followed(source, rules)
    except (CannotRun, SyntaxError):
        raise
    except Exception as error:  # noqa: BLE001 - Python may compile what we cannot follow
        swallow("tta-observe run", error)
        return source.compiled()


def _followed(source: Source, rules: Sequence[Rule]) -> CodeType:
    tree: Any = compile(source.text or "", source.file, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    names = _names(tree)
    for rule in rules:
        _refuse_unknown(rule, names)
    _Follow([rule.pattern.parts[0] for rule in rules]).visit(tree)
    return compile(ast.fix_missing_locations(tree), source.file, "exec", dont_inherit=True)


def observe(module: ModuleType, rules: Sequence[Rule]) -> None:
    """Apply *rules* to *module* while it is executed."""
    _MAIN.module, _MAIN.rules = module, rules


@guarded
def defined(name: str) -> None:
    """Called from the main module: it has *name* from now on."""
    if _MAIN.module is None:
        return
    for rule in _MAIN.rules:
        if fnmatchcase(name, rule.pattern.parts[0]):
            try:
                rule.apply(_MAIN.module)
            except ConfigurationError as error:
                warn_once(f"run:{rule.text}", "%s: %s", rule.text, error)


class _Follow(ast.NodeTransformer):
    """Puts a call of :func:`defined` behind each statement of the module itself that defines what *heads* match."""

    def __init__(self, heads: Sequence[str]) -> None:
        self._heads = heads

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, _BINDINGS):
            found = [name for name in _bound(node) if any(fnmatchcase(name, head) for head in self._heads)]
            return [node, *(_call(name, node) for name in found)]
        return node if isinstance(node, ast.expr) else self.generic_visit(node)


def _call(name: str, after: ast.stmt) -> ast.stmt:
    # An expression that needs no name of the module's own, and adds none.
    call = ast.parse(f"__import__({__name__!r}, fromlist=('defined',)).defined({name!r})").body[0]
    for node in ast.walk(call):
        ast.copy_location(node, after)
    return call


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _names(tree: ast.Module) -> dict[str, set[str] | None]:
    """What the module binds, and what is inside: None where that cannot be told from the text."""
    found: dict[str, set[str] | None] = {}
    for node in _statements(tree):
        for name in _bound(node):
            is_plain = isinstance(node, ast.ClassDef) and not node.bases and not node.keywords
            inner = {inside for child in _statements(node) for inside in _bound(child)} if is_plain else None
            found[name] = inner if name not in found else None
    return found


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements that run when *node* does, those in branches and loops included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, (*_DEFINITIONS, ast.expr)):
            yield from _statements(child)


def _refuse_unknown(rule: Rule, names: dict[str, set[str] | None]) -> None:
    head, *rest = rule.pattern.parts
    if rule.pattern.is_glob or "*" in names:
        return
    inner = names.get(head)
    if head in names and (not rest or inner is None or rest[0] in inner):
        return
    known = [*names, *(f"{outer}.{name}" for outer, inside in names.items() for name in inside or ())]
    text = ".".join(rule.pattern.parts)
    module = sys.argv[0]
    raise CannotRun(f"{rule.text!r}: {module} has no {text!r}. {close_to(text, known)}".rstrip(), 2)
