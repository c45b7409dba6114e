"""Links as Grafana follows them: variables replaced, the address decoded, and Explore still able to read it."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from grafana.history import BUSY, CLUMSY, MOMENTS

BEGIN, END = (str(time * 1000) for time in MOMENTS["busy"])
TEMPO, JAEGER = "Traces in Tempo", "Traces in Jaeger"
BY_NAME = {
    6: ("primitive.type=workflow", "workflow.name", {"checkout", "export", "morning", "nightly report"}),
    7: ("primitive.type=workflow", "workflow.name", {"checkout", "export", "nightly report"}),
    8: ("execution.status=error", "error.type", {"TimeoutError", "openai.RateLimitError"}),
    10: ("", "primitive.type", {"agent", "llm", "router", "tool", "workflow"}),
    12: ("", "primitive.name", {"load", *(each.name for each in BUSY if each.type != "workflow")}),
    13: ("", "llm.model_name", {"gpt-4o", "llama"}),
}
"""What the links of a series look for, in every panel that has them."""
MENUS = {2: "execution.status=error", 5: "execution.status=error", 14: "llm.cost_status=priced"}
WORDS = ("a b", "größe", "中文", "a/b", "50 %", "x=y", "it's", "(v2)", "a,b;c", "what?", "a:b", "[0]", "{x}", "a|b")
"""What names may hold. Not ``& # + " \\``: Grafana lets nobody quote those."""


def opened(href):
    """The one pane that Explore opens, from the address as a browser reads it."""
    address = urlsplit(href)
    query = parse_qs(address.query)
    assert ("/explore", ["1"]) == (address.path, query["schemaVersion"])
    (pane,) = json.loads(query["panes"][0]).values()
    return pane


def searched(href):
    """The data source of a link, and the conditions that it searches for, as ``attribute=value``."""
    pane = opened(href)
    (query,) = pane["queries"]
    assert {"from": BEGIN, "to": END} == pane["range"]
    assert {"type": pane["datasource"], "uid": pane["datasource"]} == query["datasource"]
    if pane["datasource"] == "jaeger":
        assert ("search", "shop") == (query["queryType"], query["service"])
        return "jaeger", query["tags"].replace('"', "")
    assert "traceqlSearch" == query["queryType"]
    filters = [f"{each['tag']}{each['operator']}{each['value'][0]}" for each in query["filters"]]
    assert {"span"} >= {each["scope"] for each in query["filters"]}
    return "tempo", " ".join(filters)


@pytest.mark.parametrize("number", BY_NAME)
def test_click_on_a_series_searches_for_its_spans(panel, number):
    """
    From a figure to the traces behind it, by name, in both kinds of trace store.
    """
    where, attribute, names = BY_NAME[number]
    links = {(name, title): searched(href) for name, title, href in panel(number, "busy").links()}

    expected = {name: f"{where} {attribute}={name}".strip() for name in names}
    assert {(name, TEMPO): ("tempo", search) for name, search in expected.items()} | {
        (name, JAEGER): ("jaeger", search) for name, search in expected.items()
    } == links


@pytest.mark.parametrize("number", range(1, 17))
def test_menu_of_a_panel_searches_for_its_spans(panel, number):
    """
    Where there is no series to click on, the menu leads to the traces; caches leave none of their own.
    """
    where = BY_NAME.get(number, (MENUS.get(number, ""),))[0]
    links = [(title, searched(href)) for title, href in panel(number, "busy").menu()]

    expected = [] if number in {3, 4, 11, 15, 16} else [(TEMPO, ("tempo", where)), (JAEGER, ("jaeger", where))]
    assert expected == links


def test_names_arrive_as_they_are(show):
    """
    Spaces, umlauts and brackets are in the names that people choose.
    """
    fields = [
        {"panel": 12, "name": "Value", "labels": {"primitive_name": word}, "values": [1], "config": {}}
        for word in (*WORDS, CLUMSY)
    ]
    hrefs = [link["href"] for field in show(*fields) for link in field["links"][0] if link["title"] == TEMPO]

    assert [("tempo", f"primitive.name={word}") for word in (*WORDS, CLUMSY)] == [searched(href) for href in hrefs]
