"""
Streams that an LLM call returns: the call ends when its stream does.

A generator stays one. The stream of a client is stood for by a proxy, which is of its class and has all that it has;
what is read past the proxy, as helpers of the client do (``text_stream``, ``get_final_message()``), is seen as well
where the client keeps its chunks in a generator of its own. Nothing is run that the application does not run.
"""

from __future__ import annotations

import copy
import functools
import io
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

import wrapt

from tta_observe import _garbage
from tta_observe._generators import Held, drive, drive_async, named
from tta_observe._guard import guarded, quietly
from tta_observe._scalars import is_a

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tta_observe._generators import Opened

_Proxy: Final[Any] = getattr(wrapt, "BaseObjectProxy", wrapt.ObjectProxy)
"""Before wrapt 2 the only one there is, which looks iterable whatever it stands for."""

_FILE: Final = io.IOBase.__base__
"""Of all files, those of C included."""

_EVENTS: Final = ("stream", "body")
"""Where botocore puts an event stream in what it returns."""


def follow(opened: Opened, result: Any) -> Any:
    """
    What stands for the stream *result*, and closes *opened* when it ends; None when it is no stream.

    One that nothing can stand for is returned as it is, and the call is over.
    """
    stand_in = None if _garbage.collecting() else _stand_in(result)
    if stand_in is None:
        return None
    opened.streamed()
    held = Held(opened)
    made = stand_in(held, result)
    if made is None:
        held.finish(None)
    return result if made is None else made


@guarded
def _stand_in(result: Any) -> Callable[[Held, Any], Any] | None:
    if is_a(result, GeneratorType):
        return _generator
    if is_a(result, AsyncGeneratorType):
        return _async_generator
    if type(result) is dict:
        return _in_dict if any(_is_event_stream(result.get(key)) for key in _EVENTS) else None
    return _object if _is_stream(type(result)) else None


def _generator(held: Held, generator: Any) -> Any:
    return named(drive(generator, lambda: held), generator)


def _async_generator(held: Held, generator: Any) -> Any:
    return named(drive_async(generator, lambda: held), generator)


def _in_dict(held: Held, response: dict[str, Any]) -> dict[str, Any]:
    for key in _EVENTS:
        if _is_event_stream(response.get(key)):
            response[key] = _object(held, response[key])
    return response


def _object(held: Held, stream: Any) -> Any:
    followed_inside = _follow_inside(held, stream)
    methods = tuple(name for name in _METHODS if _defines(type(stream), name))
    return quietly(_class_with(methods), stream, held, not followed_inside)  # a proxy asks for attributes


@guarded
def _follow_inside(held: Held, stream: Any) -> bool:
    """Follow the generator that *stream* takes its chunks from, as the clients of OpenAI and Anthropic have it."""
    try:
        inner = object.__getattribute__(stream, "__dict__").get("_iterator")
    except AttributeError:
        return False
    if not is_a(inner, (GeneratorType, AsyncGeneratorType)):
        return False
    stream._iterator = (_generator if is_a(inner, GeneratorType) else _async_generator)(held, inner)  # noqa: SLF001 - see above
    return True


def _is_stream(kind: type) -> bool:
    """Whether it is an iterator, or what a client opens one with."""
    if _name(kind).endswith("StreamManager"):
        return _defines(kind, "__enter__") or _defines(kind, "__aenter__")
    is_iterator = any(_defines(kind, each) and _defines(kind, step) for each, step in _ITERATION)
    return is_iterator and not any(base is _FILE or _module(base) == "unittest.mock" for base in _bases(kind))


def _is_event_stream(value: object) -> bool:
    return _name(type(value)) == "EventStream" and _defines(type(value), "__iter__")


_ITERATION: Final = (("__iter__", "__next__"), ("__aiter__", "__anext__"))


def _bases(kind: type) -> tuple[type, ...]:
    found: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind)
    return found


def _name(kind: type) -> str:
    found: str = type.__dict__["__name__"].__get__(kind)
    return found


def _module(kind: type) -> object:
    return type.__dict__["__module__"].__get__(kind)


def _defines(kind: type, name: str) -> bool:
    return any(name in type.__dict__["__dict__"].__get__(base) for base in _bases(kind)[:-1])


class _Followed(_Proxy):  # type: ignore[misc]
    """Stands for a stream. What it can do beside is added by :func:`_class_with`."""

    def __init__(self, stream: Any, held: Held, is_counting: bool) -> None:  # noqa: FBT001 - its only caller passes it on
        super().__init__(stream)
        self._self_held = held
        self._self_is_counting = is_counting

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)


@functools.cache
def _class_with(methods: tuple[str, ...]) -> Any:
    """A class that has these methods and no others: whoever asks what a stream can do gets the right answer."""
    found = {name: _METHODS[name] for name in methods}
    if "__iter__" in found and "__next__" not in found:
        found["__iter__"] = _each
    return type("_Followed", (_Followed,), {**found, "__module__": __name__})


def _itself(self: Any) -> Any:
    return self


def _each(self: Any) -> Iterator[Any]:
    return _generator(self._self_held, _items(self.__wrapped__))  # type: ignore[no-any-return]


def _items(stream: Any) -> Iterator[Any]:
    yield from stream


def _next(self: Any) -> Any:
    held = self._self_held
    try:
        item = next(self.__wrapped__)
    except StopIteration:
        held.finish(None)
        raise
    except BaseException as error:
        held.finish(error)
        raise
    if self._self_is_counting:
        held.yielded(item)
    return item


async def _anext(self: Any) -> Any:
    held = self._self_held
    try:
        item = await anext(self.__wrapped__)
    except StopAsyncIteration:
        held.finish(None)
        raise
    except BaseException as error:
        held.finish(error)
        raise
    if self._self_is_counting:
        held.yielded(item)
    return item


def _enter(self: Any) -> Any:
    held = self._self_held
    try:
        with held:
            entered = type(self.__wrapped__).__enter__(self.__wrapped__)
    except BaseException as error:
        held.finish(error)
        raise
    return _entered(self, entered)


async def _aenter(self: Any) -> Any:
    held = self._self_held
    try:
        with held:
            entered = await type(self.__wrapped__).__aenter__(self.__wrapped__)
    except BaseException as error:
        held.finish(error)
        raise
    return _entered(self, entered)


def _entered(self: Any, entered: Any) -> Any:
    """What a block yields: the stream itself, as a rule; or another one, which its manager has opened."""
    if entered is self.__wrapped__:
        return self
    return _object(self._self_held, entered) if _is_stream(type(entered)) else entered


def _exit(self: Any, *error: Any) -> Any:
    try:
        return type(self.__wrapped__).__exit__(self.__wrapped__, *error)
    finally:
        self._self_held.close()


async def _aexit(self: Any, *error: Any) -> Any:
    try:
        return await type(self.__wrapped__).__aexit__(self.__wrapped__, *error)
    finally:
        self._self_held.close()


def _close(self: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return self.__wrapped__.close(*args, **kwargs)
    finally:
        self._self_held.close()


def _aclose(self: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return self.__wrapped__.aclose(*args, **kwargs)
    finally:
        self._self_held.close()


_METHODS: Final[dict[str, Any]] = {
    "__iter__": _itself,
    "__next__": _next,
    "__aiter__": _itself,
    "__anext__": _anext,
    "__enter__": _enter,
    "__exit__": _exit,
    "__aenter__": _aenter,
    "__aexit__": _aexit,
    "close": _close,
    "aclose": _aclose,
}
