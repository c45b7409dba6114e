"""What this package raises, and nothing else."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ConfigurationError(ValueError):
    """
    An argument was wrong; the message says what to write instead.

    Raised where the mistake was written: at the decorator, the block, or ``configure()``.
    """


def unknown_option(caller: str, given: Iterable[str], known: Iterable[str]) -> ConfigurationError:
    """
    Name the first option of *given* that *caller* does not have, and the closest that it has.
    """
    options = sorted(known)
    name = next(iter(given))
    close = get_close_matches(name, options, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"It takes: {', '.join(options)}."
    return ConfigurationError(f"{caller} has no option {name!r}. {hint}")
