"""An OTLP receiver over HTTP for the tests, which decodes with ``opentelemetry-proto``."""

from __future__ import annotations

import gzip
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from receiver import Received, spans_of

REQUESTS = {"traces": trace_pb2.ExportTraceServiceRequest, "metrics": metrics_pb2.ExportMetricsServiceRequest}
RESPONSES = {"traces": trace_pb2.ExportTraceServiceResponse, "metrics": metrics_pb2.ExportMetricsServiceResponse}


class HttpReceiver(ThreadingHTTPServer):
    """
    Answers as *mode* says, which may be changed while it runs.

    ``ok``; ``status:CODE`` refuses, with *more* as headers; ``partial:N``; ``at most:N`` takes N bytes and refuses
    more with 413; ``hang up`` closes each connection without saying so; ``drip`` sends its answer a byte at a time;
    ``silent`` never answers.
    """

    daemon_threads = True

    def __init__(self, mode="ok", context=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.mode = mode
        self.more = {}
        self.requests = []
        self.paths = []
        self.connections = 0
        self.sizes = []
        self.ended = threading.Event()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, signal):
        return [request for request in self.requests if request.signal == signal]

    def span_names(self):
        return [span.name for request in self.of("traces") for _, _, span in spans_of(request.message)]

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        """Tests hang up on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        kind, _, argument = self.server.mode.partition(":")
        self.server.paths.append(self.path)
        self.server.sizes.append(len(body))
        if kind == "silent":
            self.server.ended.wait(10)
        elif kind == "drip":
            self._drip()
        elif kind == "status" or (kind == "at most" and len(body) > int(argument)):
            self._answer(int(argument) if kind == "status" else 413, b"no", self.server.more)
        else:
            self._take(body, int(argument) if kind == "partial" else 0)
        self.close_connection = self.close_connection or kind == "hang up"

    def do_GET(self):
        """Other products' clients ask whether they are known."""
        self._answer(200, b'{"project_name": "local", "project_url": ""}', {"content-type": "application/json"})

    def _take(self, body, rejected):
        plain = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
        if "logs" in self.path or self.headers["content-type"] != "application/x-protobuf":
            self._answer(200, b"{}", {"content-type": "application/json"})  # other products' clients send more
            return
        signal = "metrics" if "metrics" in self.path else "traces"
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.requests.append(Received(signal, headers, REQUESTS[signal].FromString(plain)))
        response = RESPONSES[signal]()
        if rejected:
            setattr(response.partial_success, f"rejected_{'spans' if signal == 'traces' else 'data_points'}", rejected)
        self._answer(200, response.SerializeToString(), {"content-type": "application/x-protobuf"})

    def _answer(self, code, body, headers):
        self.send_response(code)
        for key, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self):
        with suppress(OSError):
            while not self.server.ended.is_set():
                self.wfile.write(b"H")
                time.sleep(0.05)

    def log_message(self, *args):
        """Standard error belongs to the tests."""


@contextmanager
def receiving_http(mode="ok", context=None):
    """A receiver while the block runs."""
    receiver = HttpReceiver(mode, context)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        receiver.shutdown()
        receiver.server_close()
