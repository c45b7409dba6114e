"""Findings on a screen, and as JSON. Pure: from findings to text."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tta_observe.cli.words import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tta_observe.cli.doctor.findings import Finding, State
    from tta_observe.cli.screen import Screen

_STYLES: Final[Mapping[State, str]] = {"ok": "green", "warning": "yellow", "problem": "red"}
_WIDEST_NAME: Final = 36
_CODE: Final = "  "


@dataclass(frozen=True, slots=True)
class Signs:
    """What stands in front of lines."""

    ok: str
    warning: str
    problem: str
    remedy: str

    def of(self, state: State) -> str:
        """The sign of *state*."""
        return {"ok": self.ok, "warning": self.warning, "problem": self.problem}[state]


SIGNS: Final = Signs("✓", "!", "✗", "→")
ASCII_SIGNS: Final = Signs("ok", "!", "x", "->")
"""For terminals that have no others."""


def signs_for(encoding: str | None) -> Signs:
    """The signs that *encoding* has."""
    try:
        "✓✗→".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return SIGNS


def as_json(findings: Sequence[Finding]) -> str:
    """Every check, and how many there are of each state, in ASCII alone."""
    counts = Counter(finding.state for finding in findings)
    found = {"problems": counts["problem"], "warnings": counts["warning"], "checks": [asdict(f) for f in findings]}
    return json.dumps(found, indent=2, allow_nan=False)


def render(findings: Sequence[Finding], screen: Screen, signs: Signs) -> str:
    """Draw *findings* by group; what is wrapped is never cut, and lines to be copied stay whole."""
    lines: list[Text] = []
    for title, group in groupby(findings, key=lambda finding: finding.group):
        lines += [Text(title, style="bold"), *_group(list(group), screen.width, signs), Text()]
    lines += _summary(findings, screen.width)
    widest = max(line.cell_len for line in lines)
    return type(screen)(max(screen.width, widest), screen.height, screen.color).draw(lines)


def _group(findings: Sequence[Finding], width: int, signs: Signs) -> Iterator[Text]:
    wide = min(max(len(finding.name) for finding in findings), _WIDEST_NAME)
    for remedy, same in groupby(findings, key=lambda finding: finding.remedy):
        for finding in same:
            yield from _finding(finding, wide, width, signs)
        if remedy is not None:  # said once for all that it helps
            yield from _remedy(remedy, width, signs)


def _finding(finding: Finding, wide: int, width: int, signs: Signs) -> Iterator[Text]:
    margin = max(map(len, (signs.ok, signs.warning, signs.problem))) + 1
    aside = margin + wide + 2
    head = Text.assemble(
        (signs.of(finding.state).ljust(margin), _STYLES[finding.state]), finding.name.ljust(wide), "  "
    )
    longest = max(map(len, finding.found.split()), default=0)
    if head.cell_len > aside or longest > width - aside:  # what was found stands below its name
        head.rstrip()
        yield head
        aside = margin + 2
        head = Text(" " * aside)
    for line in _wrapped(finding.found, width - aside):
        yield head + Text(line)
        head = Text(" " * aside)


def _remedy(remedy: str, width: int, signs: Signs) -> Iterator[Text]:
    margin = " " * (max(map(len, (signs.ok, signs.warning, signs.problem))) + 1)
    lead = f"{margin}{signs.remedy} "
    for line in remedy.splitlines():
        for part in [line] if line.startswith(_CODE) else _wrapped(line, width - len(lead)):
            yield Text(f"{lead}{part}", style="bold" if part.startswith(_CODE) else "")
            lead = " " * len(lead)


def _wrapped(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* cells, as far as its words allow."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and Text(longer).cell_len > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _summary(findings: Sequence[Finding], width: int) -> list[Text]:
    counts = Counter(finding.state for finding in findings)
    warnings = many(counts["warning"], "warning")
    first = next((finding for finding in findings if finding.state == "problem"), None)
    if first is None:
        return [Text(f"No problem, {warnings}.", style=_STYLES["ok"])]
    told = f"{many(counts['problem'], 'problem')}, {warnings}. Begin with {first.group}: {first.name}."
    return [Text(line, style=_STYLES["problem"]) for line in _wrapped(told, width)]
