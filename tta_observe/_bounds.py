"""
Bounds of what metrics may hold: values per label, label sets per instrument.

Past a bound a value becomes ``other``, said once per label and counted, because a backend that drops
labels in silence is worse than one that shows a sum.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe._guard import warn_once
from tta_observe._secrets import masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tta_observe.instruments import InstrumentSpec

_CLOSED: Final = frozenset({semconv.EXECUTION_STATUS, semconv.CONNECTION_TYPE, semconv.LLM_TOKEN_TYPE})
"""Labels whose few values are ours: they stay exact, or health would be wrong past a bound."""

_FIRST_TO_GO: Final = frozenset({semconv.AGENT_TYPE, semconv.WORKFLOW_NAME})

LabelValues = tuple[str | None, ...]


class LabelBounds:
    """How many different values each label has had, over all instruments."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._seen: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self.overflows: Counter[str] = Counter()

    def value(self, label: str, value: str) -> str:
        """*value*, or ``other`` when *label* has had its share of different ones."""
        if label in _CLOSED:
            return value
        seen = self._seen.setdefault(label, set())
        if value in seen:
            return value
        value = masked(value)  # new ones only: a call with known labels does not pay for the search
        with self._lock:
            if value in seen or len(seen) < self._limit:
                seen.add(value)
                return value
        self.overflow(label, f"label {label} has more than {self._limit} values")
        return semconv.OTHER

    def overflow(self, what: str, why: str) -> None:
        """Count that *what* was folded into ``other``, and say *why* once."""
        self.overflows[what] += 1
        warn_once(
            f"overflow:{what}",
            "%s: further ones are counted as 'other'. Put identifiers into attributes, not into names.",
            why,
        )


class LabelSets:
    """The label sets of one instrument, from raw values to the attributes that are recorded."""

    def __init__(self, spec: InstrumentSpec, bounds: LabelBounds) -> None:
        self._spec = spec
        self._bounds = bounds
        self._known: dict[LabelValues, dict[str, str]] = {}
        self._lock = threading.Lock()

    def attributes(self, values: LabelValues) -> dict[str, str]:
        """Labels for *values*, which stand in the order of the instrument's labels; a missing one is None."""
        found = self._known.get(values)
        return self._admit(values) if found is None else found

    def _admit(self, values: LabelValues) -> dict[str, str]:
        labels = self._spec.labels
        bounded = tuple(v and self._bounds.value(k, v) for k, v in zip(labels, values, strict=True))
        most = self._spec.label_sets
        for candidate, room in (
            (bounded, most),
            (_folded(labels, bounded, _FIRST_TO_GO), most + most // 5),
        ):
            found = self._keep(candidate, room)
            if found is not None:
                return found
            self._bounds.overflow(self._spec.name, f"{self._spec.name} has more than {most} label sets")
        return _named(labels, _folded(labels, bounded, frozenset(labels) - _CLOSED))

    def _keep(self, values: LabelValues, room: int) -> dict[str, str] | None:
        with self._lock:
            found = self._known.get(values)
            if found is None and len(self._known) < room:
                found = self._known[values] = _named(self._spec.labels, values)
            return found


def _folded(labels: Sequence[str], values: LabelValues, which: frozenset[str]) -> LabelValues:
    return tuple(semconv.OTHER if v and k in which else v for k, v in zip(labels, values, strict=True))


def _named(labels: Sequence[str], values: LabelValues) -> dict[str, str]:
    return {k: v for k, v in zip(labels, values, strict=True) if v}
