"""
The command line: ``tta-observe report``, ``run``, ``demo``, ``doctor`` and ``stack``.

Exit codes: 0 done, 1 it could not be done, 2 typed wrongly, 130 interrupted; of ``run``, those of the program.
"""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMANDS: Final = {
    "report": "answer seven questions from what was measured in the last hour",
    "run": "run a program as it is, and observe in it what [tool.tta_observe] names",
    "demo": "review real files with a traced agent, then show the report",
    "doctor": "say why nothing is to be seen, and which line to change",
    "stack": "write the dashboards, the rules and the stack that shows them into a directory",
}
_INTERRUPTED: Final = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where to look."""
        self.exit(2, f"{self.prog}: {message}\nType '{self.prog} --help' for what it takes.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] not in _COMMANDS and not given[0].startswith("-"):
        return _unknown(given[0])
    given, program = _split(given)
    options = _parser(given[0] if given else None).parse_args(given, argparse.Namespace(program=program))
    if options.command is None:
        _parser(None).print_help()
        return 0
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        if program:  # which ends as it would have ended without us
            raise
        return _INTERRUPTED


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tta-observe",
        description="See what agent and LLM code does, what it costs and why it fails.",
        epilog="Exit codes: 0 done, 1 it could not be done, 2 typed wrongly, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"tta-observe {metadata.version('tta-observe')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    for name, help_ in _COMMANDS.items():
        command = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
        if name == chosen:  # a command's module is loaded when it is typed
            module = import_module(f"tta_observe.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what belongs to a program that is to be run: its name, and all that follows."""
    if given[:1] != ["run"]:
        return given, []
    from tta_observe.cli.run.options import end_of_options

    end = end_of_options(given)
    return given[:end], [word for i, word in enumerate(given[end:]) if i or word != "--"]


def _unknown(command: str) -> int:
    from tta_observe.cli.output import say
    from tta_observe.cli.words import plain_text

    close = get_close_matches(command, _COMMANDS, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Commands: {', '.join(_COMMANDS)}."
    say(f"tta-observe: there is no command '{plain_text(command)}'. {hint}", error=True)
    return 2
