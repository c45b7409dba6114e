"""What an application waits for: at its end, in a flush, at set-up, in each call."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from bench import crowd
from collector import refusing
from environments import environment, interpreters
from findings import Findings
from scorecard import row


def check_ledger(findings, ended, created=None):
    """Created = exported + dropped + queued + in flight, and created is what the application has made."""
    ledger = ended.ledger
    if ledger is None:
        findings.same(f"{ended.name} ledger", "a ledger", None)
        return
    parts = sum(ledger[part] for part in ("exported", "dropped", "queued", "in_flight"))
    findings.same(f"{ended.name} ledger", ledger["created"], parts)
    if created is not None:
        findings.same(f"{ended.name} created", created, ledger["created"])


@row(
    "R1",
    "Exit, collector refused, 10 calls, traces and metrics",
    "≤ 2.2 s, ≤ 0.4 s if never connected; return code unchanged",
    timed=True,
    peers=True,
)
def refused(bench):
    findings = Findings()
    with refusing() as endpoint:
        ways = [("end", 0, 0), ("end", 1.5, 0), ("exit", 0, 3), ("raise", 0, 1)]
        for way, pause_s, code in ways:
            ended = bench.run("leave", 10, pause_s, way, endpoint=endpoint, deadline_s=60)
            findings.at_most(f"{way} after {pause_s} s", 0.4, ended.exit_s, "s")
            findings.same(f"{way} return code", code, ended.code)
            _only_ours(findings, bench, ended, created=10)
    with bench.collecting() as collector:
        pause_s = 2.5 if bench.subject == "ours" else 7  # the others send every five seconds
        running = bench.start("leave", 10, pause_s, "end", endpoint=collector.endpoint, deadline_s=60)
        _until(collector.span_ids)
        collector.kill()
        ended = running.end()
        findings.at_most("connected once", 2.2, ended.exit_s, "s")
        findings.same("connected once, return code", 0, ended.code)
    return findings


@row(
    "R2",
    "Exit, black hole, queue full (5000 spans)",
    "≤ 2.3 s on each interpreter found",
    timed=True,
    peers=True,
    remark="the queue of this package holds more than 5000 small spans; the figure is for 5000 waiting",
)
def black_hole(bench):
    findings = Findings()
    with bench.collecting("black hole") as collector:
        for version, python in pythons(bench, findings):
            ended = bench.run("leave", 5000, 0, "end", endpoint=collector.endpoint, python=python, deadline_s=90)
            findings.at_most(version, 2.3, ended.exit_s, "s")
            findings.same(f"{version} return code", 0, ended.code)
            _only_ours(findings, bench, ended, created=5000)
    return findings


@row("R3", "flush(1.0), refused and black hole", "≤ 1.2 s and returns False", timed=True, peers=True)
def flush(bench):
    findings = Findings()
    with refusing() as refused_at, bench.collecting("black hole") as silent:
        for place, endpoint in [("refused", refused_at), ("black hole", silent.endpoint)]:
            for pause_s in (0, 1.5):
                ended = bench.run("leave", 10, pause_s, "flush", endpoint=endpoint, deadline_s=60)
                findings.at_most(f"{place}", 1.2, ended.said.get("flush_s"), "s")
                findings.holds(f"{place}: returns False", ended.said.get("answer") is False)
    return findings


@row(
    "R4",
    "Set-up and calls while DNS and sockets take 5 s",
    "set-up ≤ 20 ms after imports, call p99 ≤ 1 ms",
    timed=True,
    remark="p99 of the quietest 500 of 5000 calls: on a busy machine the others wait for a processor, not for us",
)
def slow_network(bench):
    findings, crowded = Findings(), crowd()
    setup_ms, call_ms = (1000, 1000) if crowded else (20, 1)
    if crowded:
        findings.report(f"{crowded}: set-up and p99 are reported, and held to a second; a look-up takes five")
    with bench.collecting("black hole") as silent:
        places = {
            "no such name": {"endpoint": "http://collector.invalid:4317"},
            "black hole": {"endpoint": silent.endpoint},
            "local store": {"exporter": "local"},
        }
        for place, keywords in places.items():
            ended = bench.run("setup_slow", json.dumps(keywords), deadline_s=40)
            findings.at_most(f"{place}: set-up", setup_ms, ended.said.get("setup_ms"), "ms")
            findings.at_most(f"{place}: p99", call_ms, ended.said.get("p99_ms"), "ms")
            findings.at_most(f"{place}: longest", 1000, ended.said.get("longest_ms"), "ms")
            findings.same(f"{place}: return code", 0, ended.code)
    return findings


@row(
    "R5",
    "Cost of a call, collector down against up, 30,000 calls",
    "p50 within 15 %, p99 ≤ 2 ×, max ≤ 50 ms",
    timed=True,
    peers=True,
)
def cost(bench):
    findings = Findings()
    up, down = [], []
    with bench.collecting() as collector, refusing() as endpoint:
        for _ in range(3):
            up.append(bench.run("cost", 10_000, endpoint=collector.endpoint, deadline_s=60).said)
            down.append(bench.run("cost", 10_000, endpoint=endpoint, deadline_s=60).said)
    best = {
        (place, figure): min((one.get(figure, 9e9) for one in ones), default=9e9)
        for place, ones in (("up", up), ("down", down))
        for figure in ("p50_us", "p99_us")
    }
    findings.at_most("p50 down/up", 1.15, best["down", "p50_us"] / best["up", "p50_us"])
    findings.at_most("p99 down/up", 2.0, best["down", "p99_us"] / best["up", "p99_us"])
    findings.at_most("longest", 50, min(one.get("max_ms", 9e9) for one in down), "ms")
    return findings


def pythons(bench, findings):
    """Interpreters to run on: of the peers their own, of ours every one that is found; the others are named."""
    if bench.subject != "ours":
        return [("here", bench.python)]
    found = interpreters()
    missing = [version for version, path in found.items() if path is None]
    if missing:
        findings.remark(f"not on this machine: Python {', '.join(missing)}")
    with ThreadPoolExecutor(1) as pool:  # one pip at a time
        return list(pool.map(lambda pair: (pair[0], environment(*pair)), ((v, p) for v, p in found.items() if p)))


def _only_ours(findings, bench, ended, created):
    if bench.subject == "ours":
        check_ledger(findings, ended, created)


def _until(condition, timeout_s=10.0):
    until = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
