"""Forks, multiprocessing and gevent: every process delivers what is its own, once, and none hangs."""

from __future__ import annotations

import sys
from collections import Counter

from environments import environment
from findings import Findings
from rows_exit import pythons
from scorecard import row


@row(
    "R22",
    "80 forks with a request in flight; each lock held by another thread",
    "0 hung, fork() ≤ 100 ms, 0 lines",
    timed=True,
    peers=True,
    remark="not among the locks: the one of opentelemetry.sdk.resources, which the SDK's own fork handler takes",
)
def forks(bench):
    findings = Findings()
    with bench.collecting("slow:0.02") as collector:
        ended = bench.run("forking", 80, endpoint=collector.endpoint, deadline_s=120)
        findings.all_of("children that ended", 80, ended.said.get("ended"))
        findings.at_most("slowest fork()", 100, ended.said.get("slowest_fork_ms"), "ms")
        findings.same("stderr", "", ended.err)
        findings.same("exit code", 0, ended.code)
    if bench.subject == "ours":
        _held_locks(findings, bench)
    return findings


def _held_locks(findings, bench):
    with bench.collecting() as collector:
        ended = bench.run("held_locks", endpoint=collector.endpoint, deadline_s=120)
    findings.same("hung with a lock held", [], ended.said.get("hung", "it did not finish"))
    findings.at_least("locks held", 5, ended.said.get("locks"))
    findings.same("held locks, exit code", 0, ended.code)


@row(
    "R23",
    "fork and metrics: the sum over all processes",
    "equal to the truth, an instance id each",
)
def fork_metrics(bench):
    findings = Findings()
    with bench.collecting() as collector:
        ended = bench.run("fork_metrics", endpoint=collector.endpoint, deadline_s=60)
        points = collector.points("primitive.execution.count")
        spans = collector.span_ids()
    last = {}
    for resource, labels, value in points:  # cumulative: the last of each series of each process counts
        last[resource["service.instance.id"], tuple(sorted(labels.items()))] = value
    pids = {resource["service.instance.id"]: resource["process.pid"] for resource, _, _ in points}
    findings.ended_well(ended)
    findings.same("executions over all processes", ended.said.get("truth"), sum(last.values()))
    findings.same("instances", ended.said.get("processes"), len(pids))
    findings.same("a process id each", len(pids), len(set(pids.values())))
    findings.same("spans", ended.said.get("truth"), len(set(spans)))
    findings.same("spans sent twice", 0, len(spans) - len(set(spans)))
    return findings


@row(
    "R24",
    "multiprocessing children: Process and Pool, fork and spawn",
    "31/31 delivered, child exit + ≤ 2 s",
    timed=True,
)
def multiprocessing_children(bench):
    findings = Findings()
    for version, python in pythons(bench, findings):
        for way in ("fork", "spawn"):
            with bench.collecting() as collector:
                ended = bench.run("children", way, endpoint=collector.endpoint, python=python, deadline_s=60)
                ids = collector.span_ids()
            findings.ended_well(ended)
            findings.all_of(f"{version} {way}", 31, len(set(ids)))
            findings.same(f"{version} {way}: sent twice", 0, len(ids) - len(set(ids)))
            findings.at_most("child's exit", 2.0, ended.said.get("child_exit_s"), "s")
        with bench.collecting("black hole") as silent:
            ended = bench.run("children", "fork", endpoint=silent.endpoint, python=python, deadline_s=60)
            findings.at_most("child's exit, black hole", 2.2, ended.said.get("child_exit_s"), "s")
    return findings


@row("R26", "gevent-patched, black hole, heartbeat of 10 ms", "longest gap ≤ 100 ms", timed=True)
def gevent(bench):
    findings = Findings()
    python = environment("gevent", sys.executable, "gevent")
    with bench.collecting("black hole") as silent, bench.collecting() as collector:
        for place, endpoint in (("black hole", silent.endpoint), ("up", collector.endpoint), ("local store", None)):
            ended = bench.run("gevents", endpoint=endpoint, python=python, deadline_s=60)
            findings.at_most(f"gap, {place}", 100, ended.said.get("longest_gap_ms"), "ms")
            findings.at_most(f"exit, {place}", 2.3, ended.exit_s, "s")
            findings.same(f"{place}: exit code", 0, ended.code)
        names = Counter(span.name for _, span in collector.spans())
    findings.same("delivered", ended.said.get("calls", -1) > 0, names.total() > 0)
    return findings
