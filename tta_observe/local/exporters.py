"""What the pipeline sends to a store on this machine: OpenTelemetry's objects in, committed rows out."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from contextlib import suppress
from threading import Event, Lock, get_ident
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Histogram, Sum

from tta_observe import semconv
from tta_observe._export import ExportFailed, in_turns
from tta_observe.local import forks
from tta_observe.local.errors import StoreError
from tta_observe.local.records import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    UP_DOWN_COUNTER,
    PointRecord,
    ProcessRecord,
    Records,
    SeriesRecord,
    SpanRecord,
    to_json,
)
from tta_observe.local.store import Store
from tta_observe.local.transactions import Patience, primary_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.resources import Resource

    from tta_observe._export import Batch

_R = TypeVar("_R")

_LARGEST: Final = 2**63 - 1
_CLOSE_S: Final = 0.5
_FORK_S: Final = 1.0
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""What may be over when the same batch is sent again."""
_ABANDONED: Final[list[Store]] = []
"""Kept from being closed: see :mod:`tta_observe.local.forks`."""


class LocalExporter:
    """
    Writes spans and metrics of this process to the store at *path*, which is opened by the first :meth:`send`.

    *resource* says who this process is; without it the first resource that is encoded does.
    :attr:`dropped` counts spans and points that have no form in a store; the rest of their batch is written.
    """

    name = "local"

    def __init__(
        self, path: Path, resource: Resource | None = None, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.target = str(path)
        self.dropped = 0
        self._path = path
        self._resource = resource
        self._clock = clock
        self._instance_id = str(uuid.uuid4())
        self._store: Store | None = None
        self._process: ProcessRecord | None = None
        self._paused_by: int | None = None
        self._unusable = ""
        self._begin()
        forks.watch(self)

    def encode(self, batch: Batch) -> Records | None:
        """Turn *batch* into rows; None as long as nobody said who this process is."""
        resource = self._resource or next(_resources(batch), None)
        if resource is None:
            return None
        self._process = self._process or _process_record(resource, self._instance_id, self._pid, self._started_ns)
        spans = self._readable(_span_record, ((span,) for span in batch.spans))
        points = self._readable(_point_record, _points(batch.metrics))
        return Records(self._process, spans, points)

    def send(self, encoded: Records | None, timeout_s: float) -> None:
        """
        Commit *encoded* in one transaction. To be called when there is nothing new, too: it keeps the process alive.

        Raises:
            ExportFailed: nothing was committed; retryable when the store was locked or the disk full.
        """
        with self._lock:
            try:
                self._write(encoded, Patience(timeout_s, self._hurry))
            except StoreError as error:
                raise ExportFailed(str(error), retryable=False) from error
            except (sqlite3.Error, OSError) as error:
                self._let_go(error)
                raise ExportFailed(f"{self.target}: {error}", retryable=_may_pass(error)) from error

    def close(self) -> None:
        """Mark this process as ended and let go of the file; a :meth:`send` that waits for the lock gives up."""
        self._unusable = self._unusable or "The exporter was closed."
        self._hurry.set()
        with self._lock:
            if self._store is not None and self._process is not None:
                with suppress(sqlite3.Error):  # the missing heartbeat says the same, 15 s later
                    self._store.end(self._process, self._clock(), Patience(_CLOSE_S))
            self._disconnect()

    def before_fork(self) -> None:
        """Let go of the file, and keep it so until the fork is over."""
        self._hurry.set()
        if self._lock.acquire(timeout=_FORK_S):
            self._paused_by = get_ident()  # two threads may want to fork at once
            self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on; the next :meth:`send` opens the file again."""
        if not self._unusable:
            self._hurry.clear()
        if self._paused_by == get_ident():
            self._paused_by = None
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on as a process of its own."""
        if self._store is not None:  # a send took longer than the fork could wait
            self._unusable = "The process was forked while its store was in use. Start it with 'spawn' instead."
            _ABANDONED.append(self._store)
            self._store = None
        self._begin()

    def _begin(self) -> None:
        """Start the life of a process: the program's, or that of a child that was forked from it."""
        self._lock = Lock()  # in a child, whoever held the old one is not there any more
        self._hurry = Event()
        self._paused_by = None
        self._pid = os.getpid()
        self._started_ns = self._clock()
        self._process = None

    def _write(self, records: Records | None, patience: Patience) -> None:
        if self._unusable:
            raise StoreError(self._path, self._unusable)
        if self._store is not None and self._store.moved:
            self._disconnect()
        if self._store is None:
            self._store = Store(self._path, patience)
        if records is not None:
            self._store.write(records, self._clock(), patience)

    def _let_go(self, error: sqlite3.Error | OSError) -> None:
        """Open the store again next time, unless it was only locked."""
        if isinstance(error, OSError) or primary_code(error) != sqlite3.SQLITE_BUSY:
            self._disconnect()

    def _disconnect(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _readable(self, record: Callable[..., _R], found: Iterable[tuple[Any, ...]]) -> tuple[_R, ...]:
        """Make a *record* of each that was *found*; whatever is wrong with one of them, its siblings survive."""
        made = []
        for parts in in_turns(found):
            try:
                made.append(record(*parts))
            except Exception:  # noqa: BLE001 - what is in it is not ours
                self.dropped += 1
        return tuple(made)


def _process_record(resource: Resource, instance_id: str, pid: int, started_ns: int) -> ProcessRecord:
    def text(key: str) -> str | None:
        value = resource.attributes.get(key)
        return None if value is None else _text(str(value))

    return ProcessRecord(
        instance_id=text(semconv.SERVICE_INSTANCE_ID) or instance_id,
        pid=pid,
        started_ns=started_ns,
        service_name=text(semconv.SERVICE_NAME) or "unknown_service",
        service_version=text(semconv.SERVICE_VERSION),
        environment=text(semconv.DEPLOYMENT_ENVIRONMENT_NAME),
        resource=to_json(dict(resource.attributes)),
    )


def _resources(batch: Batch) -> Iterator[Resource]:
    yield from (span.resource for span in batch.spans)
    yield from (of_resource.resource for of_resource in (batch.metrics.resource_metrics if batch.metrics else ()))


def _span_record(span: Any) -> SpanRecord:
    attributes = dict(span.attributes or {})
    primitive_type = attributes.get(semconv.PRIMITIVE_TYPE)
    return SpanRecord(
        trace_id=f"{span.context.trace_id:032x}",
        span_id=f"{span.context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
        name=_text(span.name),
        kind=span.kind.name,
        start_ns=_whole(span.start_time),
        duration_ns=_whole(max(0, span.end_time - span.start_time)),
        status=span.status.status_code.name,
        status_message=_text(span.status.description) if span.status.description else None,
        type=_text(primitive_type) if isinstance(primitive_type, str) else None,
        scope=_text(span.instrumentation_scope.name) if span.instrumentation_scope else "",
        attributes=to_json(attributes),
        events=to_json([(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events]),
        links=to_json([_link(link) for link in span.links]),
    )


def _link(link: Any) -> tuple[str, str, dict[str, Any]]:
    return f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", dict(link.attributes or {})


def _points(data: MetricsData | None) -> Iterator[tuple[str, Metric, Any]]:
    for of_resource in data.resource_metrics if data else ():
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                yield from ((of_scope.scope.name, metric, point) for point in metric.data.data_points)


def _point_record(scope: str, metric: Metric, point: Any) -> PointRecord:
    kind = _kind(metric)
    series = SeriesRecord(
        scope=_text(scope),
        instrument=_text(metric.name),
        kind=kind,
        unit=_text(metric.unit or ""),
        start_ns=_whole(point.start_time_unix_nano or 0),
        bounds=to_json(point.explicit_bounds) if kind == HISTOGRAM else "",
        labels=to_json(dict(sorted((point.attributes or {}).items()))),
    )
    time_ns = _whole(point.time_unix_nano)
    if kind == HISTOGRAM:
        return PointRecord(series, time_ns, _number(point.sum), _whole(point.count), to_json(point.bucket_counts))
    return PointRecord(series, time_ns, _number(point.value))


def _kind(metric: Metric) -> str:
    match metric.data:
        case Gauge():
            return GAUGE
        case Sum(aggregation_temporality=AggregationTemporality.CUMULATIVE, is_monotonic=monotonic):
            return COUNTER if monotonic else UP_DOWN_COUNTER
        case Histogram(aggregation_temporality=AggregationTemporality.CUMULATIVE):
            return HISTOGRAM
    raise TypeError(f"{metric.name} is neither cumulative nor a gauge")


def _text(text: str) -> str:
    """The same, with a replacement for every half of a surrogate pair, which UTF-8 has no form for."""
    return text.encode("utf-8", "replace").decode()


def _whole(number: int) -> int:
    if not -_LARGEST <= number <= _LARGEST:
        raise OverflowError(f"{number} takes more than 64 bits")
    return number


def _number(value: float) -> float:
    """The same, as a float when it is a whole number of more than 64 bits."""
    return value if -_LARGEST <= value <= _LARGEST else float(value)


def _may_pass(error: sqlite3.Error | OSError) -> bool:
    return isinstance(error, OSError) or primary_code(error) in _PASSING
