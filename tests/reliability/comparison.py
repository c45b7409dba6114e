"""
The rows that every library can be put through, as one table: ``python tests/reliability/comparison.py DIRECTORY``.

Reads what ``--json`` has written there, one file a library, and writes the README's table and the sentence of the
full run. No figure is typed by hand.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import peers
from scorecard import summary

README = Path(__file__).parents[2] / "README.md"
SUBJECTS = ("ours", *peers.PEERS)


def main(directory):
    held = {name: path for name in SUBJECTS if (path := directory / f"{name}.json").exists()}
    told = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in held.items()}
    text = README.read_text(encoding="utf-8")
    if "ours" in told:
        text = with_part(text, "full run", full_run(told["ours"]))
    if set(SUBJECTS) == set(told):
        text = with_part(text, "peers", comparison(told))
    README.write_text(text, encoding="utf-8")


def with_part(text, marker, made):
    """*text* with *made* between its marker and the next end."""
    between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
    return between.sub(lambda found: f"{found[1]}{made}\n{found[2]}", text)


def full_run(told):
    """One sentence: how many rows held over so many rounds, and what the long run took."""
    machine, rows = told["machine"], told["rows"]
    over = [name for name, row in rows.items() if not row["passed"]]
    reported = [name for name, row in rows.items() if row["passed"] and row.get("reported")]
    rounds = min(row["rounds"] for row in rows.values())
    long = rows["R11"]["numbers"]
    return (
        f"{machine['date']}, Python {machine['python']}, {machine['cpus']} shared processors, {rounds} rounds of which "
        f"the worst counts: {summary(len(rows), over, reported)}.\n"
        f"{long['calls']:,} calls with the collector down: {shown_long(long)}."
    )


def comparison(told):
    """The table, with what it was measured on below it."""
    names = [name for name in SHOWN if all(name in of["rows"] for of in told.values())]
    rows = [_row(name, told) for name in names]
    held = [f"{sum(of['rows'][name]['passed'] for name in names)} of {len(names)}" for of in told.values()]
    head = ["#", "check", "bar", *(f"{of['machine']['package']} {of['machine']['version']}" for of in told.values())]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows, ["", "at or under the bar", "", *held])]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join([*lines, "", _below(told, names)])


def _row(name, told):
    cells = [cell(name, of["rows"][name]) for of in told.values()]
    what, bar = WORDS[name]
    return [name, what, bar, *cells]


def cell(name, row):
    """The figure of one library; bold where it is over the bar."""
    text = SHOWN[name](row["numbers"])
    return text if row["passed"] else f"**{text}**"


def _below(told, names):
    machine = told["ours"]["machine"]
    dates = sorted({of["machine"]["date"] for of in told.values()})
    rounds = min(told["ours"]["rows"][name]["rounds"] for name in names)
    ways = {"grpc": [], "http/protobuf": []}
    for name, of in told.items():
        ways[peers.PROTOCOLS.get(name, "grpc")].append(of["machine"]["package"])
    place = f"with Python {machine['python']} on {machine['cpus']} shared processors, all over loopback"
    sentences = [
        f"Measured on {' and '.join(dates)} {place}; bold is over the bar.",
        f"Of tta-observe the worst of {rounds} rounds counts, of the others one; what measures time is run again once.",
        f"Sent by gRPC: {', '.join(ways['grpc'])}; by HTTP: {', '.join(ways['http/protobuf'])}.",
        *NOTES,
    ]
    return "\n".join(sentences)


def most(numbers, pattern):
    """The largest figure whose name matches; None where there is none."""
    found = [value for key, value in numbers.items() if re.fullmatch(pattern, key) and isinstance(value, (int, float))]
    return max(found, default=None)


def seconds(value):
    return "never ended" if value is None else f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def _mib(value):
    return "?" if value is None else f"{value:+.1f} MiB" if abs(value) < 10 else f"{value:+.0f} MiB"


def shown_exit(numbers):
    return f"{seconds(most(numbers, '.* after .*'))}; {seconds(numbers.get('connected once'))}"


def shown_flush(numbers):
    answers = [value for key, value in numbers.items() if key.endswith("returns False")]
    return f"{seconds(most(numbers, 'refused|black hole'))}, {'False' if all(answers) else 'not False'}"


def shown_cost(numbers):
    return f"× {numbers['p50 down/up']:.2f}; × {numbers['p99 down/up']:.2f}; {numbers['longest']:.0f} ms"


def shown_large(numbers):
    largest = numbers.get("largest request")
    if not numbers["delivered"]:
        return "0"
    return f"{numbers['delivered']}; {'n/a' if largest is None else f'{largest / 2**20:.1f} MiB'}"


def shown_long(numbers):
    return f"{_mib(numbers['RSS +'])}, threads: {numbers['own threads']}"


def shown_exceptions(numbers):
    changed = next(int(key.split()[0]) for key in numbers if key.endswith(" problems"))
    return f"{changed} of {numbers['exceptions × shapes']}"


def shown_generators(numbers):
    problems = next(int(key.split()[0]) for key in numbers if key.endswith(" problems"))
    parts = (numbers[key] for key in ("spans ended", "traces", "inner spans with a parent"))
    return f"{'; '.join(map(str, parts))}; {numbers['log lines']}; {problems}"


def shown_forks(numbers):
    lines = len(str(numbers["stderr"]).strip("'").splitlines())
    return f"{numbers['children that ended']}; {numbers['slowest fork()']:.0f} ms; {lines}"


SHOWN = {
    "R1": shown_exit,
    "R2": lambda numbers: seconds(most(numbers, r"here|3\.\d+")),
    "R3": shown_flush,
    "R5": shown_cost,
    "R8": lambda numbers: f"{numbers['lines while down']}; {numbers['lines in all']}; {numbers['tracebacks']}",
    "R9": lambda numbers: _mib(numbers["RSS +"]),
    "R10": shown_large,
    "R11": shown_long,
    "R15": shown_exceptions,
    "R17": shown_generators,
    "R19": lambda numbers: f"{most(numbers, r'here|3[.]11'):.2f}",
    "R22": shown_forks,
}
"""What stands in a cell, from the figures of a row."""

WORDS = {
    "R1": ("Delay of the exit: receiver refuses; was reached, then gone", "≤ 0.4 s; ≤ 2.2 s"),
    "R2": ("Delay of the exit: receiver is silent, 5,000 spans wait", "≤ 2.3 s"),
    "R3": ("`flush(1.0)` that cannot deliver: time, answer", "≤ 1.2 s, False"),
    "R5": ("Cost of a call, receiver down against up: p50; p99; longest", "≤ × 1.15; ≤ × 2; ≤ 50 ms"),
    "R8": ("Log lines: 60 s down; with recovery; tracebacks", "≤ 2; ≤ 3; 0"),
    "R9": ("Memory: 3,000 spans of 100 kB, receiver down", "≤ +32 MiB"),
    "R10": ("Delivered of 600 spans of 20 kB and one of 10 MB; largest request", "601; ≤ 4 MiB"),
    "R11": ("Memory and threads: long run, receiver down", "≤ +6 MiB, ≤ 1"),
    "R15": ("Exceptions that the caller gets changed", "0"),
    "R17": (
        "100 async generators left early: spans ended; traces; nested spans; log lines; breaches of the protocol",
        "100; 100; 100; 0; 0",
    ),
    "R19": ("Recursion depth, decorated against plain", "≥ 0.45; 3.11: ≥ 0.33 (wrapt)"),
    "R22": ("80 forks during requests: children that ended; slowest fork(); lines", "80; ≤ 100 ms; 0"),
}
"""What is asked and the bar, in the order of the figures in a cell."""

NOTES = (
    "n/a: receivers of HTTP have no such limit.",
    "The programs of the other rows are written for this package, and are not run on others.",
)

if __name__ == "__main__":
    main(Path(sys.argv[1]))
