"""Which files make a program, as far as their text tells."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final
from warnings import catch_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_FILES: Final = 300
_NOT_SOURCES: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "tests", "venv"})


@dataclass(frozen=True, slots=True)
class Module:
    """A file that could be parsed; *name* is what it is imported as, or run as."""

    name: str
    path: Path
    tree: ast.Module


def modules_of(words: Sequence[str]) -> list[Module]:
    """
    The modules of a script and what it imports from beside it, of a package given as ``-m NAME``, or of a directory.

    Raises:
        FileNotFoundError: there is no such thing.
    """
    if words[:1] == ["-m"]:
        return _of_package(words[1] if words[1:] else "")
    path = Path(words[0] if words else ".")
    if path.is_dir():
        return _below(path, path / "src" if (path / "src").is_dir() else path)
    if not path.is_file():
        raise FileNotFoundError(path)
    return _imported_from(path)


def _of_package(name: str) -> list[Module]:
    top = name.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(Path.cwd())]) or PathFinder.find_spec(top)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"-m {name}")
    file = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return _imported_from(file)
    return _below(file.parent, file.parent.parent)


def _below(directory: Path, root: Path) -> list[Module]:
    files: list[Path] = []
    for place, names, found in os.walk(directory):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NOT_SOURCES)
        files += [Path(place, name) for name in sorted(found) if name.endswith(".py") and not _is_test(name)]
        if len(files) >= _MOST_FILES:
            break
    return list(_parsed(files[:_MOST_FILES], root))


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name in ("conftest.py", "setup.py")


def _parsed(files: Sequence[Path], root: Path) -> Iterator[Module]:
    for file in files:
        tree = _tree(file)
        if tree is not None:
            yield Module(_name(file, root), file, tree)


def _name(file: Path, root: Path) -> str:
    if not file.is_relative_to(root):
        root = file.parent
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _tree(file: Path) -> ast.Module | None:
    try:
        with catch_warnings(action="ignore"):  # of a file that nobody runs
            return ast.parse(file.read_bytes(), str(file))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported_from(script: Path) -> list[Module]:
    """*script*, and what it and its own imports name that lies beside it."""
    root, waiting, found = script.parent, [script], dict[Path, Module]()
    while waiting and len(found) < _MOST_FILES:
        file = waiting.pop(0)
        if file not in found:
            for module in _parsed([file], root):
                found[file] = module
                waiting += [path for name in _imports(module) for path in _files(root, name)]
    return list(found.values())


def _imports(module: Module) -> Iterator[str]:
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join(filter(None, [*around, node.module]))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _files(root: Path, name: str) -> list[Path]:
    place = root.joinpath(*name.split("."))
    return [path for path in (place.with_suffix(".py"), place / "__init__.py") if name and path.is_file()]
