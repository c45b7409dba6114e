"""
An OTLP/gRPC receiver for the tests, which decodes with ``opentelemetry-proto``: in this process, or as a program.

``python receiver.py PORT MODE`` prints ``ready``, then one line of JSON for each request.
Modes: ``ok``; ``blackhole`` accepts connections and never answers; ``slow:SECONDS``; ``err:CODE`` refuses with a gRPC
status; ``busy:SECONDS`` refuses and says when to come again; ``partial:N`` takes the request and says that N of its
spans or points were rejected.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc


@dataclass(frozen=True)
class Received:
    """One request: what was in it, and what came with it."""

    signal: str
    headers: dict
    message: object


@dataclass(frozen=True)
class Point:
    """One point of a metric, with all that was said about it."""

    labels: dict
    started_ns: int
    time_ns: int
    value: float
    resource: dict
    scope: str
    request: int


class Receiver:
    """Answers as *mode* says, which may be changed while it runs."""

    def __init__(self, mode="ok", port=0, credentials=None, tell=None):
        self.mode = mode
        self.requests = []
        self.refused = 0
        self._tell = tell
        options = [("grpc.so_reuseport", 0)]
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
        trace_grpc.add_TraceServiceServicer_to_server(
            _Service(self, "traces", trace_pb2.ExportTraceServiceResponse), self._server
        )
        metrics_grpc.add_MetricsServiceServicer_to_server(
            _Service(self, "metrics", metrics_pb2.ExportMetricsServiceResponse), self._server
        )
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        self._server.start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self._server.stop(0).wait()

    def wait(self):
        self._server.wait_for_termination()

    def take(self, request):
        self.requests.append(request)
        if self._tell is not None:
            self._tell(request)

    def of(self, signal):
        return [request for request in self.requests if request.signal == signal]

    def spans(self):
        """Every span received: (resource attributes, scope name, span)."""
        return [found for request in self.of("traces") for found in spans_of(request.message)]

    def span_names(self):
        return [span.name for _, _, span in self.spans()]

    def metrics(self):
        """Every metric received: (number of the request, resource attributes, scope name, metric)."""
        return [
            (number, attributes_of(of_resource.resource), of_scope.scope.name, metric)
            for number, request in enumerate(self.of("metrics"))
            for of_resource in request.message.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        ]

    def points(self, name):
        """Every point of the metric *name*, in order of arrival; of a histogram the value is its count."""
        return [
            Point(
                {pair.key: pair.value.string_value for pair in point.attributes},
                point.start_time_unix_nano,
                point.time_unix_nano,
                point.count if kind == "histogram" else point.as_int or point.as_double,
                resource,
                scope,
                number,
            )
            for number, resource, scope, metric in self.metrics()
            if metric.name == name
            for kind in [metric.WhichOneof("data")]
            for point in getattr(metric, kind).data_points
        ]


class _Service:
    def __init__(self, receiver, signal, response):
        self._receiver = receiver
        self._signal = signal
        self._response = response

    def Export(self, message, context):  # noqa: N802 - the name in the protocol
        kind, _, argument = self._receiver.mode.partition(":")
        if kind == "slow":
            time.sleep(float(argument))
        if kind == "err":
            self._receiver.refused += 1
            context.abort(grpc.StatusCode[argument], "as the test says")
        if kind == "busy":
            self._receiver.refused += 1
            delay = Duration(nanos=int(float(argument) * 1e9 % 1e9), seconds=int(float(argument)))
            status = Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
            status.details.add().Pack(RetryInfo(retry_delay=delay))
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
        headers = dict(context.invocation_metadata())
        self._receiver.take(Received(self._signal, headers, message))
        response = self._response()
        if kind == "partial":
            which = "rejected_spans" if self._signal == "traces" else "rejected_data_points"
            setattr(response.partial_success, which, int(argument))
        return response


def spans_of(message):
    return [
        (attributes_of(of_resource.resource), of_scope.scope.name, span)
        for of_resource in message.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def attributes_of(holder):
    """Attributes of a resource, span or point as a dict."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in holder.attributes}


@contextmanager
def receiving(mode="ok", port=0, credentials=None):
    """A receiver while the block runs."""
    receiver = Receiver(mode, port, credentials)
    try:
        yield receiver
    finally:
        receiver.stop()


@contextmanager
def counted(receiver):
    """A way to *receiver* that counts the bytes sent to it: yields the endpoint and a list of sizes."""
    sizes = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_forward_all, args=(listener, receiver.port, sizes), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sizes


def _forward_all(listener, port, sizes):
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", port))
            except OSError:
                near.close()
                continue
            threading.Thread(target=_forward, args=(near, far, sizes), daemon=True).start()
            threading.Thread(target=_forward, args=(far, near, []), daemon=True).start()


def _forward(source, target, sizes):
    with suppress(OSError), source, target:
        while data := source.recv(65536):
            sizes.append(len(data))
            target.sendall(data)


@contextmanager
def black_hole():
    """An endpoint that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def refusing():
    """An endpoint where nobody listens, and nobody can while the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def _say(request):
    names = [span.name for _, _, span in spans_of(request.message)] if request.signal == "traces" else []
    print(json.dumps({"signal": request.signal, "spans": names}), flush=True)


def main(port, mode):
    if mode == "blackhole":
        with socket.create_server(("127.0.0.1", int(port)), backlog=64):
            print("ready", flush=True)
            sys.stdin.read()
        return
    receiver = Receiver(mode, int(port), tell=_say)
    print("ready", flush=True)
    receiver.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
