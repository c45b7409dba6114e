"""OTLP: encoded by OpenTelemetry's own encoder, sent over gRPC or HTTP with a deadline that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tta_observe._export import Batch, Exporter, ExportFailed, in_turns
from tta_observe._guard import quietly
from tta_observe._pipeline.late import Late
from tta_observe._pipeline.ledger import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from tta_observe._settings import Signal, Target


class Transport(Protocol):
    """The way to one receiver."""

    def send(self, signal: Signal, request: bytes, timeout_s: float) -> Any:
        """
        Deliver *request* within *timeout_s* seconds, and return the response message.

        Raises:
            ExportFailed: it was not acknowledged in time, or refused.
        """

    def close(self) -> None:
        """Close the connections; what is being sent is interrupted."""


class Call(NamedTuple):
    """One request, ready to be sent."""

    transport: Transport
    signal: Signal
    request: bytes


def otlp_exporter(traces: Target | None, metrics: Target | None) -> Exporter:
    """An :class:`OtlpExporter`; where there are certificates, the worker makes it, as they lie on some disk."""
    targets = [target for target in (traces, metrics) if target is not None]
    if not any(target.tls for target in targets):
        return OtlpExporter(traces, metrics)
    return Late(OtlpExporter.name, _addresses(targets), lambda: OtlpExporter(traces, metrics))


class OtlpExporter:
    """
    Sends spans and metrics to one or two OTLP endpoints.

    Raises:
        OSError: a certificate file cannot be read.
    """

    name = "otlp"

    def __init__(self, traces: Target | None, metrics: Target | None) -> None:
        targets: list[tuple[Signal, Target | None]] = [("TRACES", traces), ("METRICS", metrics)]
        made = {target: _transport(target) for _, target in targets if target is not None}
        self._transports = {signal: made[target] for signal, target in targets if target is not None}
        self.target = _addresses(made)
        self.dropped = 0
        """Spans that could not be encoded."""

    def encode(self, batch: Batch) -> list[Call]:
        """
        Turn *batch* into requests.

        Raises:
            ExportFailed: one would be larger than what receivers take.
        """
        messages: dict[Signal, Any] = {}
        if batch.spans and "TRACES" in self._transports:
            messages["TRACES"] = self._encode_spans(batch.spans)
        if batch.metrics is not None and "METRICS" in self._transports and _has_metrics(batch.metrics):
            messages["METRICS"] = encode_metrics(batch.metrics)
        return [Call(self._transports[signal], signal, _request(message)) for signal, message in messages.items()]

    def send(self, encoded: list[Call], timeout_s: float) -> None:
        """
        Send the requests.

        Raises:
            ExportFailed: one was not acknowledged within *timeout_s* seconds, or refused.
        """
        for call in encoded:
            _check_rejected(call.transport.send(call.signal, call.request, timeout_s))

    def close(self) -> None:
        """Close the connections; what is being sent is interrupted."""
        for transport in self._transports.values():
            transport.close()

    def _encode_spans(self, spans: Sequence[ReadableSpan]) -> Any:
        request = quietly(encode_spans, in_turns(spans))
        if request is not None:
            return request
        good = [span for span in spans if quietly(encode_spans, [span]) is not None]
        self.dropped += len(spans) - len(good)
        return encode_spans(good)


def _addresses(targets: Iterable[Target]) -> str:
    return ", ".join(dict.fromkeys(target.address for target in targets))


def _transport(target: Target) -> Transport:
    if target.protocol == "http/protobuf":
        from tta_observe._pipeline.otlp_http import HttpTransport  # its library comes with an extra

        return HttpTransport(target)
    from tta_observe._pipeline.otlp_grpc import GrpcTransport  # gRPC is loaded by those who send with it

    return GrpcTransport(target)


def _has_metrics(data: MetricsData) -> bool:
    return any(resource.scope_metrics for resource in data.resource_metrics)


def _request(message: Any) -> bytes:
    size = message.ByteSize()
    if size > MAX_BATCH_BYTES:
        raise ExportFailed(f"{size:,} bytes", retryable=False, too_large=True)
    serialized: bytes = message.SerializeToString()
    return serialized


def _check_rejected(response: Any) -> None:
    partial = response.partial_success
    rejected = getattr(partial, "rejected_spans", 0) or getattr(partial, "rejected_data_points", 0)
    if rejected > 0:
        raise ExportFailed(f"{rejected} rejected", retryable=False, rejected=rejected)
