"""Figures and names as people read them. Pure: from values to text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

P95_LIMIT_MS: Final = 10_000.0
"""The last bucket of the duration histogram: what is slower cannot be told apart."""

NOTHING: Final = "–"
"""Stands where there is no figure; a zero would claim one."""

_LONGEST_NAME: Final = 200
_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART_OF_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")

_ASCII: Final = str.maketrans(
    {
        "─": "-",
        "═": "=",
        "╌": ".",
        "└": "`",
        "▶": ">",
        "●": "*",
        "○": "o",
        "·": "|",
        "–": "-",
        "…": "~",
        "×": "x",
        "≥": ">=",
        "⚠": "!",
    }
)


def plain_text(value: object) -> str:
    """
    Show a name as text, whatever is in it: what does not print is shown as its escape.

    Control characters, line breaks, terminal escapes, bidirectional overrides and surrogates would otherwise
    act on the terminal of whoever reads the report.
    """
    text = str(value)
    cut = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)


def to_ascii(text: str) -> str:
    """Put signs of ASCII in place of the drawing characters, for terminals that have no others."""
    return text.translate(_ASCII)


def seconds_of(duration: str) -> float:
    """
    Read a duration such as ``15m``, ``2h``, ``1d`` or ``1h30m``, in seconds.

    Raises:
        ValueError: it is none, or zero.
    """
    parts = _PART_OF_DURATION.findall(duration)
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != duration or not 0 < seconds <= 366 * _UNITS_S["d"]:
        raise ValueError(f"{duration!r} is no duration. Write a number and s, m, h or d, e.g. 15m, 2h or 1d.")
    return seconds


def a_while(seconds: float) -> str:
    """Name a span of time: ``8 s``, ``15 min``, ``2 h``, ``1.5 d``."""
    for unit, name in (("d", "d"), ("h", "h"), ("m", "min")):
        if seconds >= _UNITS_S[unit]:
            return f"{_trimmed(seconds / _UNITS_S[unit], 1)} {name}"
    return f"{_trimmed(seconds, 1 if seconds < 10 else 0)} s"  # noqa: PLR2004 - two digits are enough


def milliseconds(value: float | None) -> str:
    """Name a duration given in milliseconds, with about three digits."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value:.2f} ms"
    if value < 999.5:  # noqa: PLR2004 - what rounds to a second is one
        return f"{value:.3g} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else a_while(value / 1000)  # noqa: PLR2004 - a minute


def p95(value: float | None) -> str:
    """Name a 95th percentile, which ends at the last bucket of the histogram."""
    return "≥ 10 s" if value is not None and value >= P95_LIMIT_MS else milliseconds(value)


def percent(share: float | None) -> str:
    """Name a share of 0 to 1; never rounded to 0 % or 100 % when it is not."""
    if share is None:
        return NOTHING
    shown = f"{share * 100:.1f}"
    if shown == "100.0" and share < 1:
        return "> 99.9 %"
    if shown == "0.0" and share > 0:
        return "< 0.1 %"
    return f"{shown.removesuffix('.0')} %"


def count(value: float) -> str:
    """Name a number of things: ``950``, ``12,345``, ``1.2 M``."""
    return f"{value / 1e6:,.1f} M" if value >= 1e6 else f"{value:,.0f}"  # noqa: PLR2004 - a million


def many(value: int, noun: str) -> str:
    """Name a number of *noun*, which takes a plain ``s``."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def per_second(value: float | None) -> str:
    """Name a rate."""
    return NOTHING if value is None else f"{value:.1f}/s" if value >= 1 else f"{value:.2g}/s"


def usd(value: float | None, *, at_least: bool = False) -> str:
    """Name an amount; a small one with enough digits to differ from nothing. *at_least*: it is a lower bound."""
    if value is None:
        return NOTHING
    if at_least:
        return f"≥ {usd(value)}" if value >= 0.0001 else "> $0.00"  # noqa: PLR2004 - four digits are enough
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    return f"${value:.4f}" if value >= 0.0001 else "< $0.0001"  # noqa: PLR2004 - four digits are enough


def clock(time_ns: int) -> str:
    """Name a moment, in local time."""
    return f"{datetime.fromtimestamp(time_ns / 1e9).astimezone():%Y-%m-%d %H:%M:%S}"


def _trimmed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
