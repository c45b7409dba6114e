"""
The reliability scorecard: ``python tests/reliability [--row R9] [--rounds 3] [--json FILE]``.

Each check runs programs that use the package as an application would, against a collector that fails in a chosen way,
and measures what the application notices of it. The exit code is 1 when a row is over its bar.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import peers
import rows_chaos
import rows_delivery
import rows_exit
import rows_functions
import rows_memory
import rows_processes
import rows_secrets
import rows_setup
import rows_signals
import rows_values
from bench import Bench
from scorecard import ROWS, as_json, run_rows, table

CHECKS = (
    rows_chaos,
    rows_delivery,
    rows_exit,
    rows_functions,
    rows_memory,
    rows_processes,
    rows_secrets,
    rows_setup,
    rows_signals,
    rows_values,
)
"""Importing them has filled the table."""

WITH_THE_PAGE = (
    ("R29", "Page attack pack, a second viewer on the port", "all expected codes, RSS ≤ 64 MiB"),
    ("R30", "Page durability: killed under load, disk full", "store opens, loss ≤ 1 batch"),
)


def main():
    given = _arguments()
    directory = Path(tempfile.mkdtemp(prefix="tta-reliability-"))
    try:
        python = peers.prepared(given.subject) if given.subject != "ours" else sys.executable
        bench = Bench(directory, python, given.subject, given.calls, given.seconds, given.seed, _protocol(given))
        names = given.row or [name for name, row in ROWS.items() if row.peers or given.subject == "ours"]
        results = run_rows(bench, names, given.rounds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    machine = peers.heading(given.subject, bench.python)
    if given.json:
        _write(Path(given.json), results, machine)
    postponed = WITH_THE_PAGE if not given.row and given.subject == "ours" else ()
    print(f"\n{peers.title(machine)}\n\n{table(results, postponed)}")
    return 0 if all(result.findings.passed for result in results) else 1


def _write(path, results, machine):
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(as_json(results, machine, before), encoding="utf-8")


def _protocol(given):
    return given.protocol or peers.PROTOCOLS.get(given.subject, "grpc")


def _arguments():
    parser = argparse.ArgumentParser(prog="reliability", description=__doc__.splitlines()[1])
    parser.add_argument("--row", action="append", choices=sorted(ROWS, key=lambda n: int(n[1:])), metavar="R1")
    parser.add_argument("--rounds", type=int, default=1, help="run everything so often; the worst counts")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too; rows not run now stay as they are")
    parser.add_argument("--subject", default="ours", choices=["ours", *peers.PEERS], help="the library under test")
    parser.add_argument("--protocol", choices=["grpc", "http/protobuf"], help="default: gRPC where the library has it")
    parser.add_argument("--calls", type=int, default=300_000, help="of the long run with the collector down")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the chaos run")
    parser.add_argument("--seed", type=int, default=4, help="of the chaos run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
