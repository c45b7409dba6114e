"""What property tests draw: legal values only."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Call:
    """A primitive that lets others run *pauses* times, then runs *body* inside itself."""

    name: str
    pauses: int = 0
    body: Program | None = None


@dataclass(frozen=True)
class Sequence:
    """Programs that one task or thread runs one after the other."""

    parts: tuple[Program, ...]


@dataclass(frozen=True)
class Fork:
    """Programs that run at once, each in a task or thread of its own; all are waited for."""

    parts: tuple[Program, ...]


Program = Call | Sequence | Fork


def programs():
    """Series-parallel programs up to four levels deep, as agents are: steps, fan-outs, steps inside steps."""
    return _deeper(_deeper(_deeper(_calls(st.none()))))


def _deeper(inner):
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(_calls(st.none() | inner), st.builds(Sequence, parts), st.builds(Fork, parts))


def _calls(body):
    return st.builds(Call, st.sampled_from("ABCDE"), st.integers(0, 3), body)
