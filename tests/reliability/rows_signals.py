"""Code that runs where nobody expects it: inside ours, in signal handlers, in finalizers."""

from __future__ import annotations

import json
import signal
import time

from collector import refusing
from findings import Findings
from scorecard import row

WAYS = ("dunders", "log handler", "finalizer", "signal", "threads")
RATE = 100
"""Calls a second of the program that is terminated."""


@row(
    "R21",
    "Re-entrancy: dunders, log handler, __del__, signal handler",
    "0 hangs, 4 s watchdog",
)
def reentrancy(bench):
    findings = Findings()
    with refusing() as endpoint:
        for way in WAYS:
            ended = bench.run("reentrant", way, endpoint=endpoint, deadline_s=20)
            findings.holds(f"{way}: no hang", not ended.hung)
            findings.same(f"{way}: exit code", 0, ended.code)
            findings.at_most(f"{way}: longest", 4.0, ended.said.get("took_s"), "s")
    return findings


@row(
    "R25",
    "SIGTERM: default action; opt-in handler",
    "≤ 1 s of spans lost; none lost; exit code -15",
    timed=True,
    remark="spans leave each second; the figure may hold another tenth, for the request that was on its way",
)
def sigterm(bench):
    findings = Findings()
    with bench.collecting() as collector:
        calls, ended = _terminated(bench, collector, {})
        findings.same("default: exit code", -signal.SIGTERM, ended.code)
        held = len(set(collector.span_ids()))
        findings.at_most("default: lost", 1.1, (calls - held) / RATE, "s of spans")
    with bench.collecting() as collector:
        calls, ended = _terminated(bench, collector, {"flush_on_sigterm": True})
        findings.same("handler: exit code", -signal.SIGTERM, ended.code)
        findings.same("handler: spans lost", 0, calls - len(set(collector.span_ids())))
        findings.same("handler: stderr", "", ended.err)
    with bench.collecting("black hole") as silent:
        begun = time.monotonic()
        _, ended = _terminated(bench, silent, {"flush_on_sigterm": True})
        findings.same("handler, black hole: exit code", -signal.SIGTERM, ended.code)
        findings.at_most("handler, black hole: end", 2.3, ended.said.get("end_s", time.monotonic() - begun - 3), "s")
    return findings


def _terminated(bench, collector, keywords):
    """Let it make 100 calls a second for three seconds, then SIGTERM; returns how many it had made."""
    running = bench.start("terminated", json.dumps(keywords), endpoint=collector.endpoint, deadline_s=20)
    running.said("ready")
    time.sleep(3)
    running.process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    running.process.wait(10)
    took = time.monotonic() - sent
    ended = running.end()
    ended.said["end_s"] = took
    return ended.said.get("calls", 0), ended
