"""Reading a store without ever changing it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Self

from tta_observe.local.errors import StoreError
from tta_observe.local.schema import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType


class StoreReader:
    """
    One consistent look at a store: what is committed later is not seen.

    Close it soon, and open another one for the next look: while it is open the store cannot tidy up behind it.

    Raises:
        StoreMissing: there is no store at *path*, or nothing was written yet.
        StoreRefused: the file is not a store, or was written by a newer version.
        StoreError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_for_reading(path)
        try:
            self.rows("BEGIN")
            self.rows("SELECT 1 FROM processes LIMIT 1")  # the look begins with the first statement that reads
        except StoreError:
            self._connection.close()
            raise

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """
        Run one statement that reads.

        Raises:
            StoreError: the file is damaged, or was locked too long.
        """
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(self.path, f"{self.path} cannot be read: {error}.") from error

    def close(self) -> None:
        """Let go of the file. A second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
