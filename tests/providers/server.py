"""A server on this machine that gives documented answers, in the format of the wire, to a provider's own client."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/json"


def server_sent(events):
    """Server-sent events, named where they have a type, and the closing mark of OpenAI's protocol."""
    for event in events:
        name = f"event: {event['type']}\n" if isinstance(event.get("type"), str) else ""
        yield f"{name}data: {json.dumps(event)}\n\n".encode()
    if "choices" in events[0]:
        yield b"data: [DONE]\n\n"


def lines(events):
    """One JSON document a line, as Ollama streams."""
    return (json.dumps(event).encode() + b"\n" for event in events)


def amazon_events(events):
    """
    Amazon's binary event stream, one message for an event ``{name: payload}``.

    https://smithy.io/2.0/aws/amazon-eventstream.html, read 2026-11-22: prelude with its checksum, headers, payload,
    checksum of all.
    """
    for event in events:
        ((name, payload),) = event.items()
        failed = name.endswith("Exception")
        kind = {":message-type": "exception", ":exception-type": name}
        kind = kind if failed else {":message-type": "event", ":event-type": name}
        headers = b"".join(_header(*pair) for pair in {**kind, ":content-type": JSON}.items())
        body = json.dumps(payload).encode()
        prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
        message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
        yield message + struct.pack("!I", zlib.crc32(message))


def _header(name, value):
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()


FORMATS = {
    "text/event-stream": server_sent,
    "application/x-ndjson": lines,
    "application/vnd.amazon.eventstream": amazon_events,
}


class AnswerServer(ThreadingHTTPServer):
    """Gives *document* as the answer to every request, a stream in the format of content type *stream*."""

    daemon_threads = True

    def __init__(self, stream):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stream = stream
        self.document = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that closes a stream early hangs up on purpose."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"] or 0))
        document = self.server.document
        kind = self.server.stream if document.streamed else JSON
        parts = FORMATS[kind](document.events) if document.streamed else [json.dumps(document.body).encode()]
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()

    def date_time_string(self, timestamp=None):
        """One for all answers: clients keep the headers, and tests compare what they keep."""
        return "Sun, 22 Nov 2026 12:00:00 GMT"

    def log_message(self, format, *arguments):
        """Nothing to say."""


@contextmanager
def answer_server(stream="text/event-stream"):
    """A running server; :attr:`AnswerServer.document` is to be set before it is asked."""
    server = AnswerServer(stream)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
