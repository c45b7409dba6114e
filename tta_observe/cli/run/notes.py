"""What the package has to say while the program runs: kept until it has ended, so that its output is its own."""

from __future__ import annotations

import logging
from typing import Final

_MOST: Final = 20


class _Notes(logging.Handler):
    """Keeps the first messages, in order."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.messages) < _MOST:
            self.messages.append(record.getMessage())


_NOTES: Final = _Notes()


def collect_notes() -> None:
    """From now on, nothing of ours is written among what the program logs."""
    logger = logging.getLogger("tta_observe")
    logger.addHandler(_NOTES)
    logger.propagate = False


def notes() -> list[str]:
    """What was said so far."""
    return list(_NOTES.messages)
