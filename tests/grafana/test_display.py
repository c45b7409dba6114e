"""Single values through Grafana's own display code: colours at the limits, units, words instead of numbers."""

import math

import pytest
from dashboard_files import panels, read
from hypothesis import given, settings
from hypothesis import strategies as st

from grafana.node import run
from tta_observe.dashboards import thresholds
from tta_observe.dashboards.panels import PANELS

LIMITS = {
    "health": (2, {0: "red", 0.7999: "red", 0.80: "yellow", 0.95: "yellow", 0.9501: "green", 1: "green"}),
    "active workflows": (4, {0: "green", 4: "green", 5: "yellow", 10: "yellow", 11: "red"}),
    "error rate": (5, {0: "green", 0.0499: "green", 0.05: "yellow", 0.20: "yellow", 0.2001: "red"}),
    "hit rate": (11, {0: "red", 0.4999: "red", 0.50: "yellow", 0.80: "yellow", 0.8001: "green", 1: "green"}),
}
JUDGED = {panel.id: panel.thresholds for panel in PANELS if panel.thresholds}
BOUNDS = [bound for each in JUDGED.values() for bound in (each.second_from, each.last_above)]
NEAR = [near for bound in BOUNDS for near in (bound, math.nextafter(bound, 0), math.nextafter(bound, 99))]
FIGURES = st.floats(0, 20) | st.sampled_from(NEAR)


def units_of(dashboard):
    """Every unit that a panel names."""
    for config in (panel["fieldConfig"] for panel in panels(dashboard)):
        yield config["defaults"]["unit"]
        properties = [each for override in config["overrides"] for each in override["properties"]]
        yield from (each["value"] for each in properties if each["id"] == "unit")


@pytest.mark.parametrize(("number", "expected"), LIMITS.values(), ids=LIMITS)
def test_limits_have_the_promised_colour(show, number, expected):
    """
    Exactly 95 % is not more than 95 %.
    """
    (field,) = show({"panel": number, "name": "Value", "values": list(expected)})

    assert list(expected.values()) == field["colors"]


@given(values=st.lists(FIGURES, min_size=100, max_size=200))
@settings(max_examples=5)
def test_grafana_judges_as_the_report_does(show, values):
    """
    Terminal and dashboard never disagree, not even at the last digit.
    """
    fields = show(*({"panel": number, "name": "Value", "values": values} for number in JUDGED))

    expected = [[judge.color(value) for value in values] for judge in JUDGED.values()]
    assert expected == [field["colors"] for field in fields]


def test_column_of_the_table_is_judged_as_health_is(show):
    """
    The same share has the same colour wherever it stands.
    """
    field = {"panel": 7, "name": "Success rate", "values": list(LIMITS["health"][1])}
    (shown,) = show(field)

    assert [thresholds.HEALTH.color(value) for value in field["values"]] == shown["colors"]


@pytest.mark.parametrize(("number", "name"), [(6, "checkout"), (12, "rank"), (7, "P95")])
def test_last_bucket_reads_as_at_least_ten_seconds(show, number, name):
    """
    An estimate from a histogram cannot be slower than its last bucket: 10.0 s would be a lie.
    """
    (field,) = show({"panel": number, "name": name, "values": [9_990, 10_000]})

    assert ["9.99 s", "≥ 10 s"] == field["texts"]


@pytest.mark.parametrize("kind", ["classic", "tabs"])
def test_units_are_known_to_grafana(kind):
    """
    An identifier that is misspelt becomes a suffix: "5 reqsps".
    """
    units = set(units_of(read(kind)))

    assert [] == run("units.mjs", sorted(units))
    assert ["reqsps"] == run("units.mjs", ["reqsps", *sorted(units)])
