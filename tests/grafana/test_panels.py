"""Panels through Grafana's own code: the table's columns, the heatmap's rows, slices, series and figures."""

import pytest

from grafana.history import BUSY, CLUMSY, LOOKUPS, MOMENTS

TABLE, HEATMAP, SLICES = 7, 9, 8
STEP_S = 60
SERIES = {
    "throughput": (3, {"executions": 2.4}),
    "workflows by P95": (6, {"checkout": 2425, "export": 48.75, "nightly report": 487.5}),
    "executions by type": (10, {"agent": 2, "llm": 16, "router": 60, "tool": 38, "workflow": 28}),
    "primitives by P95": (12, {"aborted": 97.5, "fetch": 975, "rank": 4.85, "slow": 10_000, CLUMSY: 4875}),
    "tokens by model": (13, {"gpt-4o": 36_000, "llama": 1500}),
    "hit rate by primitive": (15, {name: hits / lookups for name, (hits, lookups) in LOOKUPS.items()}),
}
PER_MINUTE = {10}
FIGURES = {
    "health": (2, {"health": ("91.9%", "yellow")}),
    "active workflows": (4, {"active": ("7", "yellow")}),
    "error rate": (5, {"error rate": ("8.15%", "yellow")}),
    "hit rate": (11, {"hit rate": ("53.3%", "yellow")}),
}
NUMBERS = {
    "errors by type": (SLICES, {"TimeoutError": 8 / 60, "openai.RateLimitError": 3 / 60}),
    "cost": (14, {"estimate per hour": 3.6, "unpriced calls in range": 180}),
    "savings": (16, {"estimate per hour": 3}),
}
EMPTY = {
    "health": (2, "idle"),
    "active workflows": (4, "0"),
    "error rate": (5, "idle"),
    "hit rate": (11, "no lookups"),
}


def test_both_dashboards_show_the_same(drawn):
    """
    Tabs or rows is a matter of taste, not of figures.
    """
    assert drawn["classic"] == drawn["tabs"]


def test_table_has_one_row_per_workflow(panel):
    """
    Success leaves cancelled runs out, the total does not; a cost that is not known is not zero.
    """
    rows = {row.pop("Workflow"): row for row in panel(TABLE, "busy").table()}

    expected = {
        "checkout": {"Success rate": 14 / 16, "Total runs": 960, "Average": 1200, "P95": 2425, "Cost per run": 0.00375},
        "nightly report": {"Success rate": 1, "Total runs": 480, "Average": 400, "P95": 487.5, "Cost per run": None},
        "export": {"Success rate": None, "Total runs": 240, "Average": 50, "P95": 48.75, "Cost per run": None},
    }
    assert {name: pytest.approx(row) for name, row in expected.items()} == rows


def test_table_is_read_from_left_to_right(panel):
    """
    Which workflow, how well, how often, how long, how dear.
    """
    columns = [field["title"] for field in panel(TABLE, "busy").fields()]

    assert ["Workflow", "Success rate", "Total runs", "Average", "P95", "Cost per run"] == columns


def test_table_keeps_the_digits_that_matter(panel):
    """
    A run that costs a third of a cent does not read $0, and two seconds and a half do not read 2 s.
    """
    texts = {row["Workflow"]: tuple(row.values())[1:] for row in panel(TABLE, "busy").table("texts")}

    assert ("87.5%", "960", "1.20 s", "2.42 s", "$0.00375") == texts["checkout"]
    assert ("–", "240", "50 ms", "48.8 ms", "–") == texts["export"]


def test_table_judges_only_what_it_knows(panel):
    """
    A workflow that was always cancelled is neither healthy nor ill.
    """
    colors = [row["Success rate"] for row in panel(TABLE, "busy").table("colors")]

    assert ["yellow", "green", "text"] == colors


@pytest.mark.parametrize("moment", ["nothing", "idle"])
def test_table_without_runs_is_empty(panel, moment):
    """
    Grafana then shows the panel's own words.
    """
    assert [] == panel(TABLE, moment).table()


def test_heatmap_has_one_row_per_primitive(panel):
    """
    Workflows have a panel of their own; a mean of twenty seconds is twenty, whatever the histogram ends at.
    """
    rows = panel(HEATMAP, "busy").rows()
    means = {each.name: pytest.approx(each.ms) for each in BUSY if each.type != "workflow"}

    assert {*means, "load"} == set(rows)
    assert means == {name: rows[name][-1] for name in means}


def test_heatmap_leaves_a_gap_where_a_primitive_was_idle(panel):
    """
    Idle is not fast: the cell is missing.
    """
    cells = panel(HEATMAP, "busy").rows()["load"]

    assert 30 == pytest.approx(cells[0])
    assert {None} == set(cells[5:])


@pytest.mark.parametrize(("number", "expected"), SERIES.values(), ids=SERIES)
def test_series_carry_the_names_that_the_legend_shows(panel, number, expected):
    """
    A legend of label sets in braces is not read by anybody.
    """
    factor = 60 if number in PER_MINUTE else 1
    latest = {name: value * factor for name, value in panel(number, "busy").latest().items()}

    assert pytest.approx(expected) == {name: latest[name] for name in expected}
    assert set(latest) <= {*expected, "morning", "load"}


def test_series_have_a_point_a_minute(panel):
    """
    More would ask for what a rate over five minutes cannot tell.
    """
    (times,) = panel(3, "busy").times()
    begin, end = MOMENTS["busy"]

    assert [time * 1000 for time in range(begin, end + 1, STEP_S)] == times["values"]


@pytest.mark.parametrize("number", [6, 12])
def test_saturated_figures_say_so_and_times_remain_times(panel, number):
    """
    The histogram ends at 10 s; the mapping that says so must not turn every date into "≥ 10 s".
    """
    texts = {text for field in panel(number, "busy").times() for text in field["texts"]}
    marked = {field["title"] for field in panel(number, "busy").fields() if "≥ 10 s" in field["texts"]}

    assert "2026-01-01 02:00:00" in texts
    assert not any("10 s" in text for text in texts)
    assert ({"slow"} if number == 12 else set()) == marked


@pytest.mark.parametrize(("number", "expected"), FIGURES.values(), ids=FIGURES)
def test_figures_have_their_unit_and_colour(panel, number, expected):
    """
    One glance: the figure, and whether it is good.
    """
    assert expected == panel(number, "busy").figures()


@pytest.mark.parametrize(("number", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_slices_and_costs_add_up(panel, number, expected):
    """
    Reduced by Grafana itself, from the queries of the file.
    """
    assert pytest.approx(expected) == panel(number, "busy").numbers()


@pytest.mark.parametrize(("number", "text"), EMPTY.values(), ids=EMPTY)
def test_nothing_measured_is_neither_good_nor_bad(panel, number, text):
    """
    Grafana takes nothing for a zero: an idle system would otherwise be at 0 % health, in red.
    """
    assert [(text, "text")] == list(panel(number, "nothing").figures().values())


@pytest.mark.parametrize(("number", "text"), [(8, "no errors"), (14, "no LLM calls"), (16, "no savings known")])
def test_nothing_to_show_is_said_in_words(panel, number, text):
    """
    "No data" leaves open whether something is broken.
    """
    (shown,) = panel(number, "nothing").figures().values()

    assert text == shown[0]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (2, [("idle", "text")]),
        (4, [("0", "green")]),
        (5, [("idle", "text")]),
        (8, [("no errors", "green")]),
        (11, [("no lookups", "text")]),
        (14, [("$0", "green")]),
        (16, [("$0", "green")]),
    ],
)
def test_idle_program_reads_as_idle(panel, number, expected):
    """
    The series are still there and do not rise: nothing fails, nothing costs.
    """
    assert expected == list(panel(number, "idle").figures().values())


def test_program_without_failures_is_healthy(panel):
    """
    There is no series of errors yet, and no error is not the same as no answer.
    """
    shown = [panel(number, "quiet").figures() for number in (2, 5, 8)]

    assert [{"health": ("100%", "green")}, {"error rate": ("0%", "green")}, {"": ("no errors", "green")}] == shown
