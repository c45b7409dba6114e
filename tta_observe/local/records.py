"""What is written: one record per row, already in the form the tables hold."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

COUNTER: Final = "counter"
"""Kind of a series that only rises."""

UP_DOWN_COUNTER: Final = "up_down_counter"
"""Kind of a series of a sum that also falls."""

GAUGE: Final = "gauge"
"""Kind of a series of readings that do not add up."""

HISTOGRAM: Final = "histogram"
"""Kind of a series with explicit buckets."""


class ProcessRecord(NamedTuple):
    """Who wrote: one life of one process. *pid* is 0 when it is not known; *resource* is JSON."""

    instance_id: str
    pid: int
    started_ns: int
    service_name: str
    service_version: str | None
    environment: str | None
    resource: str


class SpanRecord(NamedTuple):
    """One ended span. *type* is its ``primitive.type``; *attributes*, *events* and *links* are JSON."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    start_ns: int
    duration_ns: int
    status: str
    status_message: str | None
    type: str | None
    scope: str
    attributes: str
    events: str
    links: str


class SeriesRecord(NamedTuple):
    """One instrument with one label set, since *start_ns*: a later start is another series. JSON: bounds, labels."""

    scope: str
    instrument: str
    kind: str
    unit: str
    start_ns: int
    bounds: str
    labels: str


class PointRecord(NamedTuple):
    """What a series stood at. Of a histogram *value* is the sum, *recorded* the number, *buckets* JSON of counts."""

    series: SeriesRecord
    time_ns: int
    value: float
    recorded: int | None = None
    buckets: str | None = None

    @property
    def state(self) -> tuple[float, int | None, str | None]:
        """Everything but the time: equal when nothing was measured in between."""
        return self.value, self.recorded, self.buckets


@dataclass(frozen=True, slots=True)
class Records:
    """What one process has to say at once. Points of one series are in order of time."""

    process: ProcessRecord
    spans: tuple[SpanRecord, ...] = ()
    points: tuple[PointRecord, ...] = ()


def to_json(value: object) -> str:
    """
    Write an attribute value, or a mapping or sequence of them, as ASCII that any JSON reader takes.

    What JSON has no word for is tagged: ``{"$float": "nan"}``, ``{"$bytes": base64}``.

    Raises:
        TypeError, ValueError: there is something in it that is no attribute value.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return json.dumps(_tagged(value), allow_nan=False, separators=(",", ":"))


def from_json(text: str) -> Any:
    """Undo :func:`to_json`; sequences come back as tuples."""
    return _untagged(json.loads(text))


def _tagged(value: object) -> object:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, Mapping):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_tagged(item) for item in value]
    return value


def _untagged(value: Any) -> Any:
    match value:
        case {"$bytes": str(text)}:
            return base64.b64decode(text)
        case {"$float": str(text)}:
            return float(text)
        case dict():
            return {key: _untagged(item) for key, item in value.items()}
        case list():
            return tuple(_untagged(item) for item in value)
    return value
