"""Values that no telemetry expects: nothing raises, and their neighbours arrive."""

from __future__ import annotations

from findings import Findings
from scorecard import row


@row(
    "R13",
    'Bad metric values: "x", None, NaN, ±Inf, -1, 2**70, 10**400',
    "0 raises, other metrics still arrive",
)
def bad_numbers(bench):
    findings = Findings()
    with bench.collecting() as collector:
        ended = bench.run("bad_numbers", endpoint=collector.endpoint, deadline_s=40)
        arrived = {name: collector.points(name) for name in ended.said.get("instruments", [])}
    findings.same("raised", [], ended.said.get("raised", "it did not finish"))
    findings.at_least("instruments", 7, len(arrived))
    findings.same("not arrived", [], [name for name, points in arrived.items() if not points])
    findings.same("exit code", 0, ended.code)
    findings.same("tracebacks", 0, ended.err.count("Traceback"))
    good = [
        value
        for _, labels, value in arrived.get("primitive.execution.count", [])
        if labels.get("primitive.name") == "after"
    ]
    findings.same("executions after the bad ones", 8, good[-1] if good else None)
    return findings


@row(
    "R14",
    "28 hostile values in 6 positions, encoded for real",
    "0 raises, 0 siblings lost, ≤ 1 ms each",
    timed=True,
)
def hostile_values(bench):
    findings = Findings()
    with bench.collecting() as collector:
        ended = bench.run("hostile", endpoint=collector.endpoint, deadline_s=60)
        names = [span.attributes for _, span in collector.spans()]
    cases = ended.said.get("cases", 0)
    findings.at_least("values × positions", 28 * 6, cases)
    findings.same("raised", [], ended.said.get("raised", "it did not finish"))
    findings.at_most("longest", 1.0, ended.said.get("longest_ms"), "ms")
    findings.remark(f"the longest was of {ended.said.get('longest_of')}")
    siblings = sum(any(pair.key == "sibling" for pair in attributes) for attributes in names)
    findings.all_of("siblings", ended.said.get("siblings", -1), siblings)
    findings.same("lost on the way", ended.said.get("spans"), len(names))
    findings.same("exit code", 0, ended.code)
    findings.same("tracebacks", 0, ended.err.count("Traceback"))
    return findings
