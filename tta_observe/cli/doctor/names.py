"""The names of our series in Prometheus, as they should be and as exporters change them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tta_observe.instruments import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tta_observe.instruments import InstrumentSpec

_TAILS: Final = "total|bucket|sum|count|ratio|milliseconds|" + "|".join(
    sorted({spec.unit.strip("{}") for spec in INSTRUMENTS if spec.unit.startswith("{")})
)
"""What exporters put behind a name: the kind, the unit, the part of a histogram."""

_SHARED: Final = "cache"
"""Other programs count ``cache_hits`` too; ours always carry a cache type."""


def stem(spec: InstrumentSpec) -> str:
    """A pattern for the name as far as no exporter changes it."""
    parts = spec.name.split(".")
    kept = parts[:-1] if parts[-1] == "total" and len(parts) > 2 else parts  # noqa: PLR2004 - `cache` alone says nothing
    return "[._]".join(kept)


def expected(spec: InstrumentSpec) -> tuple[str, ...]:
    """The exact names of its series."""
    ends = ("_bucket", "_sum", "_count") if spec.kind == "histogram" else ("",)
    return tuple(f"{spec.prometheus_name}{end}" for end in ends)


def variant(spec: InstrumentSpec, wanted: str, names: Iterable[str]) -> str | None:
    """The name that stands in the place of *wanted* among *names*; None when there is none."""
    pattern = re.compile(f"{stem(spec)}([._]({_TAILS}))*")
    ends = f"[._]{wanted.rpartition('_')[2]}$" if spec.kind == "histogram" else "$"
    found = sorted(names)
    for name in found:
        if pattern.fullmatch(name) and name not in expected(spec) and re.search(ends, name):
            return name
    return spec.prometheus_name if spec.kind == "histogram" and spec.prometheus_name in found else None


def _selectors() -> tuple[str, ...]:
    tails = f"([._]({_TAILS}))*"
    own = [stem(spec) for spec in INSTRUMENTS if not spec.name.startswith(_SHARED)]
    shared = [stem(spec) for spec in INSTRUMENTS if spec.name.startswith(_SHARED)]
    dotted = [each.replace("[._]", "[.]") for each in shared]
    return (
        f'{{__name__=~"({"|".join((*own, *dotted))}){tails}"}}',
        f'{{__name__=~"({"|".join(shared)}){tails}",cache_type!=""}}',
    )


SELECTORS: Final = _selectors()
"""Everything that may be ours, under whatever name it arrived."""


def over(seconds: str) -> str:
    """The last sample of each of our series in that time."""
    return " or ".join(f"last_over_time({selector}[{seconds}])" for selector in SELECTORS)
