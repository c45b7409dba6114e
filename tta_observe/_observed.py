"""Observed functions as objects: what a function can do beside being called, they can."""

from __future__ import annotations

import copy
import operator
import sys
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable


_ATTRIBUTES = ("_self_wrapper", "_self_enabled", "_self_binding", "_self_parent")
"""Under these names wrapt keeps the arguments of a bound wrapper."""


class _BoundObserved(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg,misc,unused-ignore]  # wrapt 1 has no types
    """
    An observed method of one object, or a static method; pickled and copied as those are.

    wrapt gives it its seven arguments. :class:`weakref.WeakMethod` remakes a method of two: function and object.
    """

    def __init__(self, *args: Any) -> None:
        if len(args) == 2:  # noqa: PLR2004 - see above
            function, owner = args
            made = function.__get__(owner, type(owner))
            args = (made.__wrapped__, owner, *(getattr(made, name) for name in _ATTRIBUTES))
        super().__init__(*args)

    @property
    def __func__(self) -> Any:
        wrapped: Any = self.__wrapped__
        function = wrapped.__func__
        return self._self_parent if self._self_parent.__wrapped__ is function else function

    def __reduce_ex__(self, protocol: Any) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return _reduce(self) if owner is None else (getattr, (owner, self.__wrapped__.__name__))

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return self if owner is None else getattr(copy.deepcopy(owner, memo), self.__wrapped__.__name__)


class Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg,misc,unused-ignore]  # wrapt 1 has no types
    """
    An observed function; pickled and copied as a function is: by its name.

    wrapt alone refuses both, which would break process pools. *again* decorates anew: partials and callable objects
    have no name to be found by.
    """

    __bound_function_wrapper__ = _BoundObserved

    def __init__(self, wrapped: Any, wrapper: Any, again: Callable[[Any], Any]) -> None:
        super().__init__(wrapped, wrapper)
        self._self_again = again

    def __reduce_ex__(self, protocol: Any) -> Any:
        if not hasattr(self.__wrapped__, "__qualname__"):
            return _decorate_again, (self._self_again, self.__wrapped__)
        return _reduce(self)

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __copy__(self) -> Any:
        return self if hasattr(self.__wrapped__, "__qualname__") else self._self_again(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if hasattr(self.__wrapped__, "__qualname__"):
            return self
        return self._self_again(copy.deepcopy(self.__wrapped__, memo))


def _reduce(observed: Any) -> Any:
    """How *observed* is pickled, depending on what stands under its name."""
    wrapped = observed.__wrapped__
    module, name = wrapped.__module__, wrapped.__qualname__
    found = _look_up(module, name)
    if found is wrapped and isinstance(observed, Observed):  # decorated under another name
        return _decorate_again, (observed._self_again, wrapped)  # noqa: SLF001
    if isinstance(found, _BoundObserved) and found.__wrapped__ is wrapped:  # made anew at each access
        return _look_up, (module, name)
    return str(name)


def _look_up(module: str, name: str) -> Any:
    __import__(module)
    try:
        return operator.attrgetter(name)(sys.modules[module])
    except AttributeError:
        return None


def _decorate_again(again: Callable[[Any], Any], wrapped: Any) -> Any:
    return again(wrapped)
