"""The scrape endpoint: our own ``/metrics``, for a Prometheus that comes and fetches."""

from __future__ import annotations

import threading
from functools import partial
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.exposition import choose_encoder

from tta_observe._guard import LOGGER, guarded, quietly
from tta_observe._pipeline.accounts import with_accounts
from tta_observe._pipeline.intake import LaneStats, Reader
from tta_observe._pipeline.scrape.exposition import Exposition
from tta_observe._pipeline.scrape.server import Page, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
    from prometheus_client.metrics_core import Metric

    from tta_observe._pipeline.outlet import Outlet
    from tta_observe._settings import Signal

_TURN_S: Final = 10.0
"""Longest that a scrape waits for the one before it; Prometheus waits no longer than that by default."""


class Endpoint:
    """
    Collects when it is scraped. It sends nothing, so there is never anything to deliver.

    Raises:
        OSError: nobody can listen there; says what to set.
    """

    def __init__(self, host: str, port: int, scope: str, clock: Callable[[], float] = monotonic) -> None:
        self.signals: frozenset[Signal] = frozenset(("METRICS",))
        self.beside: Sequence[Outlet] = (self,)
        self.reader: Reader | None = None
        self._exposition = Exposition(scope)
        self._clock = clock
        self._turn = threading.Lock()
        self._failed = 0
        self._server = _listening(host, port, self.scrape)

    @property
    def target(self) -> str:
        """Where the page is."""
        return self._server.url

    def with_reader(self) -> MetricReader:
        """Make the reader that each scrape collects from."""
        self.reader = Reader(self)
        return self.reader

    def give_up_reader(self) -> MetricReader | None:
        """Return the reader, the first time that it is asked for."""
        reader, self.reader = self.reader, None
        return reader

    def start(self) -> None:
        """Start to answer."""
        self._server.start()

    @guarded
    def scrape(self, accept: str) -> Page:
        """Collect, and write down in the format that *accept*, the header, asks for."""
        try:
            return self._page(accept)
        except Exception:
            self._failed += 1
            raise

    def ask(self) -> tuple[int, int]:
        """Nothing is sent."""
        return 0, 0

    def answer(self, asked: tuple[int, int], timeout_s: float) -> bool:
        """Nothing is left."""
        return True

    def flush_for_application(self, timeout_ms: float) -> bool:
        """Nothing is left."""
        return True

    def stop(self, deadline: float) -> None:
        """Stop to listen at once."""
        self._server.stop()

    def join(self) -> bool:
        """Nothing is left."""
        return True

    def abandon(self) -> None:
        """Close the sockets that are the parent's."""
        quietly(self._server.abandon)

    def stats(self) -> LaneStats:
        """Where it listens; spans never come here."""
        return LaneStats("prometheus", self.target, 0, 0, {}, 0, self._failed)

    def _page(self, accept: str) -> Page:
        encode, content_type = quietly(choose_encoder, accept) or choose_encoder("")
        if not self._turn.acquire(timeout=_TURN_S):
            raise TimeoutError("the scrape before has not ended")
        try:
            now_s = self._clock()
            families, new = self._exposition.families(self._collected(), now_s)
            return Page(content_type, encode(_Families(families)), partial(self._exposition.arrived, new, now_s))
        finally:
            self._turn.release()

    def _collected(self) -> MetricsData | None:
        """The metrics, and the ledgers of the exporters beside this one."""
        reader = self.reader
        found = reader.take() if reader is not None else None
        return None if found is None else with_accounts(found, [outlet.stats() for outlet in self.beside], time_ns())


class _Families:
    """What prometheus_client takes for a registry."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _listening(host: str, port: int, scrape: Callable[[str], Any]) -> Server:
    try:
        server = Server(host, port, scrape)
    except OSError as error:
        raise OSError(_advice(host, port, error)) from error
    server.failed = lambda error: LOGGER.warning("exporter prometheus is left out: %s", _advice(host, port, error))
    return server


def _advice(host: str, port: int, error: Exception) -> str:
    return (
        f"nothing can listen on port {port} of {host} ({getattr(error, 'strerror', None) or error}). "
        "Set OTEL_EXPORTER_PROMETHEUS_PORT to another port, or to 0 for any that is free; "
        "where many processes are measured, write exporter='otlp'."
    )
