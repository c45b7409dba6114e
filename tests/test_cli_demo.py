"""The demo: real work, real failures, and a report in which every figure is right."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tta_observe.cli import demo, main
from tta_observe.cli.samples import SAMPLES
from tta_observe.cli.tally import Tally, differences

EXAMPLES = Path(tempfile.mkdtemp(prefix="reviewed-"))
"""Two programs to review: what is counted must not change with every example that is added."""
for _name in ("quickstart.py", "parallel.py"):
    shutil.copy(Path(__file__).parent.parent / "examples" / _name, EXAMPLES)
atexit.register(shutil.rmtree, EXAMPLES, ignore_errors=True)
TOO_LONG = "tta_observe.cli.review.ContextTooLongError"


@pytest.fixture(name="tallies")
def _tallies(tmp_path, monkeypatch):
    """Every tally the demo makes, in a world with no settings but a store of its own."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "TTA_OBSERVE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TTA_OBSERVE_STORE", str(tmp_path / "store.db"))
    made = []
    monkeypatch.setattr(demo, "Tally", lambda: made.append(Tally()) or made[-1])
    return made


@pytest.fixture(name="reviewed")
def _reviewed(tallies, capsys):
    """One run over the examples: what it counted, what it printed, and `report --json` afterwards."""
    assert 0 == main(["demo", str(EXAMPLES)])
    printed = capsys.readouterr().out
    assert 0 == main(["report", "--json"])
    return tallies[0], printed, json.loads(capsys.readouterr().out)


def test_every_figure_of_the_report_is_what_was_counted(reviewed):
    """
    If the demo's own plain counters and the report disagree, no figure of any report can be trusted.
    """
    tally, _, report = reviewed
    by_status, by_name, by_type, failed = Counter(), Counter(), Counter(), Counter()
    for (name, type_, status), count in tally.executions.items():
        by_status[status] += count
        by_name[name] += count
        by_type[type_] += count
        failed[name] += count * (status == "error")

    assert (by_status["success"], by_status["error"], 0) == tuple(
        report["health"][status] for status in ("success", "error", "cancelled")
    )
    assert by_name.total() == report["throughput"]["executions"] == report["health"]["total"]
    assert by_name == {row["name"]: row["executions"] for row in report["primitives"]} | {
        row["name"]: row["runs"] for row in report["workflows"]
    }
    assert {name: failed[name] for name in by_name if name not in tally.workflow_cost_usd} == {
        row["name"]: row["errors"] for row in report["primitives"]
    }
    assert by_type == {row["primitive_type"]: row["count"] for row in report["executions_by_type"]}
    assert tally.errors == {row["error_type"]: row["count"] for row in report["errors"]}
    assert {kind: count / tally.errors.total() for kind, count in tally.errors.items()} == pytest.approx(
        {row["error_type"]: row["share"] for row in report["errors"]}
    )
    assert 0 == report["active_workflows"]


def test_cache_tokens_and_cost_are_what_was_counted(reviewed):
    """
    Money is where a wrong figure hurts.
    """
    tally, _, report = reviewed
    models = {row["model"]: row for row in report["models"]}

    assert (tally.lookups["look_up"], tally.hits["look_up"]) == (report["cache"]["lookups"], report["cache"]["hits"])
    assert tally.hits["look_up"] / tally.lookups["look_up"] == report["cache"]["hit_rate"]
    assert tally.saved_usd == pytest.approx(report["cache"]["saved_usd"])
    assert tally.tokens == {
        (name, kind): row[f"{kind}_tokens"] for name, row in models.items() for kind in ("prompt", "completion")
    }
    assert tally.cost_usd == pytest.approx({"simulated-large": models["simulated-large"]["cost_usd"]})
    assert models["simulated-small"]["cost_usd"] is None
    assert tally.unpriced == {"simulated-small": report["spending"]["unpriced_calls"]}
    assert sum(tally.cost_usd.values()) == pytest.approx(report["spending"]["cost_usd"])
    assert {name: cost or None for name, cost in tally.workflow_cost_usd.items()} == pytest.approx(
        {row["name"]: row["cost_usd"] for row in report["workflows"]}
    )


def test_connections_and_runs_are_what_was_counted(reviewed):
    """
    The service map and the list of runs are read as facts about the program.
    """
    tally, _, report = reviewed
    keys = ("workflow", "status", "llm_calls", "tokens", "primitives")

    assert tally.connections == {
        (row["source"], row["target"], row["connection_type"]): row["count"] for row in report["connections"]
    }
    assert [tuple(getattr(run, key) for key in keys) for run in tally.runs[:-11:-1]] == [
        tuple(row[key] for key in keys) for row in report["latest_runs"]
    ]
    assert [run.cost_usd for run in tally.runs[:-11:-1]] == pytest.approx(
        [row["cost_usd"] or 0.0 for row in report["latest_runs"]]
    )


def test_what_a_run_over_the_examples_is(reviewed):
    """
    The counters themselves are checked by hand once: three broken samples fail at each level that they pass through,
    two samples are copies, and both examples are asked for again.
    """
    tally, _, _ = reviewed

    assert {"UnicodeDecodeError": 2, "SyntaxError": 3, TOO_LONG: 3} == tally.errors
    assert {"look_up": 9} == tally.lookups
    assert {"look_up": 4} == tally.hits
    assert {"review-file": 10, "conclude-review": 1} == Counter(run.workflow for run in tally.runs)
    assert 3 == sum(run.status == "error" for run in tally.runs)
    assert ("check_style", "pick_model", "parallel") in tally.connections
    assert tally.cost_usd["simulated-large"] > 0
    assert 6 == len(SAMPLES)


def test_demo_says_what_is_simulated_and_what_to_type(reviewed):
    """
    Nobody may take the model for real, and nobody should wonder what comes next.
    """
    _, printed, _ = reviewed

    assert "simulated:\nno network, no key, no bill; simulated-small has no price." in printed
    assert "   4/10 copy_of_cart.py: 2 findings, from the cache" in printed
    assert "Is my system working?" in printed
    assert "figures are as the demo counted them by itself." in printed
    assert "Next: tta-observe report" in printed


def test_same_files_same_figures(tallies, capsys):
    """
    Deterministic: what differs between two runs is time, and nothing else. Earlier runs are no part of the report.
    """
    assert [0, 0] == [main(["demo", str(EXAMPLES)]) for _ in range(2)]
    first, second = (tally.figures() for tally in tallies)

    assert [] == differences(first, second)


def test_a_wrong_figure_fails_the_demo(tallies, capsys, monkeypatch):
    """
    The check at the end is a check: it can fail.
    """
    monkeypatch.setattr(Tally, "lookup", lambda *_, **__: None)

    assert 1 == main(["demo", str(EXAMPLES / "quickstart.py")])
    assert "NOT as the demo counted by itself:\nhits: counted 0, shown 3" in capsys.readouterr().out


def test_files_are_found_in_order_and_not_too_many(tmp_path):
    """
    Pointed at a home directory the demo still takes seconds, and leaves other people's packages alone.
    """
    for name in ["b.py", "a.py", "c.txt", ".hidden/x.py", "node_modules/x.py", *(f"many/{n:02}.py" for n in range(50))]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = demo.find_files(tmp_path)

    assert ["a.py", "b.py", "many/00.py"] == [path.relative_to(tmp_path).as_posix() for path in found[:3]]
    assert 40 == len(found)


def test_path_without_python_is_refused(tmp_path, capsys):
    """
    A typing mistake gets an answer, not a report on nothing.
    """
    assert 1 == main(["demo", str(tmp_path / "nowhere")])
    assert "no Python file in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
            "Telemetry went to otlp 127.0.0.1:1, so there is nothing",
        ),
        ({"OTEL_SDK_DISABLED": "true"}, "Telemetry went nowhere, so there is nothing to report from here."),
        ({"TTA_OBSERVE_EXPORTER": "none"}, "TTA_OBSERVE_EXPORTER=none"),
    ],
)
def test_demo_says_where_telemetry_went(environ, said, tallies, tmp_path, capsys, monkeypatch):
    """
    With an endpoint in the environment the demo feeds the backend, and must not show an empty report instead.
    """
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    main(["demo", str(EXAMPLES / "quickstart.py")])

    printed = capsys.readouterr().out
    assert (True, True, False) == (said in printed, "3 unpriced calls, cost unknown" in printed, "$0.00" in printed)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_loop_ends_with_ctrl_c_and_a_report(tmp_path):
    """
    Ctrl-C is how a loop ends: a clean exit, nothing lost, nothing left running.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tta_observe", "demo", str(EXAMPLES), "--loop"],
        env={**environ, "TTA_OBSERVE_STORE": str(tmp_path / "store.db")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout:  # into the second round
        lines.append(line)
        if sum(" 1/10 " in line for line in lines) == 2:
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (0, "") == (process.returncode, err)
    assert "figures are as the demo counted them by itself." in out
