"""
``tta-observe demo``: review real files with a traced agent, then show the report.

The demo writes to the store that everything else uses, so that ``tta-observe report`` shows it afterwards. Its own
report covers the time since its start, hence this run alone, and is checked against what the demo counted by itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

import tta_observe
from tta_observe import configure
from tta_observe.cli import empty, output, screen
from tta_observe.cli.report import collect
from tta_observe.cli.review import LARGE, PRICES, SMALL, Reviewer
from tta_observe.cli.samples import SAMPLES, write_samples
from tta_observe.cli.tally import Tally, differences, figures_of
from tta_observe.cli.words import count, many, plain_text, usd
from tta_observe.local.errors import StoreError
from tta_observe.local.paths import store_path
from tta_observe.local.reader import StoreReader
from tta_observe.local.rows import Window

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from tta_observe import Telemetry
    from tta_observe.cli.report import Report

_MOST_FILES: Final = 40
"""So that the demo takes seconds, whatever it is pointed at."""

_AGAIN: Final = 3
"""So many files are reviewed a second time: the cache knows them."""

_PAUSE_S: Final = 1.0
_NOT_SOURCES: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    own = Path(tta_observe.__file__).parent
    parser.add_argument("path", metavar="PATH", nargs="?", type=Path, default=own, help="a Python file, or a directory")
    parser.add_argument("--loop", action="store_true", help="go on until Ctrl-C")


def run(options: argparse.Namespace) -> int:
    """Review, then show what was measured."""
    files = find_files(options.path)
    if not files:
        output.say(
            f"tta-observe demo: no Python file in {plain_text(options.path)}. Name one, or a directory.", error=True
        )
        return 1
    started_ns = time.time_ns()
    with _notes():
        telemetry = configure(service_name="tta-observe-demo", prices=PRICES)
        destinations = _Destinations.of(telemetry)
        _introduce(options.path, files, destinations)
        tally = Tally()
        _review_all(files, tally, for_ever=options.loop)
        delivered = telemetry.shutdown()
    return _conclude(tally, destinations, started_ns, delivered=delivered)


def find_files(path: Path) -> list[Path]:
    """The first Python files below *path* in order of their names, or *path* itself when it is a file."""
    if path.is_file():
        return [path]
    found: list[Path] = []
    for directory, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NOT_SOURCES)
        found += [Path(directory, name) for name in sorted(files) if name.endswith(".py")]
        if len(found) >= _MOST_FILES:
            break
    return found[:_MOST_FILES]


@dataclass(frozen=True, slots=True)
class _Destinations:
    """Where the telemetry goes."""

    store: Path | None
    others: tuple[str, ...]

    @classmethod
    def of(cls, telemetry: Telemetry) -> _Destinations:
        lanes = telemetry.stats().exporters
        stores = [Path(lane.target) for lane in lanes if lane.exporter == "local"]
        others = tuple(f"{lane.exporter} {lane.target}" for lane in lanes if lane.exporter != "local")
        return cls(stores[0] if stores else None, others)

    def __str__(self) -> str:
        found = [*([str(self.store)] if self.store else []), *self.others]
        return plain_text(f"to {' and '.join(found)}" if found else "nowhere")


def _introduce(path: Path, files: Sequence[Path], destinations: _Destinations) -> None:
    first = f"the first {len(files)}" if len(files) == _MOST_FILES else str(len(files))
    output.say(
        f"Reviewing {first} Python files of {plain_text(path)}, and {len(SAMPLES)} that the demo brings along,\n"
        f"three of them broken on purpose. The models {LARGE} and {SMALL} are simulated:\n"
        f"no network, no key, no bill; {SMALL} has no price.\n"
        f"Telemetry goes {destinations}\n"
    )


def _review_all(files: Sequence[Path], tally: Tally, *, for_ever: bool) -> None:
    try:
        with TemporaryDirectory(prefix="tta_observe_demo_") as directory:
            queue = [*files, *write_samples(Path(directory)), *files[:_AGAIN]]
            while True:
                with _progress(len(queue)) as advance:
                    asyncio.run(_review_once(queue, tally, advance))
                if not for_ever:
                    return
                time.sleep(_PAUSE_S)
    except KeyboardInterrupt:
        if not for_ever:  # Ctrl-C is how a loop ends, and nothing else
            raise


async def _review_once(queue: Sequence[Path], tally: Tally, advance: Callable[[str], None]) -> None:
    reviewer, verdicts = Reviewer(tally), []
    for path in queue:
        try:
            verdict = await reviewer.review(path)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:  # what files can do
            advance(f"{path.name}: failed, {type(error).__name__}")
        else:
            verdicts.append(verdict)
            known = ", from the cache" if verdict.cached else ""
            advance(f"{path.name}: {many(verdict.findings, 'finding')}{known}")
    await reviewer.conclude(verdicts)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show one line after the other, or a bar where a person watches."""
    if not output.on_terminal():
        done = iter(range(1, total + 1))
        yield lambda what: output.say(f"{next(done):4}/{total} {plain_text(what)}")
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=total)

        def advance(what: str) -> None:
            progress.update(task, advance=1, description=plain_text(what))
            if ": failed" in what:
                progress.console.print(Text(plain_text(what), style="red"))

        yield advance


def _conclude(tally: Tally, destinations: _Destinations, started_ns: int, *, delivered: bool) -> int:
    if not delivered:
        output.say(f"Not everything that went {destinations} arrived.", error=True)
    if destinations.store is None:
        output.say(_elsewhere(tally, destinations))
        return 0 if delivered else 1
    try:
        with StoreReader(destinations.store) as store:
            now_ns = time.time_ns()
            report = collect(store, str(destinations.store), Window(started_ns, now_ns), now_ns)
    except StoreError as error:
        output.say(f"tta-observe demo: {plain_text(error)}", error=True)
        return 1
    wrong = differences(tally.figures(), figures_of(report))
    output.say(screen.render(report, output.screen(), closing=_closing(report, tally, wrong)))
    return 1 if wrong else 0


def _closing(report: Report, tally: Tally, wrong: Sequence[str]) -> list[str]:
    others = [process for process in report.processes if process.alive]
    if not wrong:
        checked = f"All {len(tally.figures())} figures are as the demo counted them by itself."
    elif others:
        checked = f"Other programs write to this store too: {len(wrong)} figures include theirs."
    else:
        checked = "\n".join(["NOT as the demo counted by itself:", *wrong])
    return [checked, "Next: tta-observe report, or tta-observe demo PATH to review your own code."]


def _elsewhere(tally: Tally, destinations: _Destinations) -> str:
    executions, errors = many(tally.executions.total(), "execution"), count(tally.errors.total())
    priced = f"{usd(sum(tally.cost_usd.values()))} (estimate), " if tally.cost_usd else ""
    unpriced = f"{many(tally.unpriced.total(), 'unpriced call')}, cost unknown"
    return "\n".join(
        [
            f"The demo counted {executions} ({errors} failed), {many(tally.llm_calls, 'LLM call')},",
            f"{count(tally.tokens.total())} tokens, {priced}{unpriced}.",
            f"Telemetry went {destinations}, so there is nothing to report from here.",
            *empty.elsewhere(str(store_path()), os.environ),
            "To see the report: unset these settings and run tta-observe demo again.",
        ]
    )


class _NoteHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Say what the library has to say; that a model has no price is the demo's own doing."""
        if "no price is known" not in record.msg:
            output.say(f"note: {plain_text(record.getMessage())}", error=True)


@contextmanager
def _notes() -> Iterator[None]:
    logger, handler = logging.getLogger("tta_observe"), _NoteHandler(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
