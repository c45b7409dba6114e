"""Only the type checkers run this: what is carried elsewhere keeps its type."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, Future
from typing import assert_type

from tta_observe import propagate, traced_primitive


@traced_primitive
def search(key: str, *, times: int = 1) -> bytes:
    return key.encode() * times


@propagate
async def ask(prompt: str) -> str:
    return prompt


@propagate
def pages(count: int) -> Iterator[int]:
    yield count


@propagate
async def stream(prompt: str) -> AsyncIterator[str]:
    yield prompt


assert_type(propagate(search)("a", times=2), bytes)
assert_type(pages(1), Iterator[int])
assert_type(propagate(functools.partial(search, "a"))(), bytes)
propagate(search)(1)  # type: ignore[arg-type]
propagate(1)  # type: ignore[type-var]


async def elsewhere(pool: Executor) -> None:
    assert_type(await ask("a"), str)
    assert_type(pool.submit(propagate(search), "a", times=2), Future[bytes])
    assert_type(list(pool.map(propagate(search), ["a"])), list[bytes])
    assert_type(await asyncio.to_thread(propagate(search), "a"), bytes)
    assert_type(await asyncio.get_running_loop().run_in_executor(pool, propagate(search), "a"), bytes)
    async for token in stream("a"):
        assert_type(token, str)
    pool.submit(propagate(search), 1)  # type: ignore[arg-type]
