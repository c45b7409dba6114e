"""Which functions a text such as ``"package.module:Class.method"`` or ``"package.*:Client.fetch_*"`` means."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tta_observe._observed import Observed
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_PART: Final = r"[\w*?\[\]!]+"
_TEXT: Final = re.compile(rf"{_PART}(\.{_PART})*(:{_PART}(\.{_PART})*)?")
_GLOB: Final = re.compile(r"[*?\[]")
_EVERYTHING: Final = ("*",)


class Place(NamedTuple):
    """Where a function hangs: the attribute *name* of *owner*, and *raw* as it stands there."""

    owner: Any
    name: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Pattern:
    """*text* taken apart: *module* may be a glob over dotted names, *parts* are globs over the names inside."""

    text: str
    module: str
    parts: tuple[str, ...] = _EVERYTHING

    @property
    def is_glob(self) -> bool:
        """Whether it may mean any number of functions, none included."""
        return self.module_is_glob or any(map(_GLOB.search, self.parts))

    @property
    def module_is_glob(self) -> bool:
        """Whether it may mean several modules."""
        return _GLOB.search(self.module) is not None

    def means_module(self, name: str) -> bool:
        """Whether functions of the module *name* may be meant."""
        return fnmatchcase(name, self.module)

    def places(self, module: ModuleType) -> Iterator[Place]:
        """
        Where in *module* the functions hang that are meant.

        What is named in full is found wherever it comes from; globs, whole classes and whole modules mean what is
        public and was defined there.
        """
        if any(map(_GLOB.search, self.parts)):
            yield from _matching(module, self.parts, module.__name__)
            return
        found = _named(module, self.parts)
        if found is not None and inspect.isclass(found.raw):
            yield from _matching(found.raw, _EVERYTHING, found.raw.__module__)
        elif found is not None:
            yield found


def parse(text: object) -> list[Pattern]:
    """
    What *text* may mean, the likeliest first: without a colon, where the module ends is for the modules to tell.

    Raises:
        ConfigurationError: it is no such text.
    """
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} names no function. Write 'package.module:function', 'package.module:Class.method', "
            "'package.module' for all of a module, or a glob such as 'package.*:fetch_*'."
        )
    module, colon, inside = text.partition(":")
    if colon:
        return [Pattern(text, module, tuple(inside.split(".")))]
    names = text.split(".")
    splits = (names[:end] for end in range(len(names), 0, -1))
    return [Pattern(text, ".".join(head), tuple(names[len(head) :]) or _EVERYTHING) for head in splits]


def names_in(module: ModuleType) -> list[str]:
    """What could have been written after the colon."""
    found = [place for place in _members(module, module.__name__, private=True) if _is_callable(place.raw)]
    inner = [f"{outer.name}.{place.name}" for outer in found for place in _inside(outer)]
    return [*[place.name for place in found], *inner]


def _inside(place: Place) -> Iterator[Place]:
    if inspect.isclass(place.raw):
        yield from _members(place.raw, place.raw.__module__, private=True)


def _named(owner: Any, parts: tuple[str, ...]) -> Place | None:
    for part in parts[:-1]:
        owner = _attribute(owner, part)
    raw = _attribute(owner, parts[-1])
    return None if raw is None else Place(owner, parts[-1], raw)


def _attribute(owner: Any, name: str) -> Any:
    found = None if owner is None else inspect.getattr_static(owner, name, None)
    if found is None and inspect.ismodule(owner):  # modules may make their names when they are asked for
        found = getattr(owner, name, None)
    return found


def _matching(owner: Any, parts: tuple[str, ...], module: str) -> Iterator[Place]:
    """Functions in *owner* that *parts* match; a class that the last of them matches stands for its functions."""
    first, rest = parts[0], parts[1:]
    for place in _members(owner, module, private=first.startswith("_")):
        if not fnmatchcase(place.name, first):
            continue
        if inspect.isclass(place.raw):
            yield from _matching(place.raw, rest or _EVERYTHING, module)
        elif not rest and is_function(place.raw):
            yield place


def _members(owner: Any, module: str, *, private: bool) -> Iterator[Place]:
    """What was defined in *module* and hangs on *owner*: not what was merely imported there."""
    for name, raw in list(vars(owner).items()):
        inner = raw.__func__ if isinstance(raw, (classmethod, staticmethod)) else raw
        if name.startswith("_") and not private:
            continue
        if getattr(inner, "__module__", None) == module and _is_defined_in(raw, owner):
            yield Place(owner, name, raw)


def _is_defined_in(raw: Any, owner: Any) -> bool:
    """Whether *raw*, if it is a class, was defined in the body of *owner*: a class may also hold itself."""
    if not inspect.isclass(raw) or not inspect.isclass(owner):
        return True
    return raw.__qualname__.rpartition(".")[0] == owner.__qualname__


def is_function(raw: object) -> bool:
    """Whether *raw* is a function, in whatever descriptor or decorator, and neither a class nor a mere value."""
    if isinstance(raw, (classmethod, staticmethod, partial, Observed)):
        return True
    return not inspect.isclass(raw) and (inspect.isroutine(raw) or (callable(raw) and hasattr(raw, "__wrapped__")))


def _is_callable(raw: object) -> bool:
    return callable(raw) or is_function(raw)
