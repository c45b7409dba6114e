"""
Four ways to run two checks side by side, and one service map: a fork, and the join after it.

Run ``python examples/parallel.py``, then type ``tta-observe report``: ``load`` leads to both checks, and both lead to
``summarize``, however they were run. Tasks and ``asyncio.to_thread`` take the context along by themselves; an executor
does not, and ``propagate`` makes up for that.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tta_observe import configure, propagate, traced_primitive, workflow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

LONGEST = 100


@traced_primitive(type="tool", action="load")
async def load(name: str) -> str:
    """Stand in for reading a document."""
    await asyncio.sleep(0.01)
    return f"the text of {name}"


@traced_primitive(type="validator", action="check")
async def check_spelling(text: str) -> bool:
    """Stand in for a check that takes a while."""
    await asyncio.sleep(0.02)
    return text.islower()


@traced_primitive(type="validator", action="check")
async def check_length(text: str) -> bool:
    """Stand in for a check that is quick."""
    await asyncio.sleep(0.01)
    return len(text) < LONGEST


@traced_primitive(type="validator", action="check", name="check_spelling")
def check_spelling_blocking(text: str) -> bool:
    """Do the same without asyncio: one name, hence one primitive."""
    time.sleep(0.02)
    return text.islower()


@traced_primitive(type="validator", action="check", name="check_length")
def check_length_blocking(text: str) -> bool:
    """Do the same without asyncio."""
    time.sleep(0.01)
    return len(text) < LONGEST


@traced_primitive(type="processor", action="summarize")
async def summarize(text: str, *, passed: bool) -> str:
    """Say how the document did."""
    return f"{text}: {'fine' if passed else 'needs work'}"


async def by_gather(text: str) -> Sequence[bool]:
    """Two awaitables at once."""
    return await asyncio.gather(check_spelling(text), check_length(text))


async def by_task_group(text: str) -> Sequence[bool]:
    """Two tasks, which end with the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(check_spelling(text)), group.create_task(check_length(text))]
    return [task.result() for task in tasks]


async def by_threads(text: str) -> Sequence[bool]:
    """Two threads of asyncio's own."""
    checks = (check_spelling_blocking, check_length_blocking)
    return await asyncio.gather(*(asyncio.to_thread(check, text) for check in checks))


async def by_executor(text: str) -> Sequence[bool]:
    """Two threads of an executor, which starts them without a context: ``propagate`` hands ours to each."""
    loop = asyncio.get_running_loop()
    checks = (check_spelling_blocking, check_length_blocking)
    with ThreadPoolExecutor() as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, propagate(check), text) for check in checks))


@workflow("check-document", agent_type="proofreader")
async def check_document(name: str, run_checks: Callable[[str], Awaitable[Sequence[bool]]]) -> str:
    """Load a document, check it in two ways at the same time, then sum up."""
    text = await load(name)
    return await summarize(text, passed=all(await run_checks(text)))


async def main() -> None:
    """Check four documents, each in another way."""
    configure(service_name="parallel")
    ways = {"a letter": by_gather, "a poem": by_task_group, "a contract": by_threads, "a novel": by_executor}
    for name, run_checks in ways.items():
        print(await check_document(name, run_checks))


if __name__ == "__main__":
    asyncio.run(main())
