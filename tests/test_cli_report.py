"""The report: seven answers on the first screen, whatever the store holds."""

import json
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tta_observe import configure, record_cache_operation, record_llm_usage, traced_primitive, workflow
from tta_observe.cli import empty, main, words
from tta_observe.cli.answers import QUESTIONS
from tta_observe.cli.report import Report, to_json
from tta_observe.cli.screen import Screen, render
from tta_observe.cli.servicemap import map_lines
from tta_observe.local.rows import (
    CacheRow,
    ConnectionRow,
    CostRow,
    ErrorRow,
    Health,
    ModelRow,
    PrimitiveRow,
    ProcessRow,
    Run,
    Spending,
    Throughput,
    TypeRow,
    Window,
    WorkflowRow,
)

NOW = 1_760_000_000_000_000_000
HOUR = Window(NOW - 3_600_000_000_000, NOW)
IDLE = Report("/var/store.db", HOUR)
BUSY = Report(
    store="/var/store.db",
    window=HOUR,
    traffic_seconds=7.2,
    active_workflows=2,
    health=Health(success=90, error=10, cancelled=1),
    throughput=Throughput(101, 14.03),
    cache=CacheRow(2, 3, 2 / 3, 0.0021),
    spending=Spending(0.0871, 43.55, 12, 2),
    costs=(
        CostRow("workflow", "review", 47, 15_803, 0.0871, True, 12, 2),  # noqa: FBT003
        CostRow("agent", "reviewer", 34, 15_801, 0.0871, False, 0, 0),  # noqa: FBT003
        CostRow("primitive", "ask", 34, 15_801, 0.0871, False, 0, 0),  # noqa: FBT003
        CostRow("primitive", "draft", 13, 2, None, True, 12, 2),  # noqa: FBT003
    ),
    workflows=(
        WorkflowRow("review", 38, 0.92, 80.2, 10_000.0, 0.0871, 0.0023, True),  # noqa: FBT003
        WorkflowRow("conclude", 1, 1.0, 30, 50, 0.0, None),
    ),
    primitives=(PrimitiveRow("ask", "llm", 33, 1, 45, 2_400.0), PrimitiveRow("check", "validator", 33, 2, 4.5, 9)),
    errors=(ErrorRow("SyntaxError", 5, 0.5), ErrorRow("shop.TooLong", 3, 0.3), ErrorRow("OSError", 2, 0.2)),
    executions_by_type=(TypeRow("llm", 33), TypeRow("validator", 33)),
    caches=(CacheRow(2, 3, 2 / 3, 0.0021, "look_up"),),
    models=(
        ModelRow("acme", "large", 12_345, 3_456, 0.0871, 0),
        ModelRow("acme", "small", 2_345, 456, None, 12, 2, 14),
        ModelRow("acme", "tiny", 1, 1, None, 1),
    ),
    connections=(
        ConnectionRow("review", "load", "nested", 38),
        ConnectionRow("load", "check", "parallel", 36),
        ConnectionRow("load", "scan", "parallel", 36),
        ConnectionRow("check", "ask", "parallel", 35),
        ConnectionRow("scan", "ask", "parallel", 35),
        ConnectionRow("ask", "ask", "sequential", 3),
    ),
    latest_runs=(
        Run("t", "s", "review", "id", NOW, 80.3, "success", None, None, 1, 540, 6),
        Run("t", "s", "review", "id", NOW, 80.3, "error", "shop.TooLong", 0.0, 0, 0, 6),
    ),
    processes=(ProcessRow("shop", 1234, "uuid", NOW, NOW, True),),  # noqa: FBT003
)


def answers(report, width=80):
    """The lines of each question, by question."""
    found, current = {}, None
    for line in render(report, Screen(width, height=24)).splitlines():
        current = next((question for question, _ in QUESTIONS if line.startswith(question)), current)
        if current:
            found.setdefault(current, []).append(line)
    return found


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is my system working?", "● Mostly: 90 % of 100 executions ok, 1 cancelled"),
        ("Which workflow is slow?", "review · P95 ≥ 10 s · 38 runs · 92 % ok"),
        ("Why are requests failing?", "5 × SyntaxError (50 %)"),
        ("Am I wasting money?", "Cache hit rate 66.7 %: 2 of 3 lookups"),
        ("Which LLM costs the most?", "large · $0.0871 (estimate) · 15,801 tokens"),
        ("How much am I spending?", "Estimate: ≥ $0.0871 in all, ≥ $43.55 per hour"),
        ("What is calling what?", "review └▶ load 38×"),
    ],
)
def test_first_screen_answers_all_seven_questions(question, answer):
    """
    Five seconds of looking, without scrolling: each question stands on the first 24 lines with its answer beside it.
    """
    first_screen = render(BUSY, Screen(80)).splitlines()[:24]

    assert [f"{question:27}{answer}"] == [line for line in first_screen if line.startswith(question)]


def test_answers_never_grow_past_a_screen():
    """
    The fullest answers, the line that names the rest and the prompt are 24 lines: nothing has scrolled away.
    """
    lines = render(BUSY, Screen(80, height=24)).splitlines()

    assert 23 >= len(lines)
    assert lines[-1].startswith("More: tta-observe report | less   (workflows, costs, primitives")


def test_tall_terminal_shows_tables_while_they_fit():
    """
    Who has the room sees more without asking; who reads a file sees everything.
    """
    tall = render(BUSY, Screen(80, height=34))

    assert ("\nWorkflows (" in tall, "\nLatest runs" in tall, "More: " in tall) == (True, False, True)
    assert 33 >= len(tall.splitlines())
    assert "\nLatest runs" in render(BUSY, Screen(80))


@pytest.mark.parametrize(
    ("report", "question", "answer"),
    [
        (IDLE, 0, "○ Idle: nothing ended"),
        (replace(IDLE, health=Health(0, 0, 3)), 0, "○ Idle: 3 executions, all cancelled"),
        (replace(BUSY, health=Health(96, 4, 0)), 0, "● Yes: 96 % of 100 executions ok"),
        (replace(BUSY, health=Health(1, 4, 0)), 0, "● No: 20 % of 5 executions ok"),
        (replace(BUSY, health=Health(999_999, 1, 0)), 0, "● Yes: > 99.9 % of 1.0 M executions ok"),
        (IDLE, 1, "No workflow ended"),
        (IDLE, 2, "Nothing ran"),
        (replace(BUSY, errors=()), 2, "Nothing failed"),
        (IDLE, 3, "No cache lookups"),
        (IDLE, 4, "No LLM calls"),
        (replace(BUSY, models=BUSY.models[1:]), 4, "small · cost unknown · 2,801 tokens"),
        (IDLE, 5, "Nothing: no LLM calls"),
        (replace(BUSY, spending=Spending(0.0, 0.0, 3)), 5, "3 calls without a price: small, tiny"),
        (replace(IDLE, spending=Spending(0.0, 0.0, 0, 2)), 5, "cost unknown: 2 calls without usage"),
        (replace(IDLE, models=(ModelRow(None, "own", 1, 1, 0.0, 0),)), 5, "cost $0.00"),
        (IDLE, 6, "No connections"),
    ],
)
def test_answers_are_honest(report, question, answer):
    """
    Idle is not healthy, unpriced is not free, and one failure in a million is not 100 %.
    """
    name = QUESTIONS[question][0]

    assert f"{name:27}{answer}" == answers(report)[name][0]


def test_unpriced_is_never_shown_as_free():
    """
    $0.00 beside a model without a price would be believed.
    """
    report = replace(BUSY, spending=Spending(0.0, 0.0, 3), models=BUSY.models[1:], workflows=BUSY.workflows[1:])

    drawn = render(replace(report, latest_runs=BUSY.latest_runs[:1]), Screen(120))
    assert [] == re.findall(r"\$0\.00\b", drawn)


def test_a_cost_that_leaves_calls_out_says_so():
    """
    "$0.0871" where twelve calls have no price is a bill that comes out higher: how many, and of which models.
    """
    assert [
        "How much am I spending?    Estimate: ≥ $0.0871 in all, ≥ $43.55 per hour of traffic",
        f"{'':27}review ≥ $0.0023 per run · agent reviewer $0.0871 · primitive ask $0.0871",
        f"{'':27}12 calls without a price: small, tiny · 2 without usage",
    ] == answers(BUSY, 120)["How much am I spending?"]


def test_long_names_leave_room_for_what_is_not_known():
    """
    A name can be guessed from its beginning; that two more calls are missing cannot.
    """
    models = (replace(BUSY.models[1], model="m" * 99),)
    line = answers(replace(BUSY, models=models))["How much am I spending?"][2]

    assert (True, 80) == (line.endswith("… · 2 without usage"), cell_len(line))


def table(title, width=80, report=BUSY):
    """The lines of one table, without its title and heading."""
    lines = render(report, Screen(width)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    return lines[start + 2 : lines.index("", start) if "" in lines[start:] else None]


def test_costs_are_told_by_whoever_spends():
    """
    Which workflow, which agent, which primitive: the three dearest of each, with what is not known of it.
    """
    assert [
        ["workflow", "review", "47", "15,803", "≥", "$0.0871", "100", "%", "14"],
        ["agent", "reviewer", "34", "15,801", "$0.0871", "100", "%", "0"],
        ["primitive", "ask", "34", "15,801", "$0.0871", "100", "%", "0"],
        ["primitive", "draft", "13", "2", "unknown", "–", "14"],
    ] == [line.split() for line in table("Costs")]
    many = replace(BUSY, costs=tuple(replace(BUSY.costs[0], name=f"w{i}") for i in range(9)))
    assert 3 == len(table("Costs", report=many))


def test_a_run_is_shown_beside_its_budget():
    """
    Which run was too dear is seen at a glance; one with calls of unknown cost may be.
    """
    run = replace(BUSY.latest_runs[0], cost_usd=0.5, budget_usd=0.25)
    runs = (run, replace(run, cost_usd=0.2, unpriced_calls=1), replace(run, budget_usd=None))
    report = replace(BUSY, latest_runs=runs)
    found = [line.partition("ms")[2].strip().partition("  ")[0] for line in table("Latest runs", 120, report)]

    assert ["$0.5000 of $0.2500", "≥ $0.2000 of $0.2500", "$0.5000"] == found
    assert 1 == len(re.findall(r"\x1b\[31m *\S+ of ", render(report, Screen(120, color=True))))


def test_a_saturated_p95_says_so():
    """
    The last bucket ends at 10 s; a P95 of "10 s" would be a figure that nobody measured.
    """
    assert ("≥ 10 s", "10 s", "9.9 s") == (
        words.p95(10_000.0),
        words.milliseconds(10_000.0).replace(".0", ""),
        words.p95(9_900.0),
    )


HOSTILE = [
    "[red]x[/red]",
    "a\nb",
    "\x1b[31mred",
    "\x9b2J",
    "a\u202eb",
    "\ud800",
    "tab\there",
    "",
    "界" * 90,
    "x" * 5000,
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_hostile_names_are_text(name, width):
    """
    A name out of a traced program must not paint, clear or reorder the terminal of whoever reads the report.
    """
    drawn = render(named(name), Screen(width))

    assert [] == [char for char in drawn if not char.isprintable() and char != "\n"]
    assert width >= max(cell_len(line) for line in drawn.splitlines())
    assert len(render(named("plain"), Screen(width)).splitlines()) == len(drawn.splitlines())


def test_markup_is_shown_as_it_is():
    """
    "[red]" in a name is a name.
    """
    assert "[red]x[/red]" in render(named("[red]x[/red]"), Screen(120))


@given(name=st.text(max_size=80), width=st.integers(60, 200))
def test_no_name_breaks_the_layout(name, width):
    """
    Whatever Unicode has in store: as many lines as for a plain name, each within the width.
    """
    drawn = render(named(name), Screen(width)).splitlines()

    assert width >= max(map(cell_len, drawn))
    assert len(render(named("plain"), Screen(width)).splitlines()) == len(drawn)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for line in drawn for char in line)


def named(name):
    """A report in which everything is called *name*."""
    return replace(
        BUSY,
        store=name,
        workflows=(replace(BUSY.workflows[0], name=name),),
        primitives=(replace(BUSY.primitives[0], name=name, type=name),),
        errors=(ErrorRow(name, 1, 1.0),),
        caches=(replace(BUSY.caches[0], primitive=name),),
        models=(replace(BUSY.models[0], model=name, provider=name),),
        connections=(ConnectionRow(name, name, "nested", 1),),
        latest_runs=(replace(BUSY.latest_runs[1], workflow=name, error_type=name),),
        processes=(replace(BUSY.processes[0], service_name=name),),
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_figures_are_never_cut(width):
    """
    A cut name can be guessed, a cut figure misleads.
    """
    report = replace(
        BUSY, models=(replace(BUSY.models[0], model="m" * 100, provider="p" * 100, prompt_tokens=987_654),)
    )
    row = next(line for line in render(report, Screen(width)).splitlines() if "987,654" in line)

    assert ["987,654", "3,456", "$0.0871", "0"] == row.split()[-4:]


def test_colours_only_where_they_are_seen():
    """
    Escape sequences in a log file help nobody.
    """
    assert ("\x1b[" in render(BUSY, Screen(80, color=True)), "\x1b[" in render(BUSY, Screen(80))) == (True, False)


def test_json_has_stable_keys_and_unrounded_figures():
    """
    Scripts depend on the keys, and do their own rounding.
    """
    found = json.loads(to_json(BUSY))

    assert [
        "store",
        "window",
        "traffic_seconds",
        "active_workflows",
        "health",
        "throughput",
        "cache",
        "spending",
        "costs",
        "workflows",
        "primitives",
        "errors",
        "executions_by_type",
        "caches",
        "models",
        "connections",
        "latest_runs",
        "processes",
    ] == list(found)
    assert 2 / 3 == found["cache"]["hit_rate"]
    assert {"success": 90, "error": 10, "cancelled": 1, "total": 101, "score": 0.9, "error_rate": 0.1} == found[
        "health"
    ]
    assert found["models"][1]["cost_usd"] is None


@pytest.mark.parametrize("name", HOSTILE)
def test_json_is_ascii(name):
    """
    JSON goes through pipes of every encoding, and no name may act on a terminal that shows it.
    """
    drawn = to_json(named(name))

    assert drawn.isascii()
    assert name == json.loads(drawn)["workflows"][0]["name"]


def test_service_map_reads_in_running_order():
    """
    A reader follows a request from its start through fork and join.
    """
    assert [
        "review └▶ load 38×",
        "load ═▶ check 36×, scan 36×",
        "check ═▶ ask 35×",
        "scan ═▶ ask 35×",
        "ask ─▶ ask 3×",
    ] == [line.plain for line in map_lines(BUSY.connections)]


def test_service_map_of_a_circle():
    """
    A loop of an agent has no first node; every connection is shown all the same.
    """
    circle = (ConnectionRow("a", "b", "sequential", 2), ConnectionRow("b", "a", "sequential", 1))

    assert ["a ─▶ b 2×", "b ─▶ a 1×"] == [line.plain for line in map_lines(circle)]


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED=true: programs started like this measure nothing."),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:secret@collector:4317"},
            "OTEL_EXPORTER_OTLP_ENDPOINT is set: telemetry went to https://collector:4317 instead.",
        ),
        ({"TTA_OBSERVE_EXPORTER": "console"}, "TTA_OBSERVE_EXPORTER=console: telemetry went there instead."),
        ({"TTA_OBSERVE_STORE": "/tmp/other.db"}, "TTA_OBSERVE_STORE names another store: /tmp/other.db"),
        ({"TTA_OBSERVE_STORE": "/var/store.db", "TTA_OBSERVE_EXPORTER": "local"}, None),
    ],
)
def test_empty_state_says_where_telemetry_went(environ, reason):
    """
    "Nothing" is the most common first sight: it must say what was read, why it is empty, and what to type.
    """
    said = empty.explain("/var/store.db", environ)

    assert ([reason] if reason else []) == list(empty.elsewhere("/var/store.db", environ))
    assert ("/var/store.db" in said, "tta-observe demo" in said, "secret" in said) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("90s", 90), ("0.5h", 1800)]
)
def test_durations(text, seconds):
    """
    What people type without reading a manual.
    """
    assert seconds == words.seconds_of(text)


@pytest.mark.parametrize("text", ["", "5", "x", "5x", "-5m", "0s", "5 m", "1e3s", "400d", "inf"])
def test_wrong_durations_are_refused(text):
    """
    A report on the wrong window would be believed.
    """
    with pytest.raises(ValueError, match="Write a number and s, m, h or d"):
        words.seconds_of(text)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.percent(0.0004), "< 0.1 %"),
        (words.percent(1.0), "100 %"),
        (words.percent(None), "–"),
        (words.usd(0.00001234), "< $0.0001"),
        (words.usd(1234.5), "$1,234.50"),
        (words.usd(None), "–"),
        (words.usd(0.12, at_least=True), "≥ $0.1200"),
        (words.usd(0.00001234, at_least=True), "> $0.00"),
        (words.milliseconds(0.123), "0.12 ms"),
        (words.milliseconds(999.9), "1.0 s"),
        (words.milliseconds(1500), "1.5 s"),
        (words.milliseconds(90_000), "1.5 min"),
        (words.many(1, "run"), "1 run"),
        (words.per_second(0.034), "0.034/s"),
        (words.a_while(8.04), "8 s"),
    ],
)
def test_figures_in_words(shown, expected):
    """
    A small figure never reads as none, a missing one never as zero.
    """
    assert expected == shown


@pytest.fixture(name="store")
def _store(tmp_path, monkeypatch):
    """A store written by a program: one good run, one failed."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("TTA_OBSERVE_STORE", str(path))
    telemetry = configure(service_name="shop", exporter="local", store=path)
    with workflow("checkout"):
        ask()
    with pytest.raises(ZeroDivisionError), workflow("checkout"):
        divide()
    assert telemetry.shutdown()
    return path


@traced_primitive(type="llm", action="generate", name="ask")
def ask():
    record_cache_operation(hit=True)
    record_llm_usage(provider="acme", model="small", prompt_tokens=10, completion_tokens=5)


@traced_primitive(name="divide")
def divide():
    return 1 / 0


def test_report_of_a_program(store, capsys):
    """
    The whole way: a program, its store, the answer.
    """
    assert 0 == main(["report"])

    shown = capsys.readouterr().out
    assert "● No: 50 % of 4 executions ok" in shown
    assert "2 × ZeroDivisionError (100 %)" in shown
    assert "checkout └▶ ask 1×, divide 1×" in shown
    assert "small · cost unknown · 15 tokens" in shown


def test_since_and_store_choose_what_is_read(store, capsys, monkeypatch):
    """
    Another window and another store than usual.
    """
    monkeypatch.delenv("TTA_OBSERVE_STORE")

    assert 0 == main(["report", "--store", str(store), "--since", "15m", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert (str(store), 900e9) == (found["store"], found["window"]["end_ns"] - found["window"]["start_ns"])
    assert {"success": 2, "error": 2} == {key: found["health"][key] for key in ("success", "error")}


def test_missing_usual_store_is_the_empty_state(tmp_path, monkeypatch, capsys):
    """
    The first thing a newcomer types must not look like a failure.
    """
    monkeypatch.setenv("TTA_OBSERVE_STORE", str(tmp_path / "none.db"))

    assert 0 == main(["report"])
    assert f"Nothing measured yet in {tmp_path / 'none.db'}" in capsys.readouterr().out
    assert [] == list(tmp_path.iterdir())


def test_json_of_nothing_has_the_same_keys(tmp_path, monkeypatch, capsys):
    """
    A script needs no special case for a quiet day.
    """
    monkeypatch.setenv("TTA_OBSERVE_STORE", str(tmp_path / "none.db"))

    assert 0 == main(["report", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (list(json.loads(to_json(BUSY))), None) == (list(found), found["window"])


@pytest.mark.parametrize("content", [None, b"not a store\n" * 100])
def test_named_store_that_is_none_is_an_error(content, tmp_path, capsys):
    """
    A typing mistake must not read as "nothing happened", and a foreign file stays as it is.
    """
    path = tmp_path / "file.db"
    if content:
        path.write_bytes(content)

    assert 1 == main(["report", "--store", str(path)])
    assert str(path) in capsys.readouterr().err
    assert content == (path.read_bytes() if path.exists() else None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["reprot"], 2, "there is no command 'reprot'. Did you mean 'report'?"),
        (["zzz\x1b[2J"], 2, r"there is no command 'zzz\x1b[2J'. Commands: report, run, demo, doctor, stack."),
        (["report", "--since", "5x"], 2, "'5x' is no duration. Write a number and s, m, h or d"),
        (["report", "--nope"], 2, "unrecognized arguments: --nope"),
        (["--version"], 0, "tta-observe 0.1.0"),
        (["--help"], 0, "Exit codes: 0 done"),
        (["report", "--help"], 0, "--since DURATION"),
        ([], 0, "usage: tta-observe"),
    ],
)
def test_command_line(arguments, code, said, capsys):
    """
    Who types wrongly is told what to type.
    """
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code

    captured = capsys.readouterr()
    assert (code, True) == (found, said in captured.out + captured.err)


def tta_observe(*arguments, **options):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "tta_observe", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


def test_ascii_terminals_get_ascii(store, monkeypatch):
    """
    Containers and old consoles have no UTF-8: signs are replaced, nothing fails.
    """
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    found = tta_observe("report")

    assert (0, b"") == (found.returncode, found.stderr)
    assert b"checkout `> ask 1x, divide 1x" in found.stdout


def test_pipes_get_80_columns_and_no_colour(store, monkeypatch):
    """
    What goes into a file looks the same wherever it was made; COLUMNS decides otherwise.
    """
    monkeypatch.delenv("COLUMNS", raising=False)
    plain = tta_observe("report").stdout.decode()
    monkeypatch.setenv("COLUMNS", "60")
    narrow = tta_observe("report").stdout.decode()

    assert (80, 60) >= (max(map(cell_len, plain.splitlines())), max(map(cell_len, narrow.splitlines())))
    assert "\x1b" not in plain + narrow


def test_a_reader_that_leaves_is_no_error(store):
    """
    `tta-observe report | head -1` ends without a traceback.
    """
    command = f'"{sys.executable}" -m tta_observe report | head -1'
    found = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=False)

    assert (0, b"") == (found.returncode, found.stderr)
