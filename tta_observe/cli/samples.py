"""The files that the demo brings along: three that are broken on purpose, and three that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FINE: Final = b'''\
"""Add up what a customer has to pay."""

import subprocess


def total(prices: list[float], discount: float = 0.0) -> float:
    """The sum of *prices*, less *discount*, which is 0 to 1."""
    return sum(prices) * (1 - discount)


def printed(path: str) -> None:
    subprocess.run(f"lpr {path}", shell=True)
'''

SAMPLES: Final = {
    "cart.py": _FINE,
    "copy_of_cart.py": _FINE,
    "old_cart.py": _FINE,
    "latin1.py": "# Prüft die Größe.\nsize = 3\n".encode("latin-1"),
    "unfinished.py": b"def total(prices:\n    return sum(prices)\n",
    "generated.py": b"TABLE = [\n" + b"".join(b"    %d,\n" % number for number in range(4500)) + b"]\n",
}
"""Names and contents: a text that is not UTF-8, one that does not parse, one too long for the model's context."""


def write_samples(directory: Path) -> list[Path]:
    """Write the samples into *directory*."""
    paths = [directory / name for name in SAMPLES]
    for path in paths:
        path.write_bytes(SAMPLES[path.name])
    return paths
