"""
``tta-observe report``: what the local store says about the last hour.

:func:`collect` asks the questions, :mod:`tta_observe.cli.screen` shows the answers.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe.cli import empty, output, screen, words
from tta_observe.dashboards import panels
from tta_observe.local import queries
from tta_observe.local.errors import StoreError, StoreMissing
from tta_observe.local.exports import exports
from tta_observe.local.paths import store_path
from tta_observe.local.reader import StoreReader
from tta_observe.local.rows import CacheRow, Health, Spending, Throughput, Window

if TYPE_CHECKING:
    from tta_observe.local.rows import (
        ConnectionRow,
        CostRow,
        ErrorRow,
        ExportRow,
        ModelRow,
        PrimitiveRow,
        ProcessRow,
        Run,
        TypeRow,
        WorkflowRow,
    )

HOUR_S: Final = 3600.0
"""How far the report looks back from the last measurement, unless told otherwise."""


_NOTHING_RAN: Final = Health(0, 0, 0)
_NO_TRAFFIC: Final = Throughput(0, None)
_NO_LOOKUPS: Final = CacheRow(0, 0, None, 0.0)
_NO_COST: Final = Spending(0.0, None, 0)


@dataclass(frozen=True, slots=True)
class Report:
    """
    Every answer, unrounded; field names are the keys of ``--json``.

    *window* is None when nothing was measured. Rates are over *traffic_seconds*, totals and shares over the window.
    """

    store: str
    window: Window | None
    traffic_seconds: float = 0.0
    active_workflows: int = 0
    health: Health = _NOTHING_RAN
    throughput: Throughput = _NO_TRAFFIC
    cache: CacheRow = _NO_LOOKUPS
    spending: Spending = _NO_COST
    costs: tuple[CostRow, ...] = ()
    workflows: tuple[WorkflowRow, ...] = ()
    primitives: tuple[PrimitiveRow, ...] = ()
    errors: tuple[ErrorRow, ...] = ()
    executions_by_type: tuple[TypeRow, ...] = ()
    caches: tuple[CacheRow, ...] = ()
    models: tuple[ModelRow, ...] = ()
    connections: tuple[ConnectionRow, ...] = ()
    latest_runs: tuple[Run, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    exports: tuple[ExportRow, ...] = ()


def collect(store: StoreReader, name: str, window: Window, now_ns: int) -> Report:
    """
    Ask every question about *window* of the store called *name*; *now_ns* decides what is still running.

    The questions are those of the panels, so that a figure is the same here, on the page and in Grafana.
    """
    return Report(
        store=name,
        window=window,
        traffic_seconds=queries.traffic_seconds(store, window),
        active_workflows=panels.ACTIVE.local(store, now_ns),
        health=panels.HEALTH.local(store, window),
        throughput=panels.THROUGHPUT.local(store, window),
        cache=panels.CACHE.local(store, window),
        spending=panels.COST.local(store, window),
        costs=queries.costs(store, window),
        workflows=panels.WORKFLOWS.local(store, window),
        primitives=panels.SLOWEST_PRIMITIVES.local(store, window),
        errors=panels.ERRORS.local(store, window),
        executions_by_type=panels.BY_TYPE.local(store, window),
        caches=panels.CACHES.local(store, window),
        models=panels.TOKENS.local(store, window),
        connections=panels.SERVICE_MAP.local(store, window),
        latest_runs=queries.latest_runs(store, window),
        processes=queries.processes(store, now_ns),
        exports=exports(store, now_ns, now_ns - queries.SILENT_NS),
    )


def to_json(report: Report) -> str:
    """Write *report* as JSON of ASCII alone; what is not known is null. Where nobody exports, that is left out."""
    found = asdict(report)
    if not report.exports:
        del found["exports"]
    health = report.health
    found["health"] |= {"total": health.total, "score": health.score, "error_rate": health.error_rate}
    return json.dumps(found, indent=2, allow_nan=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--since",
        metavar="DURATION",
        type=_since,
        default=HOUR_S,
        help="how far to look back from the last measurement: 15m, 2h, 1d (default: 1h)",
    )
    parser.add_argument(
        "--store", metavar="FILE", type=Path, help="the store to read (default: TTA_OBSERVE_STORE, else the usual one)"
    )
    parser.add_argument("--json", action="store_true", help="write every figure, unrounded, as JSON")


def run(options: argparse.Namespace) -> int:
    """Read the store and show what it says."""
    path = store_path(options.store)
    try:
        report = read(path, options.since)
    except StoreMissing as error:
        if options.store is not None:  # a name typed by hand that leads nowhere is a mistake
            output.say(f"tta-observe report: {words.plain_text(error)}", error=True)
            return 1
        report = Report(str(path), None)
    except StoreError as error:
        output.say(f"tta-observe report: {words.plain_text(error)}", error=True)
        return 1
    show(report, as_json=options.json)
    return 0


def read(path: Path, since_s: float = HOUR_S) -> Report:
    """
    Report on the *since_s* seconds up to the last measurement in the store at *path*.

    Raises:
        StoreError: it is missing, or cannot be read.
    """
    with StoreReader(path) as store:
        window = queries.window_before_last(store, since_s)
        return Report(str(path), None) if window is None else collect(store, str(path), window, time.time_ns())


def show(report: Report, *, as_json: bool) -> None:
    """Write *report* to the standard output."""
    if as_json:
        output.say(to_json(report))
    elif report.window is None:
        output.say(empty.explain(report.store, os.environ))
    else:
        output.say(screen.render(report, output.screen()))


def _since(text: str) -> float:
    try:
        return words.seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
