"""
Thin shells that put one observed call around a function, one for each of the four shapes.

The shells know nothing of spans: they open something, run the function, and close it with what was raised.
"""

from __future__ import annotations

import copy
import functools
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

import wrapt

from tta_observe import _telemetry, context
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

F = TypeVar("F", bound="Callable[..., Any]")


class Opened(Protocol):
    """Something that was opened in the current context and has to be closed. Neither method raises."""

    def unbind(self) -> None:
        """Make the context what it was before."""

    def finish(self, error: BaseException | None) -> None:
        """Record how it ended."""


Opener: TypeAlias = "Callable[[], Opened | None]"


def close(opened: Opened, error: BaseException | None) -> None:
    """End what was opened in this context."""
    opened.unbind()
    opened.finish(error)


def observe(function: F, opener: Opener, again: Callable[[Any], Any]) -> F:
    """
    Wrap *function* so that *opener* is called around each run of it.

    *again* decorates anew; copies and pickles of partials and callable objects need it, which have no name to
    be found by.
    """
    return cast("F", Observed(function, _shell(function)(opener), again))


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


def _shell(function: Any) -> Callable[[Opener], Any]:
    inner = inner_function(function)
    if inspect.iscoroutinefunction(inner):
        return _coroutine_shell
    if inspect.isasyncgenfunction(inner):
        return _async_generator_shell
    return _generator_shell if inspect.isgeneratorfunction(inner) else _plain_shell


def _plain_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        opened = opener()
        if opened is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            close(opened, error)
            raise
        close(opened, None)
        return result

    return shell


def _coroutine_shell(opener: Opener) -> Any:
    async def run(awaitable: Any) -> Any:
        opened = opener()
        if opened is None:
            return await awaitable
        try:
            result = await awaitable
        except BaseException as error:
            close(opened, error)
            raise
        close(opened, None)
        return result

    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        # Called here, so that wrong arguments fail where the function is called, as without us.
        awaitable = wrapped(*args, **kwargs)
        return _named(run(awaitable), awaitable)

    return shell


def _generator_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        return _named(_drive(generator, opener), generator)

    return shell


def _async_generator_shell(opener: Opener) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        return _named(_drive_async(generator, opener), generator)

    return shell


def _named(made: Any, original: Any) -> Any:
    """Give *made* the name of *original*, which warnings and task lists show."""
    made.__name__ = getattr(original, "__name__", made.__name__)
    made.__qualname__ = getattr(original, "__qualname__", made.__qualname__)
    return made


_STEPPING: ContextVar[object] = ContextVar("tta_observe.stepping")
"""Set while a generator runs: its token tells whether a step ends in the context in which it began."""


class _Inside:
    """
    The context of a generator: swapped in for each of its steps, out again at each yield.

    So its consumer never sees it, and nothing is held across a ``yield``.
    """

    __slots__ = ("_inside", "_outside", "_token", "opened")

    def __init__(self, opener: Opener) -> None:
        outside = _capture()
        self.opened = opener()
        self._inside = _capture()
        _swap(outside)

    def __enter__(self) -> None:
        self._token = _STEPPING.set(self)
        self._outside = _capture()
        if self.opened is not None:
            _swap(self._inside)

    def __exit__(self, *_: object) -> None:
        try:
            _STEPPING.reset(self._token)
        except ValueError:  # a task that was never finished is collected elsewhere: that context is not ours
            return
        if self.opened is not None:
            self._inside = _capture()
            _swap(self._outside)

    def finish(self, error: BaseException | None) -> None:
        """The generator has ended; its consumer's context is current."""
        if self.opened is not None:
            self.opened.finish(error)


def _drive(generator: Generator[Any, Any, Any], opener: Opener) -> Generator[Any, Any, Any]:
    inside = _Inside(opener)
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            try:
                with inside:
                    item = generator.send(sent) if thrown is None else generator.throw(thrown)
            except StopIteration as stop:
                result = stop.value
                break
            sent = thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the generator
                thrown = error
    except BaseException as error:
        thrown = None
        inside.finish(error)
        raise
    thrown = None
    inside.finish(None)
    return result


async def _drive_async(generator: AsyncGenerator[Any, Any], opener: Opener) -> AsyncGenerator[Any, Any]:
    inside = _Inside(opener)
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            try:
                with inside:
                    item = await (generator.asend(sent) if thrown is None else generator.athrow(thrown))
            except StopAsyncIteration:
                break
            sent = thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the generator
                thrown = error
    except BaseException as error:
        thrown = None
        inside.finish(error)
        raise
    thrown = None
    inside.finish(None)


def _capture() -> tuple[context.State, Any]:
    return context.capture(), _telemetry.otel_current()


def _swap(wanted: tuple[context.State, Any]) -> None:
    context.swap(wanted[0])
    _telemetry.otel_swap(wanted[1])


class _BoundObserved(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg,misc,unused-ignore]  # wrapt 1 has no types
    """An observed method of one object; pickled and copied as a method is: by its object and its name."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return self.__wrapped__.__qualname__ if owner is None else (getattr, (owner, self.__wrapped__.__name__))

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return self if owner is None else getattr(copy.deepcopy(owner, memo), self.__wrapped__.__name__)


class Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg,misc,unused-ignore]  # wrapt 1 has no types
    """
    An observed function; pickled and copied as a function is: by its name.

    wrapt alone refuses both, which would break process pools.
    """

    __bound_function_wrapper__ = _BoundObserved

    def __init__(self, wrapped: Any, wrapper: Any, again: Any) -> None:
        super().__init__(wrapped, wrapper)
        self._self_again = again

    def __reduce_ex__(self, protocol: Any) -> Any:
        name = getattr(self.__wrapped__, "__qualname__", None)
        return name if name is not None else (_decorate_again, (self._self_again, self.__wrapped__))

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __copy__(self) -> Any:
        return self if hasattr(self.__wrapped__, "__qualname__") else self._self_again(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if hasattr(self.__wrapped__, "__qualname__"):
            return self
        return self._self_again(copy.deepcopy(self.__wrapped__, memo))


def _decorate_again(again: Callable[[Any], Any], wrapped: Any) -> Any:
    return again(wrapped)
