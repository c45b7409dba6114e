"""Whether a module can be imported, and what is called nearly the same, without importing anything."""

from __future__ import annotations

import pkgutil
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tta_observe._guard import quietly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def can_be_imported(name: str) -> bool:
    """Whether there is a module *name*; packages around it are looked into, not run."""
    return name in sys.modules or _spec(name) is not None


def missing_module(name: str) -> str:
    """Say that there is no module *name*, and which is called nearly the same."""
    head, _, tail = name.rpartition(".")
    if head and not can_be_imported(head):
        return missing_module(head)
    siblings = _modules_in(head)
    prefix = f"{head}." if head else ""
    return f"There is no module {name!r}. {close_to(tail, siblings, prefix) or 'Is it installed?'}"


def close_to(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A question that offers what of *known* is close to *name*; empty when nothing is."""
    close = get_close_matches(name, list(known), n=3)
    return f"Did you mean {' or '.join(repr(prefix + found) for found in close)}?" if close else ""


def _spec(name: str) -> Any:
    head, _, _ = name.rpartition(".")
    path: Sequence[str] | None = None
    if head:
        package = _spec_of_loaded(head) or _spec(head)
        path = getattr(package, "submodule_search_locations", None)
        if path is None:
            return None
    # importlib.util.find_spec would run the packages around it.
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    specs = (quietly(find, name, path, None) for find in finders if find is not None)
    return next((spec for spec in specs if spec is not None), None)


def _spec_of_loaded(name: str) -> Any:
    return getattr(sys.modules.get(name), "__spec__", None)


def _modules_in(package: str) -> set[str]:
    if not package:
        return {found.name for found in pkgutil.iter_modules()} | {name for name in sys.modules if "." not in name}
    spec = _spec_of_loaded(package) or _spec(package)
    return {found.name for found in pkgutil.iter_modules(getattr(spec, "submodule_search_locations", None) or ())}
