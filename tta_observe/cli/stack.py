"""``tta-observe stack export DIR``: write the dashboards, the rules and the stack that shows them into a directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe.cli import output
from tta_observe.cli.words import many, plain_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

PARTS: Final = ("grafana", "prometheus", "examples/stack")
"""What is exported. The files name each other by relative paths, so they are laid out as in the project."""

_PACKAGE: Final = Path(__file__).parent.parent
_MOST_NAMED: Final = 5


class StackError(Exception):
    """The files could not be written; the message says why, and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(dest="action", metavar="export", required=True, parser_class=type(parser))
    about = "write the dashboards, the rules and the stack into a directory"
    export = actions.add_parser("export", help=about, description=f"{about[0].upper()}{about[1:]}.")
    export.add_argument("directory", metavar="DIR", type=Path, help="where to; it is made when it does not exist")
    export.add_argument("--force", action="store_true", help="write over files that differ")


def run(options: argparse.Namespace) -> int:
    """Write the files, and say what to type next."""
    try:
        files = shipped_files()
        written = export(options.directory, files, force=options.force)
    except StackError as error:
        output.say(f"tta-observe stack: {error}", error=True)
        return 1
    output.say(_closing(options.directory, len(written), len(files) - len(written)))
    return 0


def shipped_files(package: Path = _PACKAGE) -> Mapping[str, Path]:
    """
    Find what is exported: relative names, in order, and where the files are.

    An installed *package* brings them along; a checkout has them beside it.

    Raises:
        StackError: there is none.
    """
    for root in (package / "_stack", package.parent):
        if all((root / part).is_dir() for part in PARTS):
            return {path.relative_to(root).as_posix(): path for part in PARTS for path in _visible_files(root / part)}
    raise StackError(
        f"the files are not part of this installation ({plain_text(package)}).\n"
        "Install tta-observe from its wheel, or from a complete checkout."
    )


def export(directory: Path, files: Mapping[str, Path], *, force: bool = False) -> Sequence[str]:
    """
    Write *files* below *directory*; returns the names of those that were not there yet, or differed.

    Readable for everyone, because containers read them under users of their own.

    Raises:
        StackError: some differ and *force* is False, which leaves all as they are; or the system refused.
    """
    try:
        changes = {name: path for name, path in files.items() if not _same(directory / name, path)}
        differing = [name for name in changes if (directory / name).exists()]
        if differing and not force:
            raise StackError(_refusal(directory, differing))
        for name, path in changes.items():
            _write(directory / name, path.read_bytes())
    except OSError as error:
        raise StackError(
            f"{plain_text(error.filename or directory)}: {error.strerror}.\n"
            "Not everything was written. Name a directory that you may write to."
        ) from error
    return list(changes)


def _visible_files(directory: Path) -> Iterator[Path]:
    """Every file that is not hidden: a checkout may hold secrets in ``.env``."""
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in relative.parts):
            yield path


def _same(target: Path, source: Path) -> bool:
    return target.is_file() and target.read_bytes() == source.read_bytes()


def _write(target: Path, content: bytes) -> None:
    _make(target.parent)
    target.write_bytes(content)
    target.chmod(0o644)


def _make(directory: Path) -> None:
    """Make a directory that everyone may enter; one that is there stays as it is."""
    if not directory.is_dir():
        _make(directory.parent)
        directory.mkdir()
        directory.chmod(0o755)


def _refusal(directory: Path, differing: Sequence[str]) -> str:
    named = [f"  {plain_text(name)}" for name in differing[:_MOST_NAMED]]
    left = len(differing) - len(named)
    return "\n".join(
        [
            f"{many(len(differing), 'file')} below {plain_text(directory)} would be written over:",
            *named,
            *([f"  and {left} more"] if left else []),
            "Nothing was written. Name another directory, or add --force.",
        ]
    )


def _closing(directory: Path, written: int, same: int) -> str:
    there = f"; {many(same, 'file')} there already" if same else ""
    return "\n".join(
        [
            f"{many(written, 'file')} written below {plain_text(directory)}{there}. Next:",
            f"  cd {shlex.quote(plain_text(directory / 'examples' / 'stack'))}",
            "  docker compose up -d",
            "  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 tta-observe demo --loop",
            "and open http://127.0.0.1:3000/d/tta-agent-observability",
            "README.md there says more. Without docker: tta-observe report",
        ]
    )
