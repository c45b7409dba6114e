"""OTLP over gRPC: encoded by OpenTelemetry's own encoder, sent with a deadline that holds."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tta_observe._export import Batch, ExportFailed
from tta_observe._guard import quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from tta_observe._settings import Target

_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Source: OTLP specification 1.9, "OTLP/gRPC response"."""

_OFTEN_REFUSED_BYTES: Final = 3_500_000
"""gRPC servers take messages of 4 MiB unless they say otherwise."""


class OtlpExporter:
    """
    Sends spans and metrics to one or two OTLP/gRPC endpoints.

    Raises:
        OSError: a certificate file cannot be read.
    """

    name = "otlp"

    def __init__(self, traces: Target | None, metrics: Target | None) -> None:
        self._channels: dict[Target, Any] = {}
        self._traces = self._caller(traces, TraceServiceStub)
        self._metrics = self._caller(metrics, MetricsServiceStub)
        addresses = dict.fromkeys(t.address for t in (traces, metrics) if t is not None)
        self.target = ", ".join(addresses)
        self.dropped = 0
        """Spans that could not be encoded."""

    def encode(self, batch: Batch) -> list[tuple[Any, Any]]:
        """Turn *batch* into calls: which, and with what request."""
        calls: list[tuple[Any, Any]] = []
        if batch.spans and self._traces is not None:
            calls.append((self._traces, self._encode_spans(batch.spans)))
        if batch.metrics is not None and self._metrics is not None and _has_metrics(batch.metrics):
            calls.append((self._metrics, encode_metrics(batch.metrics)))
        return calls

    def send(self, encoded: list[tuple[Any, Any]], timeout_s: float) -> None:
        """
        Make the calls.

        Raises:
            ExportFailed: one was not acknowledged within *timeout_s* seconds, or refused.
        """
        for call, request in encoded:
            try:
                response = call(request, timeout_s)
            except grpc.RpcError as error:
                raise _failure(error, request) from None
            except ValueError as error:  # the channel was closed by the exit hook
                raise ExportFailed("closed", retryable=False) from error
            _check_rejected(response.partial_success)

    def close(self) -> None:
        """Close the channels; calls that are running are cancelled."""
        for channel in self._channels.values():
            channel.close()

    def _encode_spans(self, spans: Sequence[ReadableSpan]) -> Any:
        request = quietly(encode_spans, spans)
        if request is not None:
            return request
        good = [span for span in spans if quietly(encode_spans, [span]) is not None]
        self.dropped += len(spans) - len(good)
        return encode_spans(good)

    def _caller(self, target: Target | None, stub: Any) -> Any:
        if target is None:
            return None
        if target not in self._channels:
            self._channels[target] = _channel(target)
        export = stub(self._channels[target]).Export

        def call(request: Any, timeout_s: float) -> Any:
            return export(request, timeout=min(timeout_s, target.timeout_s), metadata=target.headers)

        return call


def _has_metrics(data: MetricsData) -> bool:
    return any(resource.scope_metrics for resource in data.resource_metrics)


def _failure(error: grpc.RpcError, request: Any) -> ExportFailed:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    # The same code for a receiver that is busy and for a message over its limit, which will not shrink by waiting.
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and request.ByteSize() > _OFTEN_REFUSED_BYTES:
        return ExportFailed(f"{code.name}, {request.ByteSize():,} bytes", retryable=False, too_large=True)
    return ExportFailed(code.name, retryable=code in _RETRYABLE)


def _check_rejected(partial: Any) -> None:
    rejected = getattr(partial, "rejected_spans", 0) or getattr(partial, "rejected_data_points", 0)
    if rejected > 0:
        raise ExportFailed(f"{rejected} rejected", retryable=False, rejected=rejected)


def _channel(target: Target) -> Any:
    options: list[tuple[str, int]] = [("grpc.max_reconnect_backoff_ms", 5000)]
    if _is_loopback(target.host):  # a proxy variable must not send local telemetry away
        options.append(("grpc.enable_http_proxy", 0))
    compression = grpc.Compression.Gzip if target.compression == "gzip" else grpc.Compression.NoCompression
    if not target.tls:
        return grpc.insecure_channel(target.address, options, compression)
    return grpc.secure_channel(target.address, _credentials(target), options, compression)


def _credentials(target: Target) -> Any:
    ca, key, certificate = (_read(f) for f in (target.certificate, target.client_key, target.client_certificate))
    if (key is None) != (certificate is None):  # gRPC's core aborts the process over it
        raise OSError("OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: set both, or none.")
    _check_certificates(target)
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _check_certificates(target: Target) -> None:
    # gRPC would write about them on standard error at every attempt, and never say which file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if target.certificate is not None:
            context.load_verify_locations(target.certificate)
        if target.client_certificate is not None:
            context.load_cert_chain(target.client_certificate, target.client_key, password=lambda: "")
    except ssl.SSLError as error:
        files = [f for f in (target.certificate, target.client_key, target.client_certificate) if f is not None]
        raise OSError(f"{' or '.join(files)} is no certificate or key that can be used: {error.reason}") from error


def _read(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path is not None else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
