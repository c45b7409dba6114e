"""What an observed function does to those who call it: exceptions, generators, copies, recursion, parents."""

from __future__ import annotations

import sys
from pathlib import Path

from collector import refusing
from environments import environment
from findings import Findings
from rows_exit import pythons
from scorecard import row

TESTS = Path(__file__).parents[1]


def _problems(bench, host, *arguments, **options):
    findings = Findings()
    with refusing() as endpoint:
        ended = bench.run(host, *arguments, endpoint=endpoint, deadline_s=60, **options)
    findings.same(f"{host} exit code", 0, ended.code)
    if ended.code:
        findings.same(f"{host} stderr", "", ended.err)
    found = ended.said.get("problems", ["it did not finish"])
    findings.same(f"{len(found)} problems", [], found)
    return findings, ended


@row(
    "R15",
    "Exception identity incl. raising __str__, __repr__, args",
    "the same object, ≤ 2 extra frames, chain and notes intact",
    peers=True,
)
def exceptions(bench):
    findings, ended = _problems(bench, "exceptions")
    findings.at_least("exceptions × shapes", 12, ended.said.get("cases"))
    return findings


@row("R16", "BaseExceptions, all shapes", "ended, right status, context restored, always")
def endings(bench):
    findings, ended = _problems(bench, "endings")
    findings.at_least("cases", 40, ended.said.get("cases"))
    return findings


@row(
    "R17",
    "Generator protocol; 100 early breaks of an asynchronous one",
    "values exact, 0 log lines, 100 traces, context restored",
    peers=True,
)
def generators(bench):
    findings, ended = _problems(bench, "generators")
    findings.all_of("spans ended", 100, ended.said.get("ended"))
    findings.all_of("traces", 100, ended.said.get("traces"))
    findings.all_of("inner spans with a parent", 100, ended.said.get("parented"))
    findings.same("log lines", 0, ended.said.get("lines"))
    findings.holds("no span is left current", ended.said.get("left_current") is False)
    return findings


@row(
    "R18",
    "Pickle, copy, ProcessPool, introspection; oldest and newest wrapt",
    "all pass",
)
def copies(bench):
    findings = Findings()
    oldest = environment("wrapt-oldest", sys.executable, "wrapt==1.17.0")
    for name, python in (("newest wrapt", bench.python), ("oldest wrapt", oldest)):
        ended = bench.run("introspected", TESTS / "introspection.py", python=python, deadline_s=60)
        findings.same(f"{name}: exit code", 0, ended.code)
        held, _, asked = ended.out.partition(" checks hold")[0].rpartition(": ")[2].partition(" of ")
        findings.holds(f"{name}: at least 25 checks, and all hold", held == asked and int(held or 0) >= 25)
        findings.same(f"{name}: stderr", "", ended.err)
        ended = bench.run("pools", python=python, deadline_s=60)
        findings.same(f"{name}: pools", {"fork": [2, 4], "spawn": [2, 4]}, ended.said)
        findings.same(f"{name}: stderr", "", ended.err)
    return findings


@row(
    "R19",
    "Recursion depth, decorated against plain",
    "≥ 0.45; ≥ 0.33 on Python 3.11",
    peers=True,
    remark="Python 3.11 counts calls of C code too: a wrapper of wrapt that does nothing at all reaches 0.33 there",
)
def depth(bench):
    findings = Findings()
    with refusing() as endpoint:
        for version, python in pythons(bench, findings):
            said = bench.run("depth", endpoint=endpoint, python=python).said
            share = said.get("decorated", 0) / said.get("plain", 1)
            bar = 0.33 if bench.subject == "ours" and version == "3.11" else 0.45
            findings.at_least(version, bar, share)
            findings.same(f"{version}: raised", "RecursionError", said.get("raised"))
    return findings


@row(
    "R20",
    "Propagation, 12 ways to run code elsewhere",
    "documented cases exact, 0 wrong parents",
    remark="run_in_executor, submit, map and Thread start new traces without propagate(); never a wrong parent",
)
def propagation(bench):
    findings, ended = _problems(bench, "propagation")
    findings.all_of("cases", 12, ended.said.get("cases"))
    return findings
