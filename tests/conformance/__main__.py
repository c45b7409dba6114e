"""
The conformance table: ``python tests/conformance [ROW ...] [--way decorated]``.

Each row is a plain program. It runs three times, in processes of its own: alone, with decorators, and untouched under
``tta-observe run``. A cell is green when what was seen is what the row expects. The exit code is 1 unless all are.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for programs.py

from columns import COLUMNS
from rows import ROWS, read
from table import table
from trial import tried
from ways import WAYS


def main():
    given = _arguments()
    ways = [given.way] if given.way else list(WAYS)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda name: tried(read(name), ways), given.rows or ROWS))
    print(table(outcomes, ways, list(COLUMNS)))
    return 0 if all(outcome.green for outcome in outcomes) else 1


def _arguments():
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__.splitlines()[1])
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--way", choices=list(WAYS), help="default: both")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
