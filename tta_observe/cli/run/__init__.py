"""
``tta-observe run``: a program as it is, observed.

The program runs in this very process, so that signals, streams and the exit code are its own without any help.
"""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe._guard import quietly, swallow
from tta_observe._settings import file
from tta_observe.cli.run.ending import Ending
from tta_observe.cli.run.execution import execute
from tta_observe.cli.run.notes import collect_notes
from tta_observe.cli.run.options import add_arguments
from tta_observe.cli.run.program import CannotRun, find
from tta_observe.cli.run.session import Session
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from tta_observe._settings.file import FileSettings
    from tta_observe.cli.run.program import Program

__all__ = ["add_arguments", "run"]

_TYPED_WRONGLY: Final = 2


def run(options: argparse.Namespace) -> int:
    """Run the program; what it raises, ``SystemExit`` included, goes on."""
    if options.suggest:
        from tta_observe.cli.run.suggest import suggest

        return suggest(options.program)
    if not options.program:
        return _refused("name a program: a script, or -m MODULE. For all there is: tta-observe run --help", 2)
    try:
        program = find(options.program)
        settings = _settings(options, program)
    except CannotRun as error:
        return _refused(str(error), error.code)
    except ConfigurationError as error:
        return _refused(str(error), _TYPED_WRONGLY)
    program.enter()
    collect_notes()
    session = Session.new(
        settings, program.main_names(), program=program.names[0], service=options.service, store=options.store
    )
    return _run(program, session, is_report=options.report)


def _run(program: Program, session: Session, *, is_report: bool) -> int:
    try:
        rules = session.observe()
    except ConfigurationError as error:
        return _refused(str(error), _TYPED_WRONGLY)
    except Exception as error:  # noqa: BLE001 - then nothing is observed, but the program runs
        swallow("tta-observe run", error)
        rules = []
    ending = Ending(session, rules, is_report=is_report)
    # Before the package's own, which delivers: what is registered last is called first.
    atexit.register(ending)
    ending.stand_in = session.configure()
    session.follow_children()
    try:
        execute(program.load, rules)
    except CannotRun as error:
        ending.is_silent = True
        return _refused(str(error), error.code)
    finally:
        quietly(ending.program_ended)
    return 0


def _settings(options: argparse.Namespace, program: Program) -> FileSettings:
    found = file.read(options.config) if options.config else file.find(_absolute(program.near, Path()))
    if options.verbose:
        _say(f"reading {found.path}" if found.path else "there is no [tool.tta_observe] here")
    return found


def _absolute(*places: Path) -> list[Path]:
    try:
        return [place.absolute() for place in places]
    except OSError:  # the working directory has been removed
        return [place for place in places if place.is_absolute()]


def _refused(problem: str, code: int) -> int:
    _say(problem)
    return code


def _say(text: str) -> None:
    sys.stderr.write(f"tta-observe run: {text}\n")
