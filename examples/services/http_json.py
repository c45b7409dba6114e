"""
What the services share: JSON over HTTP, from the standard library, with the context of the caller in the headers.

The two lines that join processes to one trace are ``inject_context`` where a request leaves, and ``remote_context``
where it arrives.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from tta_observe import inject_context, remote_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def ask(address: str, path: str, **question: Any) -> Any:
    """
    Send *question* to ``host:port`` and return the answer.

    Raises:
        OSError: nobody answers there, or not with what was asked for.
    """
    connection = HTTPConnection(address, timeout=10)
    try:
        connection.request("POST", path, json.dumps(question), inject_context({"Content-Type": "application/json"}))
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004 - OK
        raise OSError(f"{address}{path} answered {response.status} {response.reason}")
    return json.loads(answer)


def serve(routes: Mapping[str, Callable[..., Any]]) -> None:
    """Print the address, then answer requests until the standard input ends, as it does with whoever started this."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with remote_context(self.headers):
                answer = json.dumps(routes[self.path](**question)).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: what happened is in the trace."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"127.0.0.1:{server.server_port}", flush=True)
        Thread(target=server.serve_forever, daemon=True).start()
        with suppress(KeyboardInterrupt):
            sys.stdin.read()
        server.shutdown()
