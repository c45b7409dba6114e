"""The table can fail: what is not as it should be is seen by the column that is about it, and by no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from columns import COLUMNS, judge
from facts import Facts, Span
from rows import PROGRAMS, ROWS, Row, read
from table import table
from trial import Outcome, seen, tried
from ways import config, decorate, decorated

ROW = Row(
    "pair",
    "def fetch(): ...\nhalf = partial(fetch)\nclass Client:\n    @classmethod\n    async def ask(cls): ...\n",
    {"fetch": "tool.call", "half": "tool.halve"},
    {"Client.ask": "review"},
    "review: success\n  fetch: error KeyError\n  fetch: success closed early\n",
    "review -> fetch nested\nfetch -> fetch sequential\n",
)

BARE = Facts("4\n", 0)


def span(name, parent, *, ended="success", error=None, early=False, **attributes):
    """A span of the store as the package writes it."""
    attributes |= {"primitive.name": name, "execution.status": ended, "workflow.name": "review"}
    attributes |= {"primitive.type": "workflow" if name == "review" else "tool"}
    attributes |= ({"error.type": error} if error else {}) | ({"execution.closed_early": True} if early else {})
    called = "workflow.review.execute" if name == "review" else f"primitive.tool.{attributes.pop('action', 'call')}"
    return Span(called, "t-1", f"{name}-{ended}-{error}", parent, 1, attributes)


def count(name, value, **labels):
    """The last point of a series."""
    return name, {key.replace("_", "."): label for key, label in labels.items()}, value


ROOT = span("review", None)
SPANS = (
    ROOT,
    span("fetch", ROOT.span_id, ended="error", error="KeyError"),
    span("fetch", ROOT.span_id, early=True, action="halve"),
)
EDGES = (
    count(
        "primitive.connection.count", 1, source_primitive="review", target_primitive="fetch", connection_type="nested"
    ),
    count(
        "primitive.connection.count",
        1,
        source_primitive="fetch",
        target_primitive="fetch",
        connection_type="sequential",
    ),
)
COUNTS = (
    count("primitive.execution.count", 1, primitive_name="review", execution_status="success"),
    count("primitive.execution.count", 1, primitive_name="fetch", execution_status="error", error_type="KeyError"),
    count("primitive.execution.count", 1, primitive_name="fetch", execution_status="success"),
)
PROBES = (
    *(
        {"kind": "inside", "name": s.attributes["primitive.name"], "workflow": "review", "span": s.span_id}
        for s in SPANS
    ),
    {"kind": "compared", "what": "a call", "changed": []},
    {"kind": "finished", "left": {}},
)
GOOD = Facts("4\n", 0, "", SPANS, (*EDGES, *COUNTS), PROBES)


def red(facts, bare=BARE):
    """The columns that are not green."""
    return [title for title, problems in judge(ROW, facts, bare).items() if problems]


def test_what_is_as_expected_is_green():
    """Or a red cell would mean nothing."""
    assert [] == red(GOOD)


@pytest.mark.parametrize(
    ("column", "facts"),
    [
        ("result", replace(GOOD, printed="5\n")),
        ("result", replace(GOOD, code=1)),
        ("parent", replace(GOOD, spans=(*SPANS[:2], replace(SPANS[2], parent_id=SPANS[1].span_id)))),
        ("parent", replace(GOOD, spans=(ROOT, replace(SPANS[1], trace_id="t-2"), SPANS[2]))),
        ("parent", replace(GOOD, spans=(ROOT, SPANS[1], replace(SPANS[2], name="primitive.tool.call")))),
        ("context", replace(GOOD, probes=(*PROBES, {"kind": "compared", "what": "a call", "changed": ["tta.frame"]}))),
        ("context", replace(GOOD, probes=({**PROBES[0], "span": None}, *PROBES))),
        ("context", replace(GOOD, probes=({**PROBES[0], "workflow": None}, *PROBES))),
        ("context", replace(GOOD, probes=({**PROBES[0], "span": SPANS[1].span_id}, *PROBES))),
        ("context", replace(GOOD, probes=PROBES[1:])),
        ("connection", replace(GOOD, points=(*EDGES[1:], *COUNTS))),
        ("connection", replace(GOOD, points=(*EDGES, EDGES[0], *COUNTS))),
        ("status", replace(GOOD, points=(*EDGES, *COUNTS[1:]))),
        ("leaks", replace(GOOD, probes=(*PROBES, {"kind": "finished", "left": {"threads": ["worker"]}}))),
        ("leaks", replace(GOOD, probes=PROBES[:-1])),
        ("leaks", replace(GOOD, points=(*EDGES, *COUNTS, count("agent.workflows.active", 1)))),
        ("leaks", replace(GOOD, said="Failed to detach context")),
    ],
)
def test_each_column_sees_its_own(column, facts):
    """A column that cannot fail, or one that fails for another, says nothing."""
    assert [column] == red(facts)


def test_a_lost_workflow_is_seen():
    """Where the function and its span agree that there is none, too."""
    lost = replace(SPANS[1], attributes={**SPANS[1].attributes, "workflow.name": None})
    probes = tuple({**seen, "workflow": None} if seen.get("span") == lost.span_id else seen for seen in PROBES)

    assert ["context"] == red(replace(GOOD, spans=(ROOT, lost, SPANS[2]), probes=probes))


def test_a_lost_status_is_seen():
    """On a span alone: the counts may be right all the same."""
    ended = replace(SPANS[1], attributes={**SPANS[1].attributes, "execution.status": "success"})

    assert ["status"] == red(replace(GOOD, spans=(ROOT, ended, SPANS[2])))


def test_nothing_recorded_is_red_everywhere_but_in_the_result():
    """Telemetry that is off conforms to nothing."""
    assert [title for title in COLUMNS if title != "result"] == red(Facts("4\n", 0))


def test_a_program_that_fails_alone_proves_nothing():
    """Two failures that are the same must not make a green cell."""
    failed = replace(BARE, code=1, printed="", said="Traceback")

    assert list(COLUMNS) == red(replace(GOOD, code=1, printed="", said="Traceback"), failed)


def test_decorators_stand_where_a_user_would_write_them():
    """At the definition, below ``@classmethod``, and around a value that has a name."""
    source = decorate(ROW)

    assert "@_traced(type='tool', action='call')\ndef fetch" in source
    assert "half = _traced(type='tool', action='halve')(partial(fetch))" in source
    assert "@classmethod\n    @_workflow('review')\n    async def ask" in source


def test_the_same_names_are_given_to_run():
    """Both halves of the table are about the same functions."""
    text = config(ROW)

    assert all(f'pattern = "program:{name}"' in text for name in ("fetch", "half", "Client.ask"))


def test_every_program_is_a_row():
    """A program that nobody runs is no row, and a row without an oracle proves nothing."""
    rows = [read(name) for name in ROWS]

    assert len(list(PROGRAMS.glob("*.py"))) == len(ROWS)
    assert all(row.trees() and row.edges() and row.observed and row.workflows for row in rows)


@pytest.mark.parametrize("name", ROWS)
def test_no_program_knows_of_a_decorator(name):
    """They are the programs of people who have decorated nothing."""
    assert not [
        word
        for word in ("traced_primitive", "workflow(", "import instrument", "configure(")
        if word in read(name).source
    ]


def test_a_program_that_is_not_as_said_is_found():
    """From the process to the table: a row whose oracle is wrong is red, where it is wrong."""
    outcome = tried(replace(read("sync"), connections="review -> parse nested"), ["decorated"])
    text = table([outcome], ["decorated"], list(COLUMNS))

    assert ["connection"] == [title for title, problems in outcome.wrong["decorated"].items() if problems]
    assert "review -> parse nested: 0 instead of 1" in text
    assert "5 of 6 cells are green" in text


def test_a_program_that_hangs_is_ended(monkeypatch):
    """A hang is a red cell, not a build that never ends."""
    monkeypatch.setattr("trial.WATCHDOG_S", 0.5)
    facts = seen(replace(read("sync"), source="def main():\n    __import__('time').sleep(60)\n"), decorated)

    assert "watchdog" == facts.code
    assert not Outcome("sync", {"decorated": judge(read("sync"), facts, BARE)}, 0.0).green
