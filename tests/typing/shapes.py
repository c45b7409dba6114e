"""Only the type checkers run this: the shapes that other decorators lose, each observed in every way there is."""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, assert_type, overload

from tta_observe import agent, bound_context, instrument, primitive, step, traced_cache, traced_primitive, workflow

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


# Functions that take and return functions.


@traced_primitive
def retried(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
    return function(*args, **kwargs)


@traced_primitive(type="retry")
def with_retries(times: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return function

    return decorate


@workflow("outer")
def without_first(function: Callable[Concatenate[int, P], R]) -> Callable[P, R]:
    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(1, *args, **kwargs)

    return inner


@with_retries(3)
@traced_primitive(type="llm", action="complete")
async def ask(prompt: str, /, *images: bytes, model: str = "m", **more: float) -> str:
    return prompt


async def asked() -> None:
    assert_type(await ask("a", b"", b"", model="n", top=1.0), str)
    assert_type(retried(ask, "a", model="n"), Awaitable[str])
    retried(ask, 1)  # type: ignore[arg-type]
    await ask()  # type: ignore[call-arg]
    await ask("a", top="high")  # type: ignore[arg-type]


coroutine: Callable[[str], Coroutine[Any, Any, str]] = ask


@without_first
@traced_primitive
def add(one: int, two: int, three: str = "") -> str:
    return three * (one + two)


assert_type(add(2, "a"), str)
add("a")  # type: ignore[arg-type]


@traced_primitive
def first_of(items: list[T], otherwise: R) -> T | R:
    return items[0] if items else otherwise


assert_type(first_of([1], None), int | None)


# Generators keep what they are sent and return; blocks around them keep what they yield.


@traced_primitive
def talk(one: int) -> Generator[int, str, bytes]:
    said = yield one
    return said.encode()


@workflow("answer", session_id="s-1")
async def answer(prompt: str) -> AsyncIterator[str]:
    yield prompt


@agent("talker")
@step("talk")
@bound_context(agent_type="talker")
@primitive("talk", type="llm", action="stream")
@traced_primitive(type="llm", action="stream")
async def converse(prompt: str) -> AsyncGenerator[str, int]:
    number = yield prompt
    yield prompt * number


def listen() -> Generator[int, str, None]:
    assert_type((yield from talk(1)), bytes)


async def read() -> None:
    async for token in answer("a"):
        assert_type(token, str)
    talking = converse("a")
    assert_type(await talking.asend(3), str)
    await talking.asend("3")  # type: ignore[arg-type]
    answer(1)  # type: ignore[arg-type]


@contextlib.contextmanager
@traced_primitive
def opened(path: str) -> Generator[bytes, None, None]:
    yield path.encode()


@contextlib.asynccontextmanager
@workflow("connected")
async def connected(url: str) -> AsyncGenerator[int, None]:
    yield len(url)


async def use() -> None:
    with opened("a") as content:
        assert_type(content, bytes)
    async with connected("a") as number:
        assert_type(number, int)


# Caches keep cache_info(), also below a class.


@traced_cache
@functools.lru_cache(maxsize=8)
def looked_up(key: str, *, fresh: bool = False) -> dict[str, int]:
    return {key: 1}


@workflow("cached")
@traced_primitive(type="cache", action="lookup")
@functools.cache
def remembered(key: str) -> bytes:
    return key.encode()


assert_type(looked_up("a", fresh=True), dict[str, int])
assert_type(looked_up.cache_info().currsize, int)
assert_type(remembered.cache_info().hits, int)
assert_type(remembered.cache_parameters()["maxsize"], int)
remembered.cache_clear()
remembered.cache_clean()  # type: ignore[attr-defined]


# Methods in every order of decorators, in classes of every kind.


class Store(Generic[T]):
    def __init__(self, value: T) -> None:
        self._value = value

    @traced_primitive
    def get(self, key: str) -> T:
        return self._value

    @traced_primitive
    async def fetch(self, key: str) -> T:
        return self._value

    @traced_primitive
    async def stream(self, key: str) -> AsyncIterator[T]:
        yield self._value

    @traced_primitive
    def chained(self, key: str) -> Self:
        return self

    @classmethod
    @traced_primitive
    def above(cls, value: T) -> Self:
        return cls(value)

    @traced_primitive
    @classmethod
    def below(cls, value: T) -> Self:
        return cls(value)

    @workflow("made")
    @classmethod
    @traced_primitive
    def between(cls, value: T) -> Self:
        return cls(value)

    @staticmethod
    @agent("adder")
    @traced_primitive
    def static_above(one: int, *, two: int = 0) -> int:
        return one + two

    @step("static")
    @traced_primitive
    @staticmethod
    async def static_below(one: int, *, two: int = 0) -> int:
        return one + two

    @property
    @primitive("size")
    def size(self) -> int:
        return 1

    @size.setter
    @traced_primitive
    def size(self, value: int) -> None:
        pass


class Numbers(Store[int]):
    @traced_primitive
    def get(self, key: str) -> int:
        return super().get(key) + 1

    @traced_primitive
    def chained(self, key: int) -> Self:  # type: ignore[override]
        return self


async def methods(store: Store[str]) -> None:
    assert_type(store.get("a"), str)
    assert_type(await store.fetch("a"), str)
    assert_type(store.chained("a").chained("b"), Store[str])
    async for item in store.stream("a"):
        assert_type(item, str)
    assert_type(Numbers.above(1), Numbers)
    assert_type(Numbers.below(1), Numbers)
    assert_type(Numbers.between(1), Numbers)
    assert_type(Numbers(1).below(2), Numbers)
    assert_type(Store.static_above(1, two=2), int)
    assert_type(await Store.static_below(1, two=2), int)
    assert_type(store.static_above(1), int)
    assert_type(store.size, int)
    store.size = 2
    store.size = "2"  # type: ignore[assignment]
    store.get(1)  # type: ignore[arg-type]
    Numbers.below("1")  # type: ignore[arg-type]
    Store.static_above("1")  # type: ignore[arg-type]


class Tool(ABC):
    @traced_primitive(type="tool", action="call")
    @abstractmethod
    def call(self, argument: str) -> str: ...

    @abstractmethod
    @traced_primitive(type="tool", action="call")
    async def acall(self, argument: str) -> str: ...


class Echo(Tool):
    @traced_primitive(type="tool", action="call")
    def call(self, argument: str) -> str:
        return argument

    @workflow("acall")
    async def acall(self, argument: str) -> str:
        return argument


Tool()  # type: ignore[abstract]
assert_type(Echo().call("a"), str)


class Callback(Protocol):
    async def __call__(self, prompt: str, *, times: int = ...) -> str: ...


@traced_primitive
async def called_back(prompt: str, *, times: int = 1) -> str:
    return prompt * times


@traced_primitive
async def called_otherwise(prompt: bytes) -> bytes:
    return prompt


callback: Callback = called_back
wrong: Callback = called_otherwise  # type: ignore[assignment]


# Overloads of every kind of function.


class Reader:
    @overload
    async def read(self, *, text: None = None) -> bytes: ...
    @overload
    async def read(self, *, text: str) -> str: ...
    @workflow("read")
    @traced_primitive
    async def read(self, *, text: str | None = None) -> bytes | str:
        return text or b""

    @overload
    @classmethod
    def made(cls, one: int) -> Reader: ...
    @overload
    @classmethod
    def made(cls, one: str) -> None: ...
    @classmethod
    @traced_primitive
    def made(cls, one: int | str) -> Reader | None:
        return cls() if isinstance(one, int) else None

    @overload
    @staticmethod
    def size(one: bytes) -> int: ...
    @overload
    @staticmethod
    def size(one: str) -> float: ...
    @staticmethod
    @traced_primitive(type="tool")
    def size(one: bytes | str) -> float:
        return len(one)


async def overloads(reader: Reader) -> None:
    assert_type(await reader.read(), bytes)
    assert_type(await reader.read(text=""), str)
    assert_type(Reader.made(1), Reader)
    assert_type(Reader.size(b""), int)
    assert_type(Reader.size(""), float)


# What is no function is refused; what is instrumented by name is told by keywords.

workflow("answer")(1)  # type: ignore[type-var]
traced_primitive(functools.partial(add, 1))("a", "b")  # type: ignore[call-arg]
instrument("package.module:function", type="llm", action="complete", name="ask", attributes={"team": "search"})
instrument("package.module:function", typ="llm")  # type: ignore[arg-type]
