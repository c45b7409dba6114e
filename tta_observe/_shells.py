"""
Thin shells that put one observed call around a function, one for each of the five shapes.

The shells know nothing of spans: they open something, run the function, and close it with what was raised.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

from tta_observe import _garbage, _generators, _streams
from tta_observe._observed import observed
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe._generators import Opened, Opener

F = TypeVar("F", bound="Callable[..., Any]")

Shape: TypeAlias = Literal["plain", "coroutine", "generator", "async generator", "awaitable generator"]

_CLASSMETHODS: Final = ("__init_subclass__", "__class_getitem__")
"""Classmethods that Python makes by itself, but only of its own functions."""


def close(opened: Opened, error: BaseException | None) -> None:
    """End what was opened in this context."""
    if _garbage.COLLECTING:
        _garbage.safely(opened.unbind)
        _garbage.safely(opened.finish, error)
    else:
        opened.unbind()
        opened.finish(error)


def observe(function: F, opener: Opener, again: Callable[[Any], Any]) -> F:
    """
    Wrap *function* so that *opener* is called around each run of it.

    *again* decorates anew; copies and pickles of partials and callable objects need it, which have no name to
    be found by.
    """
    target: Any = function
    if isinstance(target, (classmethod, staticmethod)):
        return cast("F", type(target)(observe(target.__func__, opener, again)))
    made = observed(target, _SHELLS[shape(target)](opener), again)
    implicit = inspect.isfunction(target) and target.__name__ in _CLASSMETHODS
    return cast("F", classmethod(made) if implicit else made)


def inner_function(function: Any) -> Any:
    """What *function* calls in the end: without partials, class- and staticmethods, callable objects."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (classmethod, staticmethod)):
            function = function.__func__
        elif inspect.isroutine(function) or hasattr(function, "__code__"):
            return function
        else:
            return getattr(function, "__wrapped__", type(function).__call__)


def refuse_class(function: object, decorator: str) -> None:
    """
    Check that *function* can be decorated.

    Raises:
        ConfigurationError: it is a class, or cannot be called.
    """
    if inspect.isclass(function):
        raise ConfigurationError(
            f"@{decorator} cannot decorate the class {function.__name__}. "
            "Decorate the methods that you want to see, e.g. its __call__ or run."
        )
    if not callable(function) and not isinstance(function, (classmethod, staticmethod)):
        raise ConfigurationError(f"@{decorator} decorates functions, not {function!r}. Write @{decorator} above a def.")


def shape(function: Any) -> Shape:
    """Which of the five shapes *function* has, whatever it is wrapped in."""
    inner = inner_function(function)
    if _is_awaitable_generator(inner):
        return "awaitable generator"
    if inspect.iscoroutinefunction(inner) or _is_marked(inner):
        return "coroutine"
    if inspect.isasyncgenfunction(inner):
        return "async generator"
    return "generator" if inspect.isgeneratorfunction(inner) else "plain"


def _is_marked(function: Any) -> bool:
    """Whether asyncio takes it for a coroutine function: how objects said that they are, before Python 3.12."""
    mark = getattr(function, "_is_coroutine", None)
    return mark is not None and mark is getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)


def _is_awaitable_generator(function: Any) -> bool:
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _plain_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        opened = _garbage.safely(opener, args, kwargs) if _garbage.COLLECTING else opener(args, kwargs)
        if opened is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            close(opened, error)
            raise
        if opened.watches:
            return _told(opened, result)
        close(opened, None)
        return result

    return shell


def _told(opened: Opened, result: Any) -> Any:
    """Close *opened*, of which somebody wants to know *result*; a stream is followed, and closes it when it ends."""
    stream = _streams.follow(opened, result) if opened.is_llm else None
    if stream is not None:
        return stream
    opened.returned(result)
    close(opened, None)
    return result


class Pending:
    """A coroutine that has not started; closed when it never does, because Python warns of the one around it."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self._awaitable = awaitable

    def take(self) -> Any:
        """The coroutine, to be awaited."""
        awaitable, self._awaitable = self._awaitable, None
        return awaitable

    def __del__(self) -> None:
        if inspect.iscoroutine(self._awaitable):
            self._awaitable.close()


def _coroutine_shell(opener: Opener) -> Any:
    async def run(pending: Pending, args: Any, kwargs: Any) -> Any:
        opened = _garbage.safely(opener, args, kwargs) if _garbage.COLLECTING else opener(args, kwargs)
        if opened is None:
            return await pending.take()
        try:
            result = await pending.take()
        except BaseException as error:
            close(opened, error)
            raise
        if opened.watches:
            return _told(opened, result)
        close(opened, None)
        return result

    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        # Called here, so that wrong arguments fail where the function is called, as without us.
        awaitable = wrapped(*args, **kwargs)
        return _generators.named(run(Pending(awaitable), args, kwargs), awaitable)

    return shell


def _generator_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        return _generators.named(_generators.drive(generator, _generators.opening(opener, args, kwargs)), generator)

    return shell


def _awaitable_generator_shell(opener: Opener) -> Any:
    """For functions under ``types.coroutine``: what they return can be awaited."""

    @types.coroutine
    def drive(generator: Any, args: Any, kwargs: Any) -> Any:
        return (yield from _generators.drive(generator, _generators.opening(opener, args, kwargs, is_watched=False)))

    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        return _generators.named(drive(generator, args, kwargs), generator)

    return shell


def _async_generator_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        return _generators.named(
            _generators.drive_async(generator, _generators.opening(opener, args, kwargs)), generator
        )

    return shell


_SHELLS: Final[dict[Shape, Callable[[Opener], Any]]] = {
    "plain": _plain_shell,
    "coroutine": _coroutine_shell,
    "generator": _generator_shell,
    "async generator": _async_generator_shell,
    "awaitable generator": _awaitable_generator_shell,
}
