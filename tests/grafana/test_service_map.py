"""The service map through Grafana's own code: frames that its node graph can draw, whatever is missing."""

import pytest

from grafana.history import BUSY, CALLS, CLUMSY, QUIET
from grafana.shown import node_graph

MAP = 1
ARCS = ("arc__success", "arc__errors", "arc__cancelled")


def arcs(nodes):
    """The parts of each ring."""
    return {node["id"]: tuple(node[arc] for arc in ARCS) for node in nodes}


def test_each_connection_is_an_edge_with_its_rate(panel):
    """
    What calls what, and how often a second.
    """
    _, edges = node_graph(panel(MAP, "busy"))

    assert {pair: pytest.approx(amount / 60) for pair, amount in CALLS.items()} == {
        (edge["source"], edge["target"]): edge["mainstat"] for edge in edges
    }
    assert {f"{source} -> {target}" for source, target in CALLS} == {edge["id"] for edge in edges}


def test_everything_that_ran_is_a_node_with_its_rate(panel):
    """
    A node without a title is a circle without a name.
    """
    nodes, _ = node_graph(panel(MAP, "busy"))
    executed = {each.name: pytest.approx((each.success + each.error + each.cancelled) / 60) for each in BUSY}
    idle = {each.name: 0 for each in QUIET}

    assert {**executed, **idle, "ledger": 0} == {node["id"]: node["mainstat"] for node in nodes}
    assert [node["id"] for node in nodes] == [node["title"] for node in nodes]


def test_ring_says_how_executions_ended(panel):
    """
    Green, red and grey are shares of one whole; who did not run has an empty ring.
    """
    nodes, _ = node_graph(panel(MAP, "busy"))

    expected = {
        "checkout": (14 / 16, 2 / 16, 0),
        "nightly report": (6 / 8, 0, 2 / 8),
        "export": (0, 0, 1),
        "fetch": (30 / 36, 6 / 36, 0),
        "rank": (1, 0, 0),
        CLUMSY: (12 / 16, 3 / 16, 1 / 16),
        "slow": (1, 0, 0),
        "aborted": (0, 0, 1),
        "morning": (0, 0, 0),
        "load": (0, 0, 0),
        "ledger": (0, 0, 0),
    }
    assert {name: pytest.approx(ring) for name, ring in expected.items()} == arcs(nodes)


@pytest.mark.parametrize("moment", ["quiet", "busy", "idle"])
def test_rings_are_whole_or_empty(panel, moment):
    """
    Grafana draws shares as they are: what does not add up to one leaves a gap that means nothing.
    """
    nodes, _ = node_graph(panel(MAP, moment))

    assert set() == {round(sum(ring), 9) for ring in arcs(nodes).values()} - {0, 1}


@pytest.mark.parametrize("moment", ["busy", "idle"])
def test_edges_lead_to_nodes_that_are_there(panel, moment):
    """
    One end that is missing, and Grafana draws no map at all.
    """
    nodes, edges = node_graph(panel(MAP, moment))
    known = {node["id"] for node in nodes}

    assert edges
    assert set() == {end for edge in edges for end in (edge["source"], edge["target"])} - known


def test_nodes_without_connections_are_drawn(panel):
    """
    A program of one primitive has a map too; Grafana fails on an answer named "edges" that is empty.
    """
    nodes, edges = node_graph(panel(MAP, "quiet"))

    assert ["load", "morning"] == sorted(node["id"] for node in nodes)
    assert [] == edges


def test_nothing_at_all_is_an_empty_map(panel):
    """
    The first look at a new system shows no error.
    """
    assert ([], []) == node_graph(panel(MAP, "nothing"))
