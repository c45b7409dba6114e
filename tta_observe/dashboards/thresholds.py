"""From which value on a figure is good or bad. The same for Grafana, the page and the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Color = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    Three colours: *first* below *second_from*, then yellow, then *last* above *last_above*.

    Both bounds belong to the middle: a health of exactly 95 % is yellow.
    """

    first: Color
    second_from: float
    last_above: float
    last: Color

    def color(self, value: float) -> Color:
        """Which colour *value* has."""
        if value < self.second_from:
            return self.first
        return self.last if value > self.last_above else "yellow"

    @property
    def steps(self) -> tuple[tuple[Color, float | None], ...]:
        """
        Colours and where they begin, the first one below everything.

        Grafana's steps begin at their value, so "above" is the next number that there is.
        """
        above = math.nextafter(self.last_above, math.inf)
        return (self.first, None), ("yellow", self.second_from), (self.last, above)


HEALTH: Final = Thresholds("red", 0.80, 0.95, "green")
ERROR_RATE: Final = Thresholds("green", 0.05, 0.20, "red")
"""Health seen from the other side."""
CACHE: Final = Thresholds("red", 0.50, 0.80, "green")
ACTIVE: Final = Thresholds("green", 5, 10, "red")
