"""
Branches that run side by side: the service map shows the fork, and the join after it.

Run it, then type ``tta-observe report``: ``load`` leads to both checks, and both lead to ``summarize``.
"""

from __future__ import annotations

import asyncio

from tta_observe import configure, traced_primitive, workflow

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


@traced_primitive(type="processor", action="summarize")
async def summarize(text: str, *, passed: bool) -> str:
    """Say how the document did."""
    return f"{text}: {'fine' if passed else 'needs work'}"


@workflow("check-document", agent_type="proofreader")
async def check_document(name: str) -> str:
    """Load a document, check it in two ways at the same time, then sum up."""
    text = await load(name)
    results = await asyncio.gather(check_spelling(text), check_length(text))
    return await summarize(text, passed=all(results))


async def main() -> None:
    """Check a few documents, one after the other."""
    configure(service_name="parallel-checks")
    for name in ("a letter", "a poem", "a contract"):
        print(await check_document(name))


if __name__ == "__main__":
    asyncio.run(main())
