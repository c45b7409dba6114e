"""Why a store could not be used. Messages say what was found, what was expected, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class StoreError(Exception):
    """A store at *path* could not be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class StoreMissing(StoreError):  # noqa: N818 - the empty state of a report, not a mistake of anyone
    """There is no store at *path*, or nothing was written to it yet."""


class StoreRefused(StoreError):  # noqa: N818 - reads as what happened: the file is left as it is
    """What is at *path* is not a store, or not one this version may touch. It was left as it is."""
