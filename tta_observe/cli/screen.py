"""A report on a screen: the seven answers first, then the tables. Pure: from a report to text."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from tta_observe import semconv
from tta_observe.cli import money, words
from tta_observe.cli.answers import QUESTIONS
from tta_observe.cli.servicemap import LEGEND, map_lines
from tta_observe.cli.table import Column, Table, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tta_observe.cli.report import Report
    from tta_observe.local.rows import PrimitiveRow, Run

_QUESTION_CELLS: Final = 27
_SIDE_BY_SIDE: Final = 76
_MAP_LINES: Final = 30
_STYLES: Final = {semconv.SUCCESS: "green", semconv.ERROR: "red", semconv.CANCELLED: "dim"}


@dataclass(frozen=True, slots=True)
class Screen:
    """
    What is drawn on.

    *width* is in cells; *height* None means that there is no end to it: a file or a pipe.
    """

    width: int
    height: int | None = None
    color: bool = False

    def draw(self, lines: Sequence[Text]) -> str:
        """Turn *lines* into text, each cut to the width, with colours where the screen has them."""
        console = Console(
            file=io.StringIO(),
            width=self.width,
            force_terminal=self.color,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            highlight=False,
        )
        with console.capture() as capture:
            for line in lines:
                console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        return capture.get()


def render(report: Report, screen: Screen, closing: Sequence[str] = ()) -> str:
    """
    Draw the answers, the tables, and the lines of *closing*.

    On a screen of limited height the answers must not scroll away: tables are drawn while they fit. Which are left
    out is said where *closing* says nothing.
    """
    lines = overview(report, screen.width)
    room = None if screen.height is None else screen.height - max(len(closing), 1) - 1  # and the prompt
    left_out: list[str] = []
    for section in sections(report, screen.width):
        if room is not None and (left_out or len(lines) + 1 + len(section) > room):
            left_out.append(section[0].plain.partition(" (")[0].lower())
        else:
            lines += [Text(), *section]
    if left_out and not closing:
        lines.append(Text(f"More: tta-observe report | less   ({', '.join(left_out)})", style="dim"))
    if closing and not left_out:
        lines.append(Text())
    return screen.draw(lines + [Text(line) for text in closing for line in text.splitlines()])


def overview(report: Report, width: int) -> list[Text]:
    """Draw the head and the seven answers: 22 lines or fewer where question and answer stand side by side."""
    aside = _QUESTION_CELLS if width >= _SIDE_BY_SIDE else 2
    lines = _head(report, width)
    for question, answer in QUESTIONS:
        label = Text(question, style="bold")
        if aside < _QUESTION_CELLS:
            lines.append(label)
            label = Text()
        for line in answer(report, width - aside):
            label.align("left", aside)
            line.truncate(width - aside, overflow="ellipsis")
            lines.append(Text.assemble(label, line))
            label = Text()
    return lines


def sections(report: Report, width: int) -> list[list[Text]]:
    """Draw the tables, each as its lines, title first; empty ones are left out."""
    tables = (_workflows, money.costs, _primitives, _types, _errors, _caches, money.models)
    drawn = [table.lines(width) for make in tables if (table := make(report)).rows]
    if report.connections:
        drawn.append(_map(report))
    last = _runs(report), _processes(report), _exports(report)
    return [*drawn, *(table.lines(width) for table in last if table.rows)]


def _head(report: Report, width: int) -> list[Text]:
    window = report.window
    if window is None:
        return [Text("tta-observe report")]
    span = f"last {words.a_while(window.seconds)} of measurements, up to {words.clock(window.end_ns)}"
    alive = sum(process.alive for process in report.processes)
    facts = f"traffic for {words.a_while(report.traffic_seconds)} · live processes: {words.count(alive)}"
    store = Text(words.plain_text(report.store), style="dim")
    store.truncate(max(width - len(facts) - 3, _QUESTION_CELLS), overflow="ellipsis")
    return [Text.assemble(("tta-observe report", "bold"), f"   {span}"), store.append(f" · {facts}")]


def _workflows(report: Report) -> Table:
    titles = ("runs", "ok", "mean", "P95", "cost", "per run")
    return Table(
        "Workflows (cost is an estimate)",
        [named("workflow"), *map(Column, titles)],
        [
            (
                row.name,
                words.count(row.runs),
                words.percent(row.success_rate),
                words.milliseconds(row.mean_ms),
                words.p95(row.p95_ms),
                money.of_calls(row.cost_usd, row.cost_is_lower_bound),
                money.of_calls(row.cost_per_run_usd, row.cost_is_lower_bound),
            )
            for row in report.workflows
        ],
    )


def _primitives(report: Report) -> Table:
    return Table(
        "Primitives (slowest first)",
        [
            named("primitive"),
            named("type"),
            *map(Column, ("runs", "errors", "mean", "P95")),
        ],
        [_primitive(row) for row in report.primitives],
    )


def _primitive(row: PrimitiveRow) -> tuple[str | Text, ...]:
    errors = Text(words.count(row.errors), style="red" if row.errors else "")
    return (
        row.name,
        row.type,
        words.count(row.executions),
        errors,
        words.milliseconds(row.mean_ms),
        words.p95(row.p95_ms),
    )


def _errors(report: Report) -> Table:
    return Table(
        "Errors (counted at every level that they fail)",
        [named("type"), Column("count"), Column("share")],
        [(row.error_type, words.count(row.count), words.percent(row.share)) for row in report.errors],
    )


def _map(report: Report) -> list[Text]:
    lines = map_lines(report.connections)
    more = len(lines) - _MAP_LINES
    rest = f"… {words.count(more)} more, all in --json\n" if more > 0 else ""
    return [
        Text("Service map", style="bold"),
        *lines[:_MAP_LINES],
        *(Text(line, style="dim") for line in (rest + LEGEND).splitlines()),
    ]


def _types(report: Report) -> Table:
    return Table(
        "Executions by type",
        [named("type"), Column("count")],
        [(row.primitive_type, words.count(row.count)) for row in report.executions_by_type],
    )


def _caches(report: Report) -> Table:
    return Table(
        "Caches (what they saved is an estimate)",
        [named("primitive"), *map(Column, ("hits", "lookups", "hit rate", "saved"))],
        [
            (
                row.primitive or words.NOTHING,
                words.count(row.hits),
                words.count(row.lookups),
                words.percent(row.hit_rate),
                words.usd(row.saved_usd or None),
            )
            for row in report.caches
        ],
    )


def _runs(report: Report) -> Table:
    titles = ("duration", "cost", "calls", "tokens")
    return Table(
        "Latest runs (cost is an estimate, calls are LLM calls)",
        [Column("started"), named("workflow"), named("status"), *map(Column, titles)],
        [_run(run) for run in report.latest_runs],
    )


def _run(run: Run) -> tuple[str | Text, ...]:
    ended = f"{run.status} {run.error_type.rpartition('.')[-1]}" if run.error_type else run.status
    return (
        words.clock(run.start_ns)[-8:],
        run.workflow,
        Text(words.plain_text(ended), style=_STYLES.get(run.status, "")),
        words.milliseconds(run.duration_ms),
        money.of_run(run),
        words.count(run.llm_calls),
        words.count(run.tokens),
    )


def _processes(report: Report) -> Table:
    return Table(
        "Processes",
        [named("service"), Column("process"), Column("state"), Column("last sign of life")],
        [
            (
                row.service_name,
                str(row.pid or words.NOTHING),
                "live" if row.alive else "gone",
                words.clock(row.heartbeat_ns),
            )
            for row in report.processes
        ],
    )


def _exports(report: Report) -> Table:
    return Table(
        "Spans of live processes",
        [named("exporter"), *map(Column, ("recorded", "delivered", "waiting", "lost", "why"))],
        [
            (
                row.exporter,
                words.count(row.recorded),
                words.count(row.delivered),
                words.count(row.waiting),
                words.count(sum(row.dropped.values())),
                words.plain_text(", ".join(sorted(row.dropped))) or words.NOTHING,
            )
            for row in report.exports
        ],
    )
