"""The scorecard can fail: a row over its bar is seen, a hang is ended, a span that is missing is missed."""

from __future__ import annotations

import json
import time

import pytest
from bench import Bench, Ended
from collector import collecting, refusing
from findings import Findings
from rows_exit import check_ledger
from scorecard import Result, Row, as_json, row, run_rows, table

LEDGER = {"created": 10, "exported": 4, "dropped": 3, "queued": 2, "in_flight": 1}

MACHINE = {"subject": "ours", "package": "tta-observe", "version": "1", "python": "3.11.7", "cpus": 2, "date": "today"}

CALLS = """
import sys, tta_observe as o
o.configure(endpoint=sys.argv[1])
with o.workflow("chat"):
    pass
print(o.flush(1.0))
"""

ROW = Row("R5", "cost", "≤ 2 s", None, timed=True, peers=True, remark="")


@pytest.fixture(name="bench")
def _bench(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.HOSTS", tmp_path)
    return Bench(tmp_path)


@pytest.fixture(name="rows")
def _rows(monkeypatch):
    """An empty table of rows."""
    rows = {}
    monkeypatch.setattr("scorecard.ROWS", rows)
    return rows


def ended(**said):
    return Ended("host", 0, "", "", hung=False, exit_s=0.1, said=said)


@pytest.mark.parametrize(
    ("value", "passed"), [(0.0, True), (2.2, True), (2.21, False), (None, False)], ids=["none", "at", "over", "missing"]
)
def test_a_figure_is_held_to_its_bar(value, passed):
    """
    At the bar is within it; a figure that was not measured is no pass.
    """
    findings = Findings()
    findings.at_most("exit", 2.2, value, "s")

    assert passed is findings.passed


def test_nothing_found_is_no_pass():
    """
    A check that asked nothing would be green for ever.
    """
    assert not Findings().passed


@pytest.mark.parametrize("part", ["created", "exported", "dropped", "queued", "in_flight"])
def test_a_ledger_that_is_off_by_one_fails(part):
    """
    The whole point of a ledger is that nothing is missing.
    """
    right, wrong = Findings(), Findings()
    check_ledger(right, ended(ledger=LEDGER), created=10)
    check_ledger(wrong, ended(ledger=LEDGER | {part: LEDGER[part] + 1}), created=10)

    assert (True, False) == (right.passed, wrong.passed)


def test_a_program_that_hangs_is_ended_and_told(bench, tmp_path):
    """
    A hang is a finding like any other, and the rows after it have to be run.
    """
    (tmp_path / "hang.py").write_text(
        "import time\nprint('{\"ready\": 1}', flush=True)\ntime.sleep(60)\n", encoding="utf-8"
    )
    begun = time.monotonic()
    found = bench.run("hang", deadline_s=0.5)

    assert (True, None, {"ready": 1}) == (found.hung, found.code, found.said)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("mode", ["ok", "err:UNAVAILABLE", "lose", "slow:0.1"])
def test_collector_does_as_it_is_told_and_keeps_it_when_killed(bench, tmp_path, mode, protocol):
    """
    What it holds is the measure of all delivery: it must not depend on how the collector ended.
    """
    (tmp_path / "calls.py").write_text(CALLS, encoding="utf-8")
    if protocol == "http/protobuf":
        pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otlp-http")
    with collecting(tmp_path, protocol=protocol) as collector:
        collector.become(mode)
        found = bench.run("calls", collector.endpoint, env={"OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
        collector.kill()
        names = [span.name for _, span in collector.spans()]
    acknowledged = mode in ("ok", "slow:0.1")

    assert f"{acknowledged}\n" == found.out
    assert mode.startswith("err") is (names == []), names


def test_refused_and_silent_places_are_what_they_say(bench, tmp_path):
    """
    A check against an endpoint that answers after all would prove nothing.
    """
    (tmp_path / "calls.py").write_text(CALLS, encoding="utf-8")
    with refusing() as refused, collecting(tmp_path, "black hole") as silent:
        answers = [bench.run("calls", endpoint).out for endpoint in (refused, silent.endpoint)]
        held = silent.requests()

    assert (["False\n", "False\n"], []) == (answers, held)


def test_rows_are_run_printed_and_counted(bench, rows):
    """
    The worst of all rounds counts, what may be noise gets a second try, and a check that breaks fails its row alone.
    """
    figures = iter([1.0, 3.0, 3.0])
    tries = iter([9.0, 1.0, 1.0])

    def once(values):
        findings = Findings()
        findings.at_most("took", 2.0, next(values), "s")
        return findings

    def broken(_):
        raise LookupError("a mistake in the check")

    row("R1", "worst of two rounds", "≤ 2 s")(lambda _: once(figures))
    row("R2", "failed once", "≤ 2 s", timed=True)(lambda _: once(tries))
    row("R3", "breaks", "never")(broken)
    results = run_rows(bench, list(rows), rounds=2, say=lambda *_, **__: None)
    text = table(results, [("R29", "the page", "all codes")])

    assert [False, True, False] == [result.findings.passed for result in results]
    assert {"R1", "R2", "R3"} == set(json.loads(as_json(results, MACHINE))["rows"])
    assert "FAIL: took 3 s" in text
    assert "LookupError" in text
    assert "with the page" in text
    assert text.endswith("1 of 3 rows at or under their bar; over it: R1 R3")


def test_rows_that_are_run_again_replace_their_figures_and_leave_the_others():
    """
    A row that looks like noise is repeated alone; another version's figures would be a lie beside it.
    """

    def took(value):
        findings = Findings()
        findings.at_most("took", 2.0, value, "s")
        return Result(ROW, findings, 1.0)

    first = json.loads(as_json([took(3.0)], MACHINE))
    first["rows"]["R7"] = {"figure": "kept"}
    again = json.loads(as_json([took(1.0)], MACHINE, json.dumps(first)))
    newer = json.loads(as_json([took(1.0)], MACHINE | {"version": "2"}, json.dumps(first)))

    assert {"R5": True, "R7": "kept"} == {"R5": again["rows"]["R5"]["passed"], "R7": again["rows"]["R7"]["figure"]}
    assert ["R5"] == list(newer["rows"])
    assert not first["rows"]["R5"]["passed"]


def test_figure_measured_twice_under_one_name_is_the_worst():
    """
    A table that is made from the figures must not forget the first of two.
    """
    findings = Findings()
    for value in (1.5, 0.5):
        findings.at_most("flush", 1.2, value, "s")
        findings.holds("returns False", value < 1)

    assert {"flush": 1.5, "returns False": False} == findings.numbers


@pytest.mark.parametrize(
    ("fail", "tries"),
    [
        (lambda findings: findings.at_most("exit", 2.2, 9.0, "s"), 2),
        (lambda findings: findings.at_least("share", 0.45, 0.1), 2),
        (lambda findings: findings.at_most("exit", 2.2, None, "s"), 1),
        (lambda findings: findings.at_most("lines", 2, 3), 1),
        (lambda findings: findings.all_of("children that ended", 80, 79), 1),
        (lambda findings: findings.same("ledger", 10, 9), 1),
    ],
    ids=["a time", "a ratio", "no figure", "a count", "a child", "a ledger"],
)
def test_only_what_may_be_noise_is_tried_again_and_two_misses_fail(bench, rows, fail, tries):
    """
    One slow moment of a shared machine must not break a build, and a rare hang must not be tried away.
    """
    runs = []

    def check(_):
        findings = Findings()
        findings.at_most("fine", 1.0, 0.5, "s")
        fail(findings)
        runs.append(findings)
        return findings

    row("R1", "a row", "its bar")(check)
    (result,) = run_rows(bench, list(rows), say=lambda *_, **__: None)

    assert (tries, False) == (len(runs), result.findings.passed)
