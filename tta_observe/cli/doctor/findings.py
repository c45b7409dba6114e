"""What a check found, and what to write about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer; field names are the keys of ``--json``."""

    group: str
    name: str
    state: State
    found: str
    remedy: str | None = None
    """What to write. Lines that begin with two spaces are to be copied as they are."""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings about one thing."""

    title: str

    def ok(self, name: str, found: str) -> Finding:
        """As it should be."""
        return Finding(self.title, name, "ok", found)

    def warning(self, name: str, found: str, remedy: str | None = None) -> Finding:
        """Worth a look; it may be meant so."""
        return Finding(self.title, name, "warning", found, remedy)

    def problem(self, name: str, found: str, remedy: str) -> Finding:
        """Keeps somebody from seeing anything."""
        return Finding(self.title, name, "problem", found, remedy)
