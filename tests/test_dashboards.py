"""Both dashboards: sixteen panels where they belong, and nothing in them that the instruments do not measure."""

import math
import subprocess
import sys
from itertools import combinations

import pytest
from dashboard_files import PATHS, ROOT, panels, read
from hypothesis import given
from hypothesis import strategies as st
from local_store import App

from tta_observe import semconv
from tta_observe.dashboards import files, thresholds
from tta_observe.dashboards.panels import PANELS
from tta_observe.dashboards.thresholds import Thresholds
from tta_observe.instruments import LLM_COST, LLM_TOKENS
from tta_observe.local import queries

TABS = {
    "Overview: system health": {
        1: ("Service Map", "nodeGraph", "ops"),
        2: ("System Health Score", "gauge", "percentunit"),
        3: ("System Throughput", "timeseries", "reqps"),
        4: ("Active Workflows", "stat", "none"),
        5: ("Error Rate", "stat", "percentunit"),
    },
    "Workflows: performance & errors": {
        6: ("Top 10 Workflows by P95 Latency", "timeseries", "ms"),
        7: ("Workflow Success Rates", "table", "short"),
        8: ("Error Distribution by Type", "piechart", "ops"),
    },
    "Primitives: detailed performance": {
        9: ("Primitive Performance Heatmap", "heatmap", "ms"),
        10: ("Primitive Execution Count by Type", "timeseries", "ops"),
        11: ("Cache Hit Rate", "gauge", "percentunit"),
        12: ("Top 5 Slowest Primitives", "timeseries", "ms"),
    },
    "Resources: LLM & cache": {
        13: ("LLM Tokens by Model", "timeseries", "short"),
        14: ("Estimated LLM Cost", "stat", "currencyUSD"),
        15: ("Cache Hit Rate by Primitive", "timeseries", "percentunit"),
        16: ("Cache Cost Savings", "stat", "currencyUSD"),
    },
}
"""What is promised: tabs in their order, and on each its panels by number."""

STEPS = {
    2: [("red", None), ("yellow", 0.80), ("green", math.nextafter(0.95, 1))],
    4: [("green", None), ("yellow", 5), ("red", math.nextafter(10, 11))],
    5: [("green", None), ("yellow", 0.05), ("red", math.nextafter(0.20, 1))],
    11: [("red", None), ("yellow", 0.50), ("green", math.nextafter(0.80, 1))],
}
JUDGEMENTS = [thresholds.HEALTH, thresholds.ERROR_RATE, thresholds.CACHE, thresholds.ACTIVE]
PROMETHEUS = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}


def rows(dashboard):
    """The rows of a classic dashboard with the panels below each."""
    found = {}
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            found[panel["title"]] = below = []
        else:
            below.append(panel)
    return found


def tabs(resource):
    """The tabs of a resource with the layout items on each."""
    return {
        tab["spec"]["title"]: [item["spec"] for item in tab["spec"]["layout"]["spec"]["items"]]
        for tab in resource["spec"]["layout"]["spec"]["tabs"]
    }


def places():
    """Every grid as a list of (x, y, width, height): the classic one, and one for each tab."""
    whole = [tuple(panel["gridPos"][key] for key in "xywh") for panel in read("classic")["panels"]]
    sides = ("x", "y", "width", "height")
    return [whole, *([tuple(item[side] for side in sides) for item in tab] for tab in tabs(read("tabs")).values())]


def overlap(one, other):
    """Whether two places share a cell."""
    (x, y, width, height), (left, top, span, rise) = one, other
    return x < left + span and left < x + width and y < top + rise and top < y + height


def described(panel):
    """What a panel is, in the words of :data:`TABS`."""
    return panel["title"], panel["type"], panel["fieldConfig"]["defaults"]["unit"]


def sources(value):
    """Everything that is named as a data source, anywhere inside *value*."""
    if isinstance(value, list):
        return [found for each in value for found in sources(each)]
    if not isinstance(value, dict):
        return []
    own = [value["datasource"]] if "datasource" in value else []
    return own + [found for each in value.values() for found in sources(each)]


def test_rows_hold_the_promised_panels():
    """
    Four rows stand for four tabs, for those who have a Grafana before 13.
    """
    found = {
        title: {panel["id"]: described(panel) for panel in below} for title, below in rows(read("classic")).items()
    }

    assert list(TABS.items()) == list(found.items())


def test_tabs_hold_the_promised_panels():
    """
    Numbers are what links and reports refer to; the order of the tabs is the order of the questions.
    """
    resource = read("tabs")
    by_element = dict(zip(resource["spec"]["elements"], panels(resource), strict=True))
    found = {title: [by_element[item["element"]["name"]] for item in items] for title, items in tabs(resource).items()}

    assert list(TABS.items()) == [
        (title, {panel["id"]: described(panel) for panel in here}) for title, here in found.items()
    ]


def test_both_dashboards_have_the_same_panels():
    """
    One table makes both: neither has a query, an option or a word of its own.
    """
    elements = {panel["id"]: panel for panel in panels(read("tabs"))}
    below_rows = {panel["id"]: panel for panel in panels(read("classic"))}
    for panel in below_rows.values():
        assert PROMETHEUS == panel.pop("datasource")
        panel.pop("gridPos")

    assert below_rows == elements


@pytest.mark.parametrize("grid", range(1 + len(TABS)))
def test_panels_do_not_overlap(grid):
    """
    Grafana pushes panels out of each other's way, and the order is gone.
    """
    found = places()[grid]

    assert [] == [place for place in found if place[0] < 0 or place[0] + place[2] > 24]
    assert [] == [pair for pair in combinations(found, 2) if overlap(*pair)]


def test_each_element_is_placed_once():
    """
    An element without a place is never seen; a place without an element is an error message.
    """
    resource = read("tabs")
    placed = [item["element"]["name"] for items in tabs(resource).values() for item in items]

    assert sorted(resource["spec"]["elements"]) == sorted(placed)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_panel_explains_itself(panel):
    """
    A reader sees the question, how to read the answer, and words where there is none.
    """
    shown = {each["id"]: each for each in panels(read("classic"))}[panel.id]

    assert f"{panel.question} {panel.note}" == shown["description"]
    assert panel.empty == shown["fieldConfig"]["defaults"]["noValue"] != ""
    assert panel.question.endswith("?")
    assert panel.note.endswith((".", ")"))


@pytest.mark.parametrize("kind", PATHS)
def test_only_the_variable_is_a_data_source(kind):
    """
    A dashboard with an address in it works in one Grafana alone.
    """
    names = {source.get("uid", source.get("name")) for source in sources(read(kind))}

    assert {"${DS_PROMETHEUS}"} == names


def test_classic_dashboard_can_be_provisioned():
    """
    Inputs are asked for by the import dialogue alone; an id is another database's.
    """
    dashboard = read("classic")

    assert "__inputs" not in dashboard
    assert (None, "tta-agent-observability") == (dashboard["id"], dashboard["uid"])
    assert ("10s", {"from": "now-1h", "to": "now"}) == (dashboard["refresh"], dashboard["time"])
    assert ["tta", "observability", "primitives", "agentic"] == dashboard["tags"]


def test_dashboard_with_tabs_is_a_whole_resource():
    """
    A bare spec is refused by provisioning; another name keeps one dashboard from replacing the other.
    """
    resource = read("tabs")
    spec, times = resource["spec"], resource["spec"]["timeSettings"]

    assert ("dashboard.grafana.app/v2", "Dashboard") == (resource["apiVersion"], resource["kind"])
    assert {"name": "tta-agent-observability-tabs"} == resource["metadata"]
    assert ("10s", "now-1h", "now") == (times["autoRefresh"], times["from"], times["to"])
    assert ["tta", "observability", "primitives", "agentic"] == spec["tags"]


@pytest.mark.parametrize("number", STEPS)
def test_colours_begin_where_promised(number):
    """
    Grafana's steps begin at their value; "above 95 %" is the next number that there is.
    """
    config = {panel["id"]: panel for panel in panels(read("classic"))}[number]["fieldConfig"]["defaults"]
    steps = [(step["color"], step["value"]) for step in config["thresholds"]["steps"]]

    assert "thresholds" == config["color"]["mode"]
    assert STEPS[number] == steps


def test_no_other_panel_is_judged():
    """
    A cost is not good or bad by itself.
    """
    modes = {
        panel["id"]: panel["fieldConfig"]["defaults"].get("color", {}).get("mode") for panel in panels(read("classic"))
    }

    assert set(STEPS) == {number for number, mode in modes.items() if mode == "thresholds"}


@given(judge=st.sampled_from(JUDGEMENTS), value=st.floats(-1, 30))
def test_steps_and_colours_agree(judge, value):
    """
    Grafana takes the last step that begins at or below a value; the report asks for the colour.
    """
    reached = [color for color, begins in judge.steps if begins is None or begins <= value]

    assert reached[-1] == judge.color(value)


@given(bounds=st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted), value=st.floats(0, 100))
def test_steps_ascend_and_agree_for_any_bounds(bounds, value):
    """
    What holds for today's limits holds for tomorrow's.
    """
    judge = Thresholds("red", *bounds, "green")
    begins = [begin for _, begin in judge.steps[1:]]
    reached = [color for color, begin in judge.steps if begin is None or begin <= value]

    assert sorted(begins) == begins
    assert reached[-1] == judge.color(value)


def test_files_of_the_tree_are_as_generated():
    """
    Whoever changes the table runs `make dashboards`, or the dashboards say something else.
    """
    assert [] == files.outdated(ROOT)


def test_what_is_missing_or_changed_is_written_and_nothing_else(tmp_path):
    """
    A second run leaves the files alone.
    """
    everything = files.write(tmp_path)
    (tmp_path / files.CLASSIC).write_text("{}", encoding="utf-8")

    assert set(files.generated()) == set(everything)
    assert [files.CLASSIC] == files.outdated(tmp_path)
    assert [files.CLASSIC] == files.write(tmp_path)
    assert [] == files.write(tmp_path)


def test_generated_files_are_the_same_each_time():
    """
    A file that changes by itself makes every review longer.
    """
    program = (
        "import sys; from tta_observe.dashboards import files; sys.stdout.write(''.join(files.generated().values()))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout.decode()
        for seed in ("1", "2")
    }

    assert {"".join(files.generated().values())} == made


@pytest.fixture(name="store")
def _store(tmp_path):
    """A store to ask, empty or after one measurement of everything."""
    app = App(tmp_path / "store.db")

    def ask(panel, *, filled):
        if filled:
            app.run("chat", "workflow", workflow_name="chat")
            app.record(LLM_TOKENS, 5, {semconv.LLM_MODEL_NAME: "gpt-4o", semconv.LLM_PROVIDER: "openai"})
            app.record(LLM_COST, 0.1, {semconv.LLM_MODEL_NAME: "gpt-4o", semconv.LLM_PROVIDER: "openai"})
        app.tick()
        asked = app.now_ns if panel.local is queries.active_workflows else app.window()
        with app.reader() as reader:
            return panel.local(reader, asked)

    yield ask
    app.exporter.close()


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_local_store_answers_the_same_question(store, panel, filled):
    """
    The report asks the store what Grafana asks Prometheus.
    """
    assert panel.local.__name__ in queries.__all__
    assert store(panel, filled=filled) is not None


def test_variables_offer_what_the_links_need():
    """
    One choice for the reader; the trace stores and the service are found without asking.
    """
    shown = {each["name"]: each["hide"] for each in read("classic")["templating"]["list"]}
    with_tabs = {each["spec"]["name"]: each["spec"]["hide"] for each in read("tabs")["spec"]["variables"]}

    assert {"DS_PROMETHEUS": 0, "DS_TEMPO": 2, "DS_JAEGER": 2, "service": 2} == shown
    assert {name: ["dontHide", "", "hideVariable"][hide] for name, hide in shown.items()} == with_tabs
