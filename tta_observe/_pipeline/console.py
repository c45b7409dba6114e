"""Spans and metrics as text on standard output, for looking at them without anything else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tta_observe._export import Batch, ExportFailed

if TYPE_CHECKING:
    from collections.abc import Sequence


class ConsoleExporter:
    """Writes one JSON document a span, and one for each collection of metrics."""

    name = "console"
    target = "standard output"
    dropped = 0

    def encode(self, batch: Batch) -> Sequence[str]:
        """Turn *batch* into lines."""
        lines = [span.to_json(indent=None) for span in batch.spans]
        return lines if batch.metrics is None else [*lines, batch.metrics.to_json(indent=None)]

    def send(self, encoded: Sequence[str], timeout_s: float) -> None:
        """
        Write the lines.

        Raises:
            ExportFailed: standard output is closed.
        """
        try:
            sys.stdout.writelines(f"{line}\n" for line in encoded)
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            raise ExportFailed(str(error), retryable=False) from error

    def close(self) -> None:
        """Standard output is not ours to close."""
