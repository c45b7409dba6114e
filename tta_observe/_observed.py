"""Observed functions as objects: what a function can do beside being called, they can."""

from __future__ import annotations

import copy
import operator
import sys
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable

_METHOD_DESCRIPTOR: Final = 1 << 17
"""``Py_TPFLAGS_METHOD_DESCRIPTOR``: calling what it binds to an object is calling it with the object in front."""


def observed(wrapped: Any, shell: Any, again: Callable[[Any], Any]) -> Any:
    """
    Make the object that stands for *wrapped*: *shell* is called in its place, in the way of wrapt.

    *again* decorates anew: partials and callable objects have no name to be found by when they are copied or pickled.
    """
    is_function = isinstance(wrapped, Observed) or type(wrapped).__flags__ & _METHOD_DESCRIPTOR
    return (_ObservedFunction if is_function else Observed)(wrapped, shell, again)


class Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg,misc,unused-ignore]  # wrapt 1 has no types
    """An observed callable; wrapt alone refuses to be pickled or copied, which would break process pools."""

    def __init__(self, wrapped: Any, wrapper: Any, again: Callable[[Any], Any]) -> None:
        super().__init__(wrapped, wrapper)
        self._self_again = again

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        wrapped: Any = self.__wrapped__
        bound = wrapped.__get__(instance, owner) if hasattr(type(wrapped), "__get__") else wrapped
        return self if bound is wrapped else Observed(bound, self._self_wrapper, self._self_again)

    def __reduce_ex__(self, protocol: Any) -> Any:
        wrapped: Any = self.__wrapped__
        name = getattr(wrapped, "__qualname__", None)
        if name is None or _look_up(wrapped.__module__, name) is wrapped:  # the latter: observed under another name
            return _decorate_again, (self._self_again, wrapped)
        return name

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __copy__(self) -> Any:
        return self if hasattr(self.__wrapped__, "__qualname__") else self._self_again(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if hasattr(self.__wrapped__, "__qualname__"):
            return self
        return self._self_again(copy.deepcopy(self.__wrapped__, memo))


class _ObservedFunction(Observed):
    """
    An observed function. As a method it is bound as functions are, not by wrapt.

    So methods are real ones: they can be pickled, held weakly and taken apart, and through the class there is always
    the same object.
    """

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)


def _look_up(module: str, name: str) -> Any:
    try:
        return operator.attrgetter(name)(sys.modules[module])
    except (AttributeError, KeyError):
        return None


def _decorate_again(again: Callable[[Any], Any], wrapped: Any) -> Any:
    return again(wrapped)
