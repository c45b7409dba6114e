"""After the program has ended: a line for whoever sits at a terminal, the seven answers for whoever asked for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe import _configure, semconv
from tta_observe._guard import quietly
from tta_observe._patching import without_effect
from tta_observe.cli.run.notes import notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tta_observe._configure import Telemetry
    from tta_observe._patching import Rule
    from tta_observe.cli.report import Report
    from tta_observe.cli.run.session import Session

_PROCESSES_OF_RUN: Final = """
    CREATE TEMP VIEW processes AS SELECT * FROM main.processes
    WHERE started_ns >= {start_ns} AND (pid = {pid} OR json_extract(resource, '$."{key}"') = '{run_id}')
"""
_SPANS_OF_RUN: Final = """
    CREATE TEMP VIEW spans AS SELECT * FROM main.spans WHERE process IN (SELECT id FROM temp.processes)
"""
_MOST_NOTES: Final = 10


class Ending:
    """What shall be said after the end of a program that has not begun yet; called at the end of the process."""

    def __init__(self, session: Session, rules: Sequence[Rule], *, is_report: bool) -> None:
        self._session = session
        self._rules = rules
        self._is_report = is_report
        self._started_ns = time.time_ns()
        self._pid = os.getpid()
        self._targets: list[tuple[str, str]] = []
        self.stand_in: Telemetry | None = None
        self.is_silent = False

    def program_ended(self) -> None:
        """Remember where the telemetry goes: to the program's own pipeline where it has configured one."""
        lanes = _configure.stats().exporters or (self.stand_in.stats().exporters if self.stand_in is not None else ())
        self._targets = [(lane.exporter, lane.target) for lane in lanes]

    def __call__(self) -> None:
        """Say it, unless nobody would read it; never raises."""
        stream = sys.__stderr__
        if self.is_silent or stream is None or os.getpid() != self._pid:  # a forked child ends in the same way
            return
        if self._is_report or quietly(stream.isatty):
            quietly(self._say)

    def _say(self) -> None:
        from tta_observe.cli import output  # loads rich: after the program, and only where there is something to say

        with contextlib.redirect_stderr(sys.__stderr__):
            output.say("\n".join(self._lines()), error=True)

    def _lines(self) -> Iterator[str]:
        from tta_observe.cli.words import plain_text

        yield from self._measured()
        unmatched = self._unmatched()
        if unmatched:
            yield f"note: nothing that was imported matches {', '.join(map(plain_text, unmatched))}"
        yield from (f"note: {plain_text(note)}" for note in notes()[:_MOST_NOTES])

    def _measured(self) -> Iterator[str]:
        from tta_observe.cli.words import plain_text

        store = next((target for exporter, target in self._targets if exporter == "local"), None)
        if store is None:
            places = " and ".join(" ".join(target) for target in self._targets)
            yield f"tta-observe: telemetry went {'to ' + plain_text(places) if places else 'nowhere'}"
            return
        report = self._read(Path(store))
        if report is None or not report.health.total:
            yield "tta-observe: nothing was observed. What could be: tta-observe run --suggest"
        elif self._is_report:
            yield _answers(report)
        else:
            yield _line(report)

    def _read(self, path: Path) -> Report | None:
        from tta_observe.cli.report import collect
        from tta_observe.local.errors import StoreError
        from tta_observe.local.reader import StoreReader
        from tta_observe.local.rows import Window

        now_ns = time.time_ns()
        try:
            with StoreReader(path) as store:
                run = {"key": semconv.RUN_ID, "run_id": self._session.run_id, "pid": self._pid}
                store.rows(_PROCESSES_OF_RUN.format(**run, start_ns=self._started_ns))
                store.rows(_SPANS_OF_RUN)
                return collect(store, str(path), Window(self._started_ns, now_ns), now_ns)
        except StoreError:
            return None

    def _unmatched(self) -> list[str]:
        effective = {rule.text for rule in self._rules if rule.has_effect}
        texts = [*without_effect(), *(rule.text for rule in self._rules)]
        return [text for text in dict.fromkeys(texts) if text not in effective]


def _answers(report: Report) -> str:
    from tta_observe.cli import screen

    is_terminal = bool(quietly(sys.__stderr__.isatty)) if sys.__stderr__ is not None else False
    width = shutil.get_terminal_size((80, 24)).columns
    drawn = screen.Screen(max(width, 60), color=is_terminal and not os.environ.get("NO_COLOR"))
    return drawn.draw(screen.overview(report, drawn.width)).rstrip("\n")


def _line(report: Report) -> str:
    from tta_observe.cli import words

    failed = f", {words.count(report.health.error)} failed" if report.health.error else ""
    cost = f", {words.usd(report.spending.cost_usd)} (estimate)" if report.spending.cost_usd else ""
    executions = words.many(report.health.total, "execution")
    return f"tta-observe: {executions}{failed}{cost} · tta-observe report --store {words.plain_text(report.store)}"
