"""An exporter that is made by the worker: whoever configures does not wait for a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tta_observe._export import Batch, Exporter, ExportFailed

if TYPE_CHECKING:
    from collections.abc import Callable


class Late:
    """What *make* returns, called when there is something to encode; until it succeeds, everything is refused."""

    def __init__(self, name: str, target: str, make: Callable[[], Exporter]) -> None:
        self.name = name
        self._target = target
        self._make = make
        self._made: Exporter | None = None

    @property
    def target(self) -> str:
        """Where the telemetry goes, as far as it is known."""
        return self._made.target if self._made is not None else self._target

    @property
    def dropped(self) -> int:
        """Spans that could not be encoded so far."""
        return self._made.dropped if self._made is not None else 0

    def encode(self, batch: Batch) -> Any:
        """
        Make the exporter, and have it encode *batch*.

        Raises:
            ExportFailed: it cannot be made.
        """
        if self._made is None:
            try:
                self._made = self._make()
            except (OSError, ImportError) as error:
                raise ExportFailed(str(error), retryable=False) from error
        return self._made.encode(batch)

    def send(self, encoded: Any, timeout_s: float) -> None:
        """Send what :meth:`encode` made."""
        if self._made is not None:
            self._made.send(encoded, timeout_s)

    def close(self) -> None:
        """Close the exporter, if it was made."""
        if self._made is not None:
            self._made.close()
