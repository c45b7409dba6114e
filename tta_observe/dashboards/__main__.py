"""
``python -m tta_observe.dashboards [--check]``: write the generated files of this checkout, or say which are outdated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tta_observe.dashboards.files import outdated, write

ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` only look; returns the exit code."""
    if "--check" in arguments:
        found = outdated(ROOT)
        for path in found:
            sys.stderr.write(f"{path} is not as it would be generated. Run: make dashboards\n")
        return 1 if found else 0
    for path in write(ROOT):
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
