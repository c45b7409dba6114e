"""The rows of the scorecard, how they are run, and the table that they make."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import textwrap
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from findings import Findings

ROWS = {}
"""By name, in the order of the table once all checks are imported."""

WIDTHS = (4, 44, 34)


@dataclass(frozen=True)
class Row:
    """One row: what is checked, and the bar in words."""

    name: str
    what: str
    bar: str
    check: object
    timed: bool
    peers: bool
    remark: str

    @property
    def number(self):
        return int(self.name[1:])


@dataclass(frozen=True)
class Result:
    """What a row came to, over all rounds: the worst counts."""

    row: Row
    findings: Findings
    seconds: float
    rounds: int = 1


def row(name, what, bar, *, timed=False, peers=False, remark=""):
    """
    Make a function from a Bench to Findings a row.

    *timed*: it measures time, so it runs alone. *peers*: other libraries can be put through it too.
    """

    def enter(check):
        ROWS[name] = Row(name, what, bar, check, timed, peers, remark)
        return check

    return enter


def run_rows(bench, names, rounds=1, say=print):
    """
    Run the rows called *names*: those that measure no time two at a time, then the others alone.

    Machines are shared: what was over its bar in a figure of time or memory is run once more at the end, alone, and
    that one counts. Two in a row are no noise.
    """
    chosen = sorted((ROWS[name] for name in names), key=lambda chosen_row: chosen_row.number)
    results = {}
    for number in range(rounds):
        for result in _round(bench, chosen, number, say):
            before = results.get(result.row.name)
            results[result.row.name] = result if before is None else _worse(before, result)
    return [results[r.name] for r in chosen]


def _round(bench, chosen, number, say):
    calm = [r for r in chosen if not r.timed]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda r: _announced(bench, r, number, say), calm))
    done += [_announced(bench, r, number, say) for r in chosen if r.timed]
    return [_announced(bench, one.row, number, say) if one.findings.may_be_noise else one for one in done]


def _announced(bench, chosen, number, say):
    result = _run(bench, chosen, number)
    word = "passed" if result.findings.passed else "over its bar" if result.findings.may_be_noise else "FAILED"
    say(f"{chosen.name:>4} {word} in {result.seconds:.0f} s: {result.findings.figure}", flush=True)
    return result


def _run(bench, chosen, number):
    directory = Path(tempfile.mkdtemp(prefix=f"{chosen.name}-", dir=bench.directory))
    begun = time.monotonic()
    try:
        findings = chosen.check(replace(bench, directory=directory, seed=bench.seed + number))
    except Exception as error:  # noqa: BLE001 - a check that breaks fails its row, and no other
        findings = Findings()
        findings.same("the check itself", "no error", f"{type(error).__name__}: {error}")
        traceback.print_exc(file=sys.stdout)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return Result(chosen, findings, time.monotonic() - begun)


def _worse(one, other):
    worst = max(one, other, key=lambda result: result.findings.load)
    return replace(worst, seconds=one.seconds + other.seconds, rounds=one.rounds + other.rounds)


def table(results, postponed=()):
    """The scorecard as text: one row a check, its bar and our figure beside each other."""
    lines = [_line("#", "check", "bar", "figure"), _line(*("-" * width for width in WIDTHS), "-" * 40)]
    lines += [_row_text(result) for result in results]
    lines += [_line(name, what, bar, "with the page") for name, what, bar in postponed]
    remarks = [f"{r.row.name}: {remark}" for r in results for remark in _remarks(r)]
    failed = [r.row.name for r in results if not r.findings.passed]
    reported = [r.row.name for r in results if r.findings.passed and r.findings.reported]
    end = summary(len(results), failed, reported)
    return "\n".join([*lines, "", *remarks, *([""] if remarks else []), end])


def summary(rows, failed, reported):
    """How many of so many rows held, and which did not, in words."""
    named = (("over it", failed), ("reported, and not held to it", reported))
    others = "".join(f"; {what}: {' '.join(names)}" for what, names in named if names)
    return f"{rows - len(failed) - len(reported)} of {rows} rows at or under their bar{others}"


def _remarks(result):
    return [*([result.row.remark] if result.row.remark else []), *result.findings.remarks]


def _row_text(result):
    word = "FAIL" if not result.findings.passed else "reported" if result.findings.reported else "pass"
    return _line(result.row.name, result.row.what, result.row.bar, f"{word}: {result.findings.figure}")


def _line(name, what, bar, figure):
    columns = [[name], textwrap.wrap(what, WIDTHS[1]), textwrap.wrap(bar, WIDTHS[2]), textwrap.wrap(figure, 70)]
    height = max(map(len, columns))
    padded = [column + [""] * (height - len(column)) for column in columns]
    rows = zip(*padded, strict=True)
    widths = (*WIDTHS, 0)
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip() for cells in rows)


def as_json(results, machine, before=None):
    """
    The same for programs, so that a change of a figure is a difference between two files.

    *before*: what such a file held; its other rows are kept where it tells of the same versions.
    """
    same = {"subject", "package", "version", "python"}
    held = json.loads(before) if before else {"machine": {}, "rows": {}}
    kept = held["rows"] if all(held["machine"].get(key) == machine[key] for key in same) else {}
    rows = kept | {result.row.name: _as_dict(result) for result in results}
    ordered = dict(sorted(rows.items(), key=lambda pair: int(pair[0][1:])))
    return json.dumps({"machine": machine, "rows": ordered}, indent=2, default=repr, ensure_ascii=False) + "\n"


def _as_dict(result):
    return {
        "passed": result.findings.passed,
        "reported": result.findings.reported,
        "figure": result.findings.figure,
        "numbers": result.findings.numbers,
        "rounds": result.rounds,
        "seconds": round(result.seconds, 1),
    }
