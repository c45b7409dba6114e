"""OTLP over gRPC."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tta_observe._export import CHECK_CREDENTIALS, START_RECEIVER, ExportFailed
from tta_observe._guard import quietly
from tta_observe._pipeline.tls import tls_context

if TYPE_CHECKING:
    from tta_observe._settings import Signal, Target

_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Besides RESOURCE_EXHAUSTED that says when to come again. Source: OTLP specification 1.9, "OTLP/gRPC response"."""

_TOO_LARGE: Final = ("larger than max", "exceeds maximum size", "message too large")
"""What servers say, with the code that they say for a full disk, too. Sources: gRPC core and Go; Java; Envoy."""

_CREDENTIALS: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})

_CALLS: Final[dict[Signal, tuple[str, Any]]] = {
    "TRACES": ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", ExportTraceServiceResponse),
    "METRICS": ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", ExportMetricsServiceResponse),
}

_OPTIONS: Final = (("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 1000))
"""A receiver that comes back is found by the next attempt; the back-off between attempts is ours."""


class GrpcTransport:
    """
    One channel; it connects with the first request.

    Raises:
        OSError: a certificate file cannot be read.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._channel = _channel(target)
        self._calls = {
            signal: self._channel.unary_unary(path, response_deserializer=response.FromString)
            for signal, (path, response) in _CALLS.items()
        }

    def send(self, signal: Signal, request: bytes, timeout_s: float) -> Any:
        """
        Deliver *request*.

        Raises:
            ExportFailed: it was not acknowledged within *timeout_s* seconds, or refused.
        """
        timeout_s = min(timeout_s, self._target.timeout_s)
        try:
            return self._calls[signal](request, timeout=timeout_s, metadata=self._target.headers)
        except grpc.RpcError as error:
            raise _failure(error, len(request)) from None
        except ValueError as error:  # the channel was closed by the exit hook
            raise ExportFailed("closed", retryable=False) from error

    def ask(self, signal: Signal, timeout_s: float) -> None:
        """
        Send an empty request, to see whether it is taken.

        Raises:
            grpc.RpcError: it is not; in gRPC's own words.
        """
        self._calls[signal](b"", timeout=timeout_s, metadata=self._target.headers)

    def close(self) -> None:
        """Close the channel; a call that is running is cancelled."""
        self._channel.close()


def _failure(error: grpc.RpcError, size: int) -> ExportFailed:
    if not isinstance(error, grpc.Call):
        return ExportFailed(grpc.StatusCode.UNKNOWN.name, retryable=False)
    code, asked_s = error.code(), quietly(_retry_after_s, error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and any(words in (error.details() or "") for words in _TOO_LARGE):
        return ExportFailed(f"{code.name}, {size:,} bytes", retryable=False, too_large=True)
    retryable = code in _RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and asked_s is not None)
    remedy = CHECK_CREDENTIALS if code in _CREDENTIALS else START_RECEIVER if retryable else ""
    return ExportFailed(code.name, retryable=retryable, retry_after_s=asked_s or 0.0, remedy=remedy)


def _retry_after_s(error: Any) -> float | None:
    """What the server says about when to come again; None when it says nothing."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    return float(max(0.0, info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    return None


def _yield_to_greenlets() -> None:
    """Where gevent has turned threads into greenlets, a call that waits in gRPC's core would hold all of them up."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("socket"):
        from grpc.experimental import gevent

        gevent.init_gevent()


def _channel(target: Target) -> Any:
    _yield_to_greenlets()
    options: list[tuple[str, int]] = list(_OPTIONS)
    if target.is_loopback:  # a proxy variable must not send local telemetry away
        options.append(("grpc.enable_http_proxy", 0))
    compression = grpc.Compression.Gzip if target.compression == "gzip" else grpc.Compression.NoCompression
    if not target.tls:
        return grpc.insecure_channel(target.address, options, compression)
    return grpc.secure_channel(target.address, _credentials(target), options, compression)


def _credentials(target: Target) -> Any:
    ca, key, certificate = (_read(f) for f in (target.certificate, target.client_key, target.client_certificate))
    tls_context(target)  # gRPC would write about bad files on standard error at every attempt, and never say which
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _read(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path is not None else None
