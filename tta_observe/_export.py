"""What the pipeline and its exporters have in common."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

_T = TypeVar("_T")

START_RECEIVER: Final = "Start a collector there, or set OTEL_EXPORTER_OTLP_ENDPOINT to where one runs"
CHECK_CREDENTIALS: Final = "Check headers=, or OTEL_EXPORTER_OTLP_HEADERS: the receiver wants to know who sends"


class ExportFailed(Exception):  # noqa: N818 - an outcome of sending, told to the pipeline, never to a user
    """
    A batch was not acknowledged.

    *retryable* says whether the same bytes may be accepted later, and *retry_after_s* when, if the receiver said so;
    *rejected* how many of the spans were refused when it was not all of them, *too_large* that half of the batch may
    be accepted, *remedy* what its owner can do about it.
    """

    def __init__(
        self,
        reason: str,
        *,
        retryable: bool,
        rejected: int | None = None,
        too_large: bool = False,
        retry_after_s: float = 0.0,
        remedy: str = "",
    ) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.rejected = rejected
        self.too_large = too_large
        self.retry_after_s = retry_after_s
        self.remedy = remedy


_TURN_S: Final = 0.0005
_PAUSE_S: Final = 0.00005
"""Long enough for a thread that waits to wake up and take over; a pause of 0 would take the turn right back."""


def in_turns(items: Iterable[_T]) -> Iterator[_T]:
    """
    Yield *items* one by one, and let other threads run every half millisecond.

    A thread that needs the interpreter asks for it after 5 ms only: a request handler would wait so long for a worker
    that encodes a batch at one go.
    """
    until = monotonic() + _TURN_S
    for item in items:
        if monotonic() > until:
            sleep(_PAUSE_S)
            until = monotonic() + _TURN_S
        yield item


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent at once: ended spans, a collection of metrics, or both."""

    spans: Sequence[ReadableSpan] = ()
    metrics: MetricsData | None = None


class Exporter(Protocol):
    """Where one lane of the pipeline sends to. Called by the worker of that lane only."""

    @property
    def name(self) -> str:
        """What it is called in settings, e.g. ``"local"``."""

    @property
    def target(self) -> str:
        """Where the telemetry goes, for people: a path or an address without secrets."""

    @property
    def dropped(self) -> int:
        """Spans that could not be encoded so far; their siblings were sent."""

    def encode(self, batch: Batch) -> Any:
        """
        Turn *batch* into what :meth:`send` takes. Pure: no socket, no disk.

        Raises:
            ExportFailed: it is too large for one request.
        """

    def send(self, encoded: Any, timeout_s: float) -> None:
        """
        Deliver; returning means acknowledged or committed.

        Raises:
            ExportFailed: not delivered within *timeout_s* seconds, or refused.
        """

    def close(self) -> None:
        """Let go of sockets and files; interrupts a running :meth:`send` where that is possible."""
