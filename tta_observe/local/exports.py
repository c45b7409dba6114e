"""What became of the spans that processes gave to their exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.instruments import SPANS_EXPORTED, SPANS_WAITING
from tta_observe.local.records import from_json
from tta_observe.local.rows import Account, ExportRow, LedgerRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe.local.reader import StoreReader

_NAMES: Final = {"ended": SPANS_EXPORTED.name, "waiting": SPANS_WAITING.name, "scope": semconv.SCOPE}

_COUNT: Final = """
    sum((
        SELECT value FROM points WHERE points.series = series.id AND time_ns <= :now_ns ORDER BY time_ns DESC LIMIT 1
    ))
    FROM processes JOIN series ON series.process = processes.id
    WHERE series.scope = :scope AND series.instrument IN (:ended, :waiting)
"""

_OF_LIVE_ONES: Final = f"""
    SELECT series.labels, {_COUNT} AND processes.ended_ns IS NULL AND processes.heartbeat_ns > :alive_ns
    GROUP BY series.labels
"""

_OF_EACH: Final = f"""
    SELECT service_name, nullif(pid, 0), instance_id, processes.ended_ns IS NULL AND heartbeat_ns > :alive_ns,
        processes.ended_ns IS NOT NULL, series.labels, {_COUNT} AND processes.id IN (
            SELECT id FROM processes WHERE id IN (
                SELECT process FROM series WHERE scope = :scope AND instrument IN (:ended, :waiting)
            ) ORDER BY heartbeat_ns DESC, id DESC LIMIT :most
        )
    GROUP BY processes.id, series.labels ORDER BY heartbeat_ns DESC, processes.id DESC, series.labels
"""  # noqa: S608 - put together from constants


def exports(store: StoreReader, now_ns: int, alive_ns: int) -> tuple[ExportRow, ...]:
    """One row an exporter, over the processes that gave a sign of life after *alive_ns*."""
    found: dict[str, dict[str, int]] = {}
    for text, count in store.rows(_OF_LIVE_ONES, {"now_ns": now_ns, "alive_ns": alive_ns, **_NAMES}):
        _note(found, text, count)
    return tuple(_row(exporter, outcomes) for exporter, outcomes in sorted(found.items()))


def ledgers(store: StoreReader, now_ns: int, alive_ns: int, most: int) -> tuple[LedgerRow, ...]:
    """
    One row for each exporter of the *most* processes that gave the latest signs of life, the latest first.

    A process that collected its metrics only once says nothing about its spans, and has no row.
    """
    found: dict[tuple[str, int | None, str, int, int], dict[str, dict[str, int]]] = {}
    given = {"now_ns": now_ns, "alive_ns": alive_ns, "most": most, **_NAMES}
    for *process, text, count in store.rows(_OF_EACH, given):
        _note(found.setdefault(tuple(process), {}), text, count)
    return tuple(
        LedgerRow(service, pid, instance, bool(alive), bool(ended), account(exporter, outcomes))
        for (service, pid, instance, alive, ended), exporters in found.items()
        for exporter, outcomes in sorted(exporters.items())
    )


def account(exporter: str, outcomes: Mapping[str, int]) -> Account:
    """The account of *exporter*, from spans by outcome: those that are not named here are reasons to drop."""
    told = (semconv.DELIVERED, semconv.QUEUED, semconv.IN_FLIGHT)
    delivered, queued, in_flight = (outcomes.get(name, 0) for name in told)
    dropped = {reason: count for reason, count in outcomes.items() if count and reason not in told}
    return Account(exporter, delivered, queued, in_flight, dropped)


def _note(found: dict[str, dict[str, int]], text: str, count: float | None) -> None:
    labels = from_json(text)
    found.setdefault(str(labels.get(semconv.EXPORTER)), {})[str(labels.get(semconv.OUTCOME))] = round(count or 0)


def _row(exporter: str, outcomes: Mapping[str, int]) -> ExportRow:
    found = account(exporter, outcomes)
    return ExportRow(exporter, found.delivered, found.waiting, found.dropped)
