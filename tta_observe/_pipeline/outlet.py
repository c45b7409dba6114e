"""What the pipeline asks of each of its exporters, those that send and those that are scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricReader

    from tta_observe._pipeline.intake import LaneStats
    from tta_observe._settings import Signal


class Outlet(Protocol):
    """One way out of this process: a lane that sends, or an endpoint that is scraped."""

    signals: frozenset[Signal]
    beside: Sequence[Outlet]
    """Whose accounts go out with the metrics: an exporter that gets nothing through is told of by the others."""

    def with_reader(self) -> MetricReader:
        """Make the reader that metrics are collected from; it is given to a MeterProvider."""

    def give_up_reader(self) -> MetricReader | None:
        """Return the reader, the first time that it is asked for."""

    def start(self) -> None:
        """Start the thread; called once all readers and processors are in place."""

    def ask(self) -> tuple[int, int]:
        """Begin a flush; the result is for :meth:`answer`."""

    def answer(self, asked: tuple[int, int], timeout_s: float) -> bool:
        """Wait for what :meth:`ask` began; True when all that was recorded before it was delivered."""

    def flush_for_application(self, timeout_ms: float) -> bool:
        """Flush as a part of the application's own pipeline."""

    def stop(self, deadline: float) -> None:
        """Begin to end; :meth:`join` is over by *deadline*, in monotonic seconds."""

    def join(self) -> bool:
        """End; True when all that was recorded was delivered."""

    def abandon(self) -> None:
        """Let go, in a process that was forked, of what belongs to the parent."""

    def stats(self) -> LaneStats:
        """What it says of itself."""
