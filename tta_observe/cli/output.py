"""Where the commands write: the only place that touches the standard streams."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from tta_observe.cli.screen import Screen
from tta_observe.cli.words import to_ascii

if TYPE_CHECKING:
    from typing import TextIO

_NARROWEST: Final = 60


def screen() -> Screen:
    """Measure the standard output; without a terminal it is 80 cells wide, or ``COLUMNS``, and has no end."""
    size = shutil.get_terminal_size((80, 24))
    is_terminal = on_terminal()
    return Screen(
        width=max(size.columns, _NARROWEST),
        height=size.lines if is_terminal else None,
        color=is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
    )


def on_terminal() -> bool:
    """Whether a person watches."""
    return sys.stdout is not None and sys.stdout.isatty()


def say(text: str, *, error: bool = False) -> None:
    """
    Write *text* and a line break if it has none, in whatever encoding the stream has.

    A reader that went away, such as ``head``, is no error.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # pythonw, or a closed descriptor
        return
    try:
        stream.write(_encodable(text if text.endswith("\n") else text + "\n", stream))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # so that flushing at exit is quiet as well


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return to_ascii(text).encode(encoding, errors="replace").decode(encoding)
    return text
