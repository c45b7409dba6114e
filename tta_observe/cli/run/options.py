"""What ``tta-observe run`` takes, up to the name of the program: all behind it belongs to the program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_VALUES: Final = ("--config", "--service", "--store")
_USAGE: Final = """tta-observe run [options] SCRIPT ARGS...
       tta-observe run [options] -m MODULE ARGS...
       tta-observe run [options] -c CODE ARGS...
       tta-observe run --suggest [SCRIPT | -m MODULE | DIRECTORY]"""
_DESCRIPTION: Final = """\
Run a Python program as it is, with its own arguments, streams, signals and exit
code, and observe in it what [tool.tta_observe] names:

  [tool.tta_observe]
  service_name = "support"

  [[tool.tta_observe.workflows]]
  pattern = "support.app:answer"
  name = "answer"

  [[tool.tta_observe.primitives]]
  pattern = "support.search:search_*"
  type = "retriever"
  action = "search"

SCRIPT is a file, a directory or an archive with __main__.py, or a console script
such as gunicorn. A pattern calls the functions of SCRIPT by the name of its file."""
_EPILOG: Final = """\
The file is --config, else the first pyproject.toml with [tool.tta_observe] in the
directory of SCRIPT and above, then in the working directory and above. Environment
variables outrank it.

Processes that the program forks, or starts by multiprocessing, are observed as well.
What it starts by subprocess or os.exec is not: put 'tta-observe run' in front.
A program that calls tta_observe.configure() decides by itself where telemetry goes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.usage, parser.description, parser.epilog = _USAGE, _DESCRIPTION, _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.allow_abbrev = False
    parser.add_argument("--config", metavar="FILE", type=Path, help="read this TOML file")
    parser.add_argument("--service", metavar="NAME", help="call the service so, whatever else says")
    parser.add_argument("--store", metavar="FILE", type=Path, help="record to this local store")
    parser.add_argument("--report", action="store_true", help="after the end, write the seven answers for this run")
    parser.add_argument("--verbose", action="store_true", help="say which file is used, before the program begins")
    parser.add_argument("--suggest", action="store_true", help="run nothing: propose what to observe, as TOML")


def end_of_options(given: Sequence[str]) -> int:
    """Where in *given*, which begins with the name of the command, the program begins."""
    i = 1
    while i < len(given) and _is_ours(given[i]):
        i += 2 if given[i] in _VALUES else 1
    return min(i, len(given))


def _is_ours(word: str) -> bool:
    return word.startswith("-") and word not in ("-", "--") and not word.startswith(("-m", "-c"))
