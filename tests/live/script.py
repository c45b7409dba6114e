"""
What the programs under test do, as data: known before anything runs, and known to nobody but the tests.

Everything is measured inside workflows that stay open, so each of them is active until the program is told to end. The
durations of their runs are given, not slept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

CHAT, SEARCH, NIGHTLY, NOWHERE = ("chat",), ("chat", "search"), ("nightly",), ()
"""Workflows as they are nested; the last place is outside of any."""

AGENTS = {"chat": "assistant", "search": "researcher"}
"""Which agent runs a workflow; ``nightly`` has none."""


@dataclass(frozen=True)
class Event:
    """Something that happens *times* times, in the innermost workflow of *place*."""

    place: tuple[str, ...]
    times: int

    @property
    def workflow(self):
        return self.place[-1] if self.place else None

    @property
    def agent(self):
        return AGENTS.get(self.workflow)


@dataclass(frozen=True)
class Execution(Event):
    """An execution; ``duration_ms`` is None where it is measured, so that nobody knows it."""

    name: str
    type: str
    status: str
    duration_ms: float | None
    error: str | None = None


@dataclass(frozen=True)
class Connection(Event):
    """*target* runs after, or inside, *source*."""

    source: str
    target: str
    kind: str = "sequential"


@dataclass(frozen=True)
class Usage(Event):
    """An LLM call; without a cost its model has no price."""

    provider: str
    model: str
    prompt: int
    completion: int
    cost_usd: float | None


@dataclass(frozen=True)
class Lookup(Event):
    """A look into a cache."""

    name: str
    kind: str
    hit: bool
    saved_usd: float | None = None


RECORDED = (
    Execution(CHAT, 40, "chat", "workflow", "success", 120),
    Execution(CHAT, 8, "chat", "workflow", "success", 700),
    Execution(CHAT, 2, "chat", "workflow", "error", 1800, "TimeoutError"),
    Execution(CHAT, 50, "pick_model", "router", "success", 3),
    Execution(CHAT, 45, "answer", "llm", "success", 600),
    Execution(CHAT, 3, "answer", "llm", "success", 2200),
    Execution(CHAT, 2, "answer", "llm", "error", 1500, "TimeoutError"),
    Execution(CHAT, 30, "known_answers", "cache", "success", 1.5),
    Execution(CHAT, 7, "guard", "validator", "error", 260, "acme.Refused"),
    Execution(SEARCH, 18, "search", "workflow", "success", 35),
    Execution(SEARCH, 2, "search", "workflow", "error", 400, "ValueError"),
    Execution(SEARCH, 20, "find_sources", "retriever", "success", 30),
    Execution(SEARCH, 18, "rank", "processor", "success", 12),
    Execution(SEARCH, 2, "rank", "processor", "error", 900, "ValueError"),
    Execution(SEARCH, 4, "researcher", "agent", "success", 90),
    Execution(NIGHTLY, 3, "nightly", "workflow", "success", 61_000),
    Execution(NIGHTLY, 1, "nightly", "workflow", "cancelled", 2_000),
    Execution(NIGHTLY, 4, "summarize", "llm", "success", 42_000),
    Execution(NIGHTLY, 3, "export", "tool", "success", 4_000),
    Execution(NIGHTLY, 1, "export", "tool", "cancelled", 1_200),
    Execution(NIGHTLY, 2, "tidy_up", "function", "cancelled", 20),
    Execution(NOWHERE, 5, "warm_up", "function", "success", 80),
    Connection(CHAT, 50, "chat", "pick_model", "nested"),
    Connection(CHAT, 48, "pick_model", "answer"),
    Connection(CHAT, 2, "pick_model", "answer", "parallel"),
    Connection(CHAT, 6, "answer", "moderation"),  # which never executes
    Connection(SEARCH, 20, "find_sources", "rank"),
    Connection(NIGHTLY, 4, "summarize", "export"),
    Usage(CHAT, 48, "openai", "gpt-4o", 900, 150, 0.00375),
    Usage(SEARCH, 20, "openai", "gpt-4.1-mini", 300, 40, 0.000184),
    Usage(CHAT, 10, "anthropic", "claude-sonnet-4-5", 1200, 300, 0.0081),
    Usage(NIGHTLY, 7, "in-house", "in-house-7b", 5000, 800, None),
    Lookup(CHAT, 30, "known_answers", "memory", hit=True, saved_usd=0.00375),
    Lookup(CHAT, 20, "known_answers", "memory", hit=False),
    Lookup(SEARCH, 12, "embeddings", "redis", hit=False),
    Lookup(SEARCH, 9, "sources", "redis", hit=True),
    Lookup(SEARCH, 1, "sources", "redis", hit=False),
)
"""What the low-level functions record: everything about it is given."""

DECORATED = (
    Execution(NIGHTLY, 5, "parse", "processor", "success", None),
    Execution(NIGHTLY, 1, "parse", "processor", "error", None, "KeyError"),
    Connection(NIGHTLY, 1, "nightly", "parse", "nested"),
    Connection(NIGHTLY, 5, "parse", "parse"),
    Connection(CHAT, 1, "chat", "search", "nested"),  # which runs inside it
)
"""What decorated functions and blocks lead to."""

BUSY = RECORDED + DECORATED
"""One play of the whole workload."""

CALM = tuple(
    event
    for event in RECORDED
    if not (isinstance(event, Lookup) and event.hit) and getattr(event, "status", "success") == "success"
)
"""The part of it in which nothing fails, nothing is cancelled and no cache knows anything."""

OPEN = ("chat", "search", "nightly")
"""Workflows that are active while a program waits."""


def repeated(events, number):
    """*events*, each so many times as often."""
    return tuple(replace(event, times=event.times * number) for event in events)
