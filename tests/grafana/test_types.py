"""The dashboards against the types that Grafana publishes, and mistakes that those types must not let through."""

import re
from copy import deepcopy

import pytest
from dashboard_files import panels, read

from grafana.typescript import NEWEST, SCHEMAS, classic, errors, tabs


def changed(dashboard, number, change):
    """A copy with one panel changed."""
    copy = deepcopy(dashboard)
    change(next(panel for panel in panels(copy) if panel["id"] == number))
    return copy


def element(resource, change):
    """A copy of a resource with one element changed."""
    copy = deepcopy(resource)
    change(copy["spec"]["elements"]["panel-2"]["spec"])
    return copy


def custom(panel):
    """How a panel draws."""
    return panel["fieldConfig"]["defaults"]["custom"]


def thresholds(panel):
    """Where a panel's colours begin."""
    return panel["fieldConfig"]["defaults"]["thresholds"]["steps"]


def query(spec):
    """The first query of an element."""
    return spec["data"]["spec"]["queries"][0]["spec"]["query"]["spec"]


def spoil_override(panel):
    """The unit of a column becomes a number."""
    properties = panel["fieldConfig"]["overrides"][1]["properties"]
    next(each for each in properties if each["id"] == "unit")["value"] = 5


NUMBER, TEXT = "not assignable to type 'number", "not assignable to type 'string"
MISTAKES = {
    "key of a panel": (2, lambda panel: panel.update(descripton="What?"), "descripton"),
    "type of a key": (2, lambda panel: panel.update(title=7), TEXT),
    "option": (2, lambda panel: panel["options"].update(showThresholdMarker=True), "showThresholdMarker"),
    "type of an option": (9, lambda panel: panel["options"]["color"].update(steps="64"), NUMBER),
    "word": (4, lambda panel: panel["options"].update(colorMode="loud"), '"loud"'),
    "missing option": (8, lambda panel: panel["options"].pop("pieType"), "pieType"),
    "how a series is drawn": (6, lambda panel: custom(panel).update(fill=1), "fill"),
    "threshold": (2, lambda panel: thresholds(panel)[0].update(color=5), TEXT),
    "mapping": (2, lambda panel: panel["fieldConfig"]["defaults"]["mappings"][0].update(type="specail"), "specail"),
    "override": (7, spoil_override, TEXT),
    "link": (6, lambda panel: panel["fieldConfig"]["defaults"]["links"][0].update(href="/"), "href"),
    "query": (3, lambda panel: panel["targets"][0].update(legend_format="x"), "legend_format"),
    "format of a query": (1, lambda panel: panel["targets"][0].update(format="tabel"), "tabel"),
    "transformation": (1, lambda panel: panel["transformations"][0]["options"].update(bayField="id"), "bayField"),
}
"""A panel of the classic dashboard, what is wrong with it, and a word of what the compiler says."""

MISTAKES_WITH_TABS = {
    "missing key": (lambda spec: spec["vizConfig"].pop("version"), "version"),
    "key of an element": (lambda spec: spec.update(titel="x"), "titel"),
    "option": (lambda spec: spec["vizConfig"]["spec"]["options"].update(markers=True), "markers"),
    "query": (lambda spec: query(spec).update(expresion=""), "expresion"),
    "threshold": (lambda spec: thresholds(spec["vizConfig"]["spec"])[0].update(value="0"), NUMBER),
}


@pytest.fixture(name="checked", scope="module")
def _checked(tmp_path_factory):
    """What the compiler says about the dashboards and about each spoiled copy, all in one run."""
    rows, resource = read("classic"), read("tabs")
    sources = {f"classic {version}": classic(rows, schema) for version, schema in SCHEMAS.items()}
    sources["tabs"] = tabs(resource)
    for name, (number, change, _) in MISTAKES.items():
        sources[f"wrong {name}"] = classic(changed(rows, number, change), NEWEST)
    for name, (change, _) in MISTAKES_WITH_TABS.items():
        sources[f"wrong {name} with tabs"] = tabs(element(resource, change))
    return errors(tmp_path_factory.mktemp("types"), sources)


@pytest.mark.parametrize("version", SCHEMAS)
def test_classic_dashboard_fits_the_types_of_each_grafana(checked, version):
    """
    The same file has to be right for the oldest Grafana that it is for, and for the newest.
    """
    assert [] == checked[f"classic {version}"]


def test_dashboard_with_tabs_fits_its_types(checked):
    """
    Grafana refuses a resource that does not.
    """
    assert [] == checked["tabs"]


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused(checked, name):
    """
    A check that lets a misspelt key through proves nothing.
    """
    assert 1 == len(checked[f"wrong {name}"])
    assert MISTAKES[name][-1] in checked[f"wrong {name}"][0]


@pytest.mark.parametrize("name", MISTAKES_WITH_TABS)
def test_mistake_with_tabs_is_refused(checked, name):
    """
    The same for the other file.
    """
    assert 1 == len(checked[f"wrong {name} with tabs"])
    assert MISTAKES_WITH_TABS[name][-1] in checked[f"wrong {name} with tabs"][0]


def test_oldest_grafana_passes_over_what_it_does_not_know(tmp_path_factory):
    """
    The looks of the gauge and the order of slices are newer than Grafana 12.0; nothing else is.
    """
    source = classic(read("classic"), SCHEMAS["12.0"]).replace("& Partial<Omit<Plain<New>, keyof Old>>", "")
    (found,) = errors(tmp_path_factory.mktemp("types"), {"oldest": source}).values()

    assert {"shape", "sort"} == {re.search(r"'\"(\w+)\"' does not exist", error)[1] for error in found}
