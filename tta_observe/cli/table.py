"""Tables of text whose figures are never cut: only the columns with names give way. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tta_observe.cli.words import count, plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP, _NARROW_GAP = 2, 1
_NARROWEST: Final = 8
_MOST_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; names stand on the left and may be cut, figures stand on the right and may not."""

    title: str
    is_name: bool = False


def named(title: str) -> Column:
    """Make a column of names."""
    return Column(title, is_name=True)


@dataclass(frozen=True, slots=True)
class Table:
    """A title, columns, and one cell of text per column and row."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Text]]

    def lines(self, width: int) -> list[Text]:
        """Lay it out *width* cells wide; the first rows only, and how many more there are."""
        shown = [[_cell(value) for value in row] for row in self.rows[:_MOST_ROWS]]
        widths = self._widths(shown, width)
        gap = _GAP if _wide(widths, _GAP) <= width else _NARROW_GAP
        heading = self._line([Text(column.title, style="dim") for column in self.columns], widths, gap)
        more = len(self.rows) - len(shown)
        rest = [Text(f"… {count(more)} more, all in --json", style="dim")] if more > 0 else []
        return [Text(self.title, style="bold"), heading, *(self._line(row, widths, gap) for row in shown), *rest]

    def _widths(self, rows: Sequence[Sequence[Text]], width: int) -> list[int]:
        widths = [max([len(column.title), *(row[i].cell_len for row in rows)]) for i, column in enumerate(self.columns)]
        names = [i for i, column in enumerate(self.columns) if column.is_name]
        while _wide(widths, _GAP) > width:
            widest = max(names, key=lambda i: widths[i])
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
        return widths

    def _line(self, cells: Sequence[Text], widths: Sequence[int], gap: int) -> Text:
        line = Text(" " * gap).join(
            _fitted(cell, cells_wide, left=column.is_name)
            for cell, cells_wide, column in zip(cells, widths, self.columns, strict=True)
        )
        line.rstrip()
        return line


def _wide(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(plain_text(value))


def _fitted(cell: Text, width: int, *, left: bool) -> Text:
    fitted = cell.copy()
    fitted.truncate(width, overflow="ellipsis")
    fitted.align("left" if left else "right", width)
    return fitted
