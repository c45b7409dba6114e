"""Only the type checker runs this: what is decorated keeps its type, to the last overload."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, assert_type, overload

from tta_observe import (
    ConfigurationError,
    WorkflowContext,
    agent,
    bound_context,
    current_workflow,
    primitive,
    set_attributes,
    step,
    traced_cache,
    traced_primitive,
    workflow,
)


@traced_primitive
def plain(one: int, two: str = "", *, three: bool = False) -> list[str]:
    return [two] * one


@traced_primitive(type="llm", action="complete", name="ask", attributes={"team": "search"})
async def coroutine(one: int) -> str:
    return str(one)


@traced_primitive()
def generator(one: int) -> Iterator[int]:
    yield one


@traced_primitive
async def stream(one: int) -> AsyncIterator[bytes]:
    yield bytes(one)


assert_type(plain(1, three=True), list[str])
assert_type(generator(1), Iterator[int])
assert_type(stream(1), AsyncIterator[bytes])
plain("1")  # type: ignore[arg-type]
plain(1, four=2)  # type: ignore[call-arg]


async def main() -> None:
    assert_type(await coroutine(1), str)
    assert_type(await review(1), str)
    await coroutine()  # type: ignore[call-arg]
    async for item in stream(1):
        assert_type(item, bytes)


first: Callable[[int], Coroutine[Any, Any, str]] = coroutine
second: Callable[[str], Awaitable[str]] = coroutine  # type: ignore[assignment]


@overload
def either(one: int) -> int: ...
@overload
def either(one: str) -> str: ...
@traced_primitive
def either(one: int | str) -> int | str:
    return one


assert_type(either(1), int)
assert_type(either("1"), str)


@traced_primitive
@functools.lru_cache(maxsize=8)
def cached(one: int) -> float:
    return float(one)


assert_type(cached(1), float)
assert_type(cached.cache_info().hits, int)
cached.cache_clear()


@traced_cache(name="looked_up", cache_type="memory", ttl_seconds=1.5)
@functools.lru_cache(maxsize=8)
def looked_up(one: int) -> float:
    return float(one)


assert_type(looked_up(1), float)
assert_type(traced_cache(functools.cache(looked_up)).cache_info().hits, int)


class Agent:
    @traced_primitive
    def method(self, one: int) -> str:
        return str(one)

    @traced_primitive
    @classmethod
    def of_class(cls, one: int) -> Agent:
        return cls()

    @classmethod
    @workflow("inside")
    def of_class_too(cls) -> Agent:
        return cls()

    @agent("outside")
    @staticmethod
    def static(one: int) -> bytes:
        return bytes(one)

    @staticmethod
    @step("static")
    def static_too(one: int) -> bytes:
        return bytes(one)

    @property
    @traced_primitive
    def current(self) -> int:
        return 1

    @functools.cached_property
    @traced_primitive
    def lazily(self) -> str:
        return ""

    @overload
    def either(self, one: int) -> int: ...
    @overload
    def either(self, one: str) -> str: ...
    @primitive("either")
    def either(self, one: int | str) -> int | str:
        return one


assert_type(Agent().method(1), str)
assert_type(Agent.of_class(1), Agent)
assert_type(Agent().of_class_too(), Agent)
assert_type(Agent.static(1), bytes)
assert_type(Agent().static_too(1), bytes)
assert_type(Agent().current, int)
assert_type(Agent().lazily, str)
assert_type(Agent().either(""), str)
Agent().method("1")  # type: ignore[arg-type]


class Adder:
    number = 1

    def __call__(self, one: int) -> int:
        return one + self.number


adder = traced_primitive(Adder())
assert_type(adder, Adder)
assert_type(adder(1), int)
assert_type(traced_primitive(functools.partial(plain, 1))(), list[str])


@workflow("review", session_id="s-1", attributes={"team": "search"})
async def review(one: int) -> str:
    return str(one)


@agent("coder", agent_id="a-1")
def code(one: int) -> Iterator[str]:
    yield str(one)


@step("load")
@primitive("load", type="retriever")
@bound_context(session_id="s-1")
def load(path: str) -> bytes:
    return path.encode()


assert_type(code(1), Iterator[str])
assert_type(load("a"), bytes)
load(1)  # type: ignore[arg-type]

with workflow("review") as context, bound_context(agent_type="coder") as inner:
    assert_type(context, WorkflowContext)
    assert_type(inner.session_id, str | None)
    assert_type(
        context.to_otel_context()["workflow.name"], str | bool | int | float | tuple[str | bool | int | float, ...]
    )
    context.session_id = "other"  # type: ignore[misc]
assert_type(current_workflow(), WorkflowContext | None)

with agent("coder") as a, step("load") as b, primitive("parse", type="processor", action="process") as c:
    for span in (a, b, c):
        span.set_attribute("key", object())
        span.set_attributes({"key": [1, "2"]})
        span.add_event("cached", {"key": None})
set_attributes({"key": 1})

traced_cache(ttl=1)  # type: ignore[call-overload]
traced_primitive(typ="llm")  # type: ignore[call-overload]
traced_primitive(type=1)  # type: ignore[call-overload]
traced_primitive(5)  # type: ignore[call-overload]
workflow()  # type: ignore[call-arg]
workflow("review", sesion_id="s-1")  # type: ignore[arg-type]
primitive("parse", typ="processor")  # type: ignore[arg-type]

error: ValueError = ConfigurationError("wrong")
