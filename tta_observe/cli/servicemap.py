"""The service map as lines of text: who leads to whom, in the order in which things run. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tta_observe import semconv
from tta_observe.cli.words import count, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tta_observe.local.rows import ConnectionRow

ARROWS: Final = {
    semconv.NESTED: "└▶",
    semconv.SEQUENTIAL: "─▶",
    semconv.PARALLEL: "═▶",
    semconv.REMOTE: "╌▶",
}
LEGEND: Final = "└▶ begins with   ─▶ then   ═▶ side by side (fork or join)   ╌▶ other service"

_ORDER: Final = tuple(ARROWS)


def map_lines(connections: Sequence[ConnectionRow]) -> list[Text]:
    """Draw one line per source and kind of connection: ``load ─▶ check 12×, store 3×``."""
    by_source: dict[str, dict[str, list[ConnectionRow]]] = defaultdict(lambda: defaultdict(list))
    for row in connections:
        by_source[row.source][row.connection_type].append(row)
    return [
        _line(source, kind, by_source[source][kind])
        for source in _in_running_order(connections)
        for kind in sorted(by_source[source], key=_rank)
    ]


def _line(source: str, kind: str, rows: Sequence[ConnectionRow]) -> Text:
    targets = ", ".join(f"{plain_text(row.target)} {count(row.count)}×" for row in rows)
    return Text.assemble(plain_text(source), (f" {ARROWS.get(kind, '─▶')} ", "cyan"), targets)


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _in_running_order(connections: Sequence[ConnectionRow]) -> Iterator[str]:
    """Sources, from each that nothing leads to on to what it leads to, a join after all that lead to it."""
    targets_of: dict[str, list[str]] = defaultdict(list)
    for row in sorted(connections, key=lambda row: _rank(row.connection_type)):
        targets_of[row.source].append(row.target)
    led_to = {row.target for row in connections if row.target != row.source}
    roots = [source for source in targets_of if source not in led_to]
    seen: set[str] = set()
    for root in [*roots, *targets_of]:  # a circle has no root: any source will do
        waiting = deque([root])
        while waiting:
            source = waiting.popleft()
            if source not in seen and source in targets_of:
                seen.add(source)
                waiting.extend(targets_of[source])
                yield source
