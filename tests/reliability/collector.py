"""
An OTLP/gRPC collector that fails as it is told, and forgets nothing when it is killed.

It runs in a process of its own. Each request is appended to a journal before it is answered, so what it holds can be
read back exactly, whatever became of the process. Modes:

``ok``; ``slow:SECONDS``; ``silent`` takes the request and never answers; ``err:CODE`` refuses with a gRPC status;
``lose`` keeps the request and refuses it all the same, as when the acknowledgement is lost on the way; ``black hole``
(from the start only) accepts connections and says nothing.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "T",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "M",
}
_REQUESTS = {"T": ExportTraceServiceRequest, "M": ExportMetricsServiceRequest}
_HEAD = struct.Struct("<cdI")
"""Signal, monotonic time of arrival, length of the message that follows."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    signal: str
    arrived: float
    body: bytes

    @property
    def message(self):
        return _REQUESTS[self.signal].FromString(self.body)


class Collector:
    """A collector under remote control; *port* 0 is any that is free, and stays the same over restarts."""

    def __init__(self, directory, mode="ok", port=0):
        self.journal = Path(directory) / f"journal-{id(self):x}"
        self.journal.touch()
        self.port = port
        self._process = None
        self.start(mode)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, mode="ok"):
        command = [sys.executable, __file__, str(self.port), mode, str(self.journal)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the collector did not start on port {self.port}")
        self.port = int(said)

    def become(self, mode):
        """Answer as *mode* says from now on."""
        self._process.stdin.write(f"{mode}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def kill(self):
        """End it as the kernel would for want of memory: nothing is said to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def requests(self):
        data, at, found = self.journal.read_bytes(), 0, []
        while at + _HEAD.size <= len(data):
            signal, arrived, size = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            found.append(Request(signal.decode(), arrived, data[at : at + size]))
            at += size
        return found

    def spans(self):
        """Every span that it holds, the same one twice where it was sent twice: (resource attributes, span)."""
        return [
            (attributes_of(of_resource.resource), span)
            for request in self.requests()
            if request.signal == "T"
            for of_resource in request.message.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def span_ids(self):
        return [span.span_id for _, span in self.spans()]

    def points(self, name):
        """Every point of the metric *name*, in order of arrival: (resource attributes, labels, value or count)."""
        return [
            (attributes_of(of_resource.resource), attributes_of(point), _value(kind, point))
            for request in self.requests()
            if request.signal == "M"
            for of_resource in request.message.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
            if metric.name == name
            for kind in [metric.WhichOneof("data")]
            for point in getattr(metric, kind).data_points
        ]


def _value(kind, point):
    return point.count if kind == "histogram" else point.as_int or point.as_double


def attributes_of(holder):
    """Attributes of a resource, span or point as a dict."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in holder.attributes
    }


@contextmanager
def collecting(directory, mode="ok"):
    """A collector while the block runs."""
    collector = Collector(directory, mode)
    try:
        yield collector
    finally:
        collector.kill()


@contextmanager
def refusing():
    """An endpoint where nobody listens, and nobody can while the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class _Answers(grpc.GenericRpcHandler):
    """Both OTLP services, on bytes: nothing is decoded here, so that the collector takes little of the machine."""

    def __init__(self, mode, journal):
        self.mode = mode
        self._journal = journal
        self._lock = threading.Lock()

    def service(self, details):
        signal = _METHODS.get(details.method)
        if signal is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self._answer(signal, body, context))

    def _answer(self, signal, body, context):
        kind, _, argument = self.mode.partition(":")
        if kind == "slow":
            time.sleep(float(argument))
        while self.mode == "silent" and context.is_active():
            time.sleep(0.02)
        if kind == "err":
            context.abort(grpc.StatusCode[argument], "as the check says")
        with self._lock:
            head = _HEAD.pack(signal.encode(), time.monotonic(), len(body))
            os.write(self._journal, head + body)  # one write: a kill leaves all of it or nothing
        if kind == "lose":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
        return b""


def _serve(port, mode, journal):
    if mode == "black hole":
        with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
            print(listener.getsockname()[1], flush=True)
            sys.stdin.read()
        return
    answers = _Answers(mode, os.open(journal, os.O_WRONLY | os.O_APPEND))
    server = grpc.server(futures.ThreadPoolExecutor(8), [answers], options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(port, flush=True)
    for line in sys.stdin:
        answers.mode = line.strip()
        print("done", flush=True)
    server.stop(0)  # whoever held our standard input is gone


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
