"""
An OTLP collector, over gRPC or HTTP, that fails as it is told, and forgets nothing when it is killed.

It runs in a process of its own. Each request is appended to a journal before it is answered, so what it holds can be
read back exactly, whatever became of the process. Modes:

``ok``; ``slow:SECONDS``; ``silent`` takes the request and never answers; ``err:CODE`` refuses with a gRPC status;
``lose`` keeps the request and refuses it all the same, as when the acknowledgement is lost on the way; ``black hole``
(from the start only) accepts connections and says nothing.
"""

from __future__ import annotations

import gzip
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "T",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "M",
}
_PATHS = {"/v1/traces": "T", "/v1/metrics": "M"}
_HTTP_STATUS = {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429, "DEADLINE_EXCEEDED": 504, "INVALID_ARGUMENT": 400}
_HTTP_STATUS |= {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404}
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

    def __init__(self, directory, mode="ok", protocol="grpc", port=0):
        self.journal = Path(directory) / f"journal-{id(self):x}"
        self.journal.touch()
        self.port = port
        self._protocol = protocol
        self._process = None
        self.start(mode)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, mode="ok"):
        command = [sys.executable, __file__, str(self.port), mode, str(self.journal), self._protocol]
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
def collecting(directory, mode="ok", protocol="grpc"):
    """A collector while the block runs."""
    collector = Collector(directory, mode, protocol)
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


class _Answers:
    """What becomes of a request: nothing is decoded here, so that the collector takes little of the machine."""

    def __init__(self, mode, journal):
        self.mode = mode
        self._journal = journal
        self._lock = threading.Lock()

    def refusal(self, signal, body, is_waited_for=lambda: True):
        """Keep *body*, or do not; returns the name of the gRPC status to refuse it with, None to acknowledge it."""
        kind, _, argument = self.mode.partition(":")
        if kind == "slow":
            time.sleep(float(argument))
        while self.mode == "silent" and is_waited_for():
            time.sleep(0.02)
        if kind == "err":
            return argument
        with self._lock:
            head = _HEAD.pack(signal.encode(), time.monotonic(), len(body))
            os.write(self._journal, head + body)  # one write: a kill leaves all of it or nothing
        return "UNAVAILABLE" if kind == "lose" else None


class _Grpc(grpc.GenericRpcHandler):
    def __init__(self, answers):
        self._answers = answers

    def service(self, details):
        signal = _METHODS.get(details.method)
        if signal is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self._answer(signal, body, context))

    def _answer(self, signal, body, context):
        refusal = self._answers.refusal(signal, body, context.is_active)
        if refusal is not None:
            context.abort(grpc.StatusCode[refusal], "as the check says")
        return b""


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        signal = _PATHS.get(self.path)
        refusal = "NOT_FOUND" if signal is None else self.server.answers.refusal(signal, body)
        self.send_response(200 if refusal is None else _HTTP_STATUS.get(refusal, 500))
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def _serve(port, mode, journal, protocol):
    if mode == "black hole":
        with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
            print(listener.getsockname()[1], flush=True)
            sys.stdin.read()
        return
    answers = _Answers(mode, os.open(journal, os.O_WRONLY | os.O_APPEND))
    print(_start(port, answers, protocol), flush=True)
    for line in sys.stdin:
        answers.mode = line.strip()
        print("done", flush=True)
    os._exit(0)  # whoever held our standard input is gone


def _start(port, answers, protocol):
    """Serve on threads; returns the port."""
    if protocol == "grpc":
        server = grpc.server(futures.ThreadPoolExecutor(8), [_Grpc(answers)], options=[("grpc.so_reuseport", 0)])
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        _KEPT.append(server)  # it stops when nobody holds it
        return port
    server = ThreadingHTTPServer(("127.0.0.1", port), _Http)
    server.answers = answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


_KEPT = []


if __name__ == "__main__":
    _serve(int(sys.argv[1]), *sys.argv[2:])
