"""Observing code that you may not edit: ``instrument("package.module:Class.method")``, and taking it back."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any, Final, Never

import wrapt

from tta_observe._guard import SharedLock, guarded, warn_once
from tta_observe._observed import Observed
from tta_observe._patching.finding import can_be_imported, close_to, missing_module
from tta_observe._patching.pattern import Pattern, Place, is_function, names_in, parse
from tta_observe._primitive import traced_primitive
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def instrument(
    target: str,
    *,
    type: str = "function",
    action: str = "execute",
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    capture_args: bool | None = None,
    capture_result: bool | None = None,
    **unknown: Never,
) -> None:
    """
    Observe functions that you may not edit, as :func:`tta_observe.traced_primitive` would.

    *target* is ``"package.module:function"``, ``"package.module:Class.method"``, ``"package.module:Class"`` for the
    public functions defined in a class, ``"package.module"`` for those of a module and its classes, or a glob such as
    ``"package.*:Client.fetch_*"``. A dot may stand for the colon where no glob does.

    Before the module is imported or after, that makes no difference: what other modules have taken from it with
    ``from module import function`` is exchanged, too. Nothing is imported, and nothing is observed twice: what is
    decorated already stays as it is. Properties are left alone, and globs mean no names that begin with an underscore,
    unless they begin with one themselves.

    Args:
        target: what to observe.
        type: what kind of step it is.
        action: what it does.
        name: what it is called; default: the qualified name of each function.
        attributes: set on every span of it.
        capture_args: whether its arguments are recorded; None: as ``configure(capture_content=)`` says.
        capture_result: whether what it returns is recorded; None: the same.

    Raises:
        ConfigurationError: an option is wrong, *target* means nothing, or cannot be exchanged. The name of a function
            in a module that is yet to be imported is checked then, and answered with a warning.
    """
    options: dict[str, Any] = {"capture_args": capture_args, "capture_result": capture_result, **unknown}
    patch(target, traced_primitive(type=type, action=action, name=name, attributes=attributes, **options))


def uninstrument(target: str | None = None) -> None:
    """
    Put back what :func:`instrument` with this *target* exchanged, or everything when there is none given.

    The very objects that were there are there again. What somebody else has wrapped meanwhile stays as it is.

    Raises:
        ConfigurationError: nothing was ever instrumented under *target*.
    """
    with _STATE.lock:
        if target is not None and target not in _STATE.known:
            hint = close_to(target, _STATE.known) if isinstance(target, str) else ""
            raise ConfigurationError(f"Nothing was instrumented as {target!r}. {hint}".rstrip())
        for rule in [rule for rule in _STATE.rules if target in (None, rule.text)]:
            _STATE.rules.remove(rule)
            rule.undo()
        for rule in _STATE.rules:  # what two of them meant was exchanged for the first
            rule.apply_to_loaded()


def patch(target: str, decorate: Callable[[Any], Any]) -> None:
    """
    Exchange what *target* means for what *decorate* makes of it, now or when it is imported.

    Raises:
        ConfigurationError: see :func:`instrument`.
    """
    patterns = parse(target)
    with _STATE.lock:
        rule = Rule(target, _likeliest(patterns), decorate)
        _STATE.known[target] = None
        _STATE.rules.append(rule)
        try:
            rule.begin()
        except BaseException:
            _STATE.rules.remove(rule)
            rule.undo()
            raise


def without_effect() -> list[str]:
    """The targets for which nothing was found so far."""
    with _STATE.lock:
        return [rule.text for rule in _STATE.rules if not rule.has_effect]


@dataclass(slots=True, eq=False)
class Rule:
    """One call of :func:`patch`: what is meant, and what was exchanged for it so far."""

    text: str
    pattern: Pattern
    decorate: Callable[[Any], Any]
    exchanged: list[Exchange] = field(default_factory=list)
    has_effect: bool = False

    def begin(self) -> None:
        """Exchange what is loaded, and see to what is not."""
        module = sys.modules.get(self.pattern.module)
        if self.pattern.module_is_glob:
            _watch_imports()
            self.apply_to_loaded()
        elif module is not None:
            self.apply(module)
            if not self.has_effect:
                raise ConfigurationError(_not_there_yet(self.pattern, module) or _missing_name(self.pattern, module))
        elif can_be_imported(self.pattern.module):
            wrapt.register_post_import_hook(_imported, self.pattern.module)
        else:
            raise ConfigurationError(missing_module(self.pattern.module))

    def apply_to_loaded(self) -> None:
        """Exchange what is meant in all modules that are loaded."""
        if not self.pattern.module_is_glob:
            self._apply_to_known(sys.modules.get(self.pattern.module))
            return
        for name, module in list(sys.modules.items()):
            if self.pattern.means_module(name):
                self._apply_to_known(module)

    def _apply_to_known(self, module: ModuleType | None) -> None:
        if inspect.ismodule(module):
            self.apply(module)

    def apply(self, module: ModuleType) -> None:
        """
        Exchange what is meant in *module*.

        Raises:
            ConfigurationError: it was named in full and is no function, or cannot be exchanged.
        """
        for place in self.pattern.places(module):
            self.has_effect = True
            if not _is_observed(place.raw):
                self._exchange(place)

    def undo(self) -> None:
        """Put everything back."""
        while self.exchanged:
            self.exchanged.pop().undo()

    def _exchange(self, place: Place) -> None:
        if not is_function(place.raw) and (inspect.isdatadescriptor(place.raw) or not callable(place.raw)):
            raise ConfigurationError(f"{self.text!r} is no function but {place.raw!r}. Name a function or a method.")
        try:
            self.exchanged.append(_exchange(place, self.decorate(place.raw)))
        except ConfigurationError:  # one function of many may be a lambda, or not written in Python
            if not self.pattern.is_glob:
                raise


def _exchange(place: Place, made: Any) -> Exchange:
    found = Exchange(place, made, is_own=place.name in vars(place.owner))
    try:
        found.do()
    except (AttributeError, TypeError) as error:  # of a class that was not written in Python
        raise ConfigurationError(
            f"{place.name!r} cannot be exchanged: {error}. Instrument the function of yours that calls it."
        ) from None
    return found


@dataclass(frozen=True, slots=True)
class Exchange:
    """*made* stands where *place* had another function; *is_own* unless a class had inherited that."""

    place: Place
    made: Any
    is_own: bool

    def do(self) -> None:
        """Put the new one there, and wherever else the old one was taken to."""
        setattr(self.place.owner, self.place.name, self.made)
        self._exchange_copies(self.place.raw, self.made)

    def undo(self) -> None:
        """Put the old one back."""
        owner, name, raw = self.place
        if inspect.getattr_static(owner, name, None) is self.made:
            if self.is_own:
                setattr(owner, name, raw)
            else:
                delattr(owner, name)
        self._exchange_copies(self.made, raw)

    def _exchange_copies(self, old: Any, new: Any) -> None:
        if not inspect.ismodule(self.place.owner):
            return
        for module in list(sys.modules.values()):
            names = vars(module) if inspect.ismodule(module) else {}
            for name in [name for name, value in list(names.items()) if value is old]:
                names[name] = new


class _State(SharedLock):
    """What is instrumented in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: list[Rule] = []
        self.known: dict[str, None] = {}
        self.watching = False


_STATE: Final = _State()


class _Imports(MetaPathFinder):
    """Finds nothing, but learns of every module that is about to be imported."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if any(rule.pattern.module_is_glob and rule.pattern.means_module(fullname) for rule in list(_STATE.rules)):
            wrapt.register_post_import_hook(_imported, fullname)
        return None


def _watch_imports() -> None:
    if not _STATE.watching:
        # The hooks of wrapt are a finder themselves, which comes first unless it is there already.
        wrapt.register_post_import_hook(_imported, f"{__name__}.nothing")
        sys.meta_path.insert(0, _Imports())
        _STATE.watching = True


@guarded
def _imported(module: ModuleType) -> None:
    with _STATE.lock:
        for rule in [rule for rule in _STATE.rules if rule.pattern.means_module(module.__name__)]:
            try:
                rule.apply(module)
            except ConfigurationError as error:  # who imports has not written it
                warn_once(f"instrument:{rule.text}", "instrument(%r): %s", rule.text, error)
            if not rule.has_effect and not rule.pattern.module_is_glob:
                warn_once(f"instrument:{rule.text}", "instrument: %s", _missing_name(rule.pattern, module))


def _likeliest(patterns: list[Pattern]) -> Pattern:
    """The pattern whose module is there; all of one text differ only in where the module ends."""
    there = (pattern for pattern in patterns if pattern.module_is_glob or can_be_imported(pattern.module))
    return next(there, patterns[0])


def _is_observed(raw: Any) -> bool:
    inner = raw.__func__ if isinstance(raw, (classmethod, staticmethod)) else raw
    return isinstance(inner, Observed)


def _missing_name(pattern: Pattern, module: ModuleType) -> str:
    name = ".".join(pattern.parts)
    if pattern.is_glob:
        return f"Nothing in {module.__name__!r} matches {name!r}: globs mean public functions that are defined there."
    hint = close_to(name, names_in(module), f"{module.__name__}:")
    return f"{module.__name__!r} has no {name!r}. {hint}".rstrip()


def _not_there_yet(pattern: Pattern, module: ModuleType) -> str | None:
    spec: Any = getattr(module, "__spec__", None)
    if module.__name__ == "__main__" or getattr(spec, "_initializing", False):
        return f"{module.__name__!r} has no {'.'.join(pattern.parts)!r} yet. Call instrument() after it is defined."
    return None
