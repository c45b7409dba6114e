"""What it may take of memory, whatever is thrown at it and however long the collector is away."""

from __future__ import annotations

from collector import refusing
from findings import Findings
from rows_exit import check_ledger
from scorecard import row


@row("R9", "3000 spans with a value of 100 kB, collector down", "RSS + ≤ 32 MiB", peers=True)
def large_values(bench):
    findings = Findings()
    with refusing() as endpoint:
        ended = bench.run("large", "down", endpoint=endpoint, deadline_s=90)
    findings.at_most("RSS +", 32, ended.said.get("grown_mib"), "MiB")
    findings.same("exit code", 0, ended.code)
    if bench.subject == "ours":
        check_ledger(findings, ended, created=3000)
    return findings


@row(
    "R11",
    "300,000 calls, collector down, after warm-up",
    "RSS + ≤ 6 MiB, ≤ 1 thread, results identical",
    remark="make reliability-full runs 1,000,000 calls; warm-up ends when the queue has been full once",
    peers=True,
)
def long_run(bench):
    findings = Findings()
    with refusing() as endpoint:
        ended = bench.run("long", bench.calls, endpoint=endpoint, deadline_s=420)
    findings.at_most("RSS +", 6, ended.said.get("grown_mib"), "MiB")
    findings.at_most("own threads", 1, ended.said.get("threads"))
    findings.same("results", ended.said.get("expected"), ended.said.get("result"))
    findings.same("exit code", 0, ended.code)
    findings.at_least("calls", bench.calls, ended.said.get("calls"))
    if bench.subject == "ours":
        check_ledger(findings, ended)
    return findings


@row(
    "R12",
    "100,000 different label values",
    "≤ 200 series a label, RSS + ≤ 2 MiB",
    remark="the bar was worded for a limit of 100 values; the default here is 200, and `other` is one more",
)
def labels(bench):
    findings = Findings()
    with bench.collecting() as collector:
        ended = bench.run("labels", endpoint=collector.endpoint, deadline_s=90)
        agents = {found.get("agent.type") for _, found, _ in collector.points("primitive.execution.count")}
    findings.at_most("values of a label", 201, len(agents - {None}))
    findings.holds("`other` is among them", "other" in agents)
    findings.at_most("RSS +", 2, ended.said.get("grown_mib"), "MiB")
    findings.ended_well(ended, stderr=ended.err if ended.err.count("\n") <= 2 else "at most 2 lines")
    return findings
