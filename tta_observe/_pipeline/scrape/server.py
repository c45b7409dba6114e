"""An HTTP server for one page: the only code of the endpoint that sees a socket."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tta_observe._guard import swallow
from tta_observe._pipeline.intake import suppress_instrumentation

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/metrics"

MOST_CONNECTIONS: Final = 32
"""At once; past it the oldest is hung up on, so that connections that do nothing cannot keep a scrape out."""

_LOOK_UP_S: Final = 0.01
"""What a host that configures waits for a name: those of its own files are known in less, and DNS may take minutes."""


class Page(NamedTuple):
    """What is answered, and what is called once it was written."""

    content_type: str
    body: bytes
    arrived: Callable[[], None]


class Server(ThreadingTCPServer):
    """
    Listens; each request has a thread of its own, which ends with the process.

    A name that has to be looked up is looked up by the thread that serves: whoever configures does not wait for DNS.

    Raises:
        OSError: nobody can listen there; of a name, :attr:`failed` is told instead.
    """

    allow_reuse_address = os.name != "nt"  # there it would let two processes listen on one port
    allow_reuse_port = False  # processes would answer in turn, each with counters of its own
    daemon_threads = True
    request_queue_size = 128  # past it connecting takes a second

    def __init__(self, host: str, port: int, scrape: Callable[[str], Page | None]) -> None:
        self.scrape = scrape
        self.failed: Callable[[Exception], None] | None = None
        self._open: OrderedDict[socket.socket, None] = OrderedDict()
        self._named = None if host == "localhost" or _is_address(host) else (host, port)
        self._is_serving = self._is_stopped = False
        self._is_known = threading.Event()
        self._state = threading.Lock()
        if self._named is None:
            self.address_family, address = _resolved(host, port)
            super().__init__(address, _Handler)
        else:
            super().__init__(self._named, _Handler, bind_and_activate=False)
            self.server_address = self._named
        self._thread = threading.Thread(target=self._serve, name="tta-observe-prometheus", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is; the port is the real one."""
        host, port = self.server_address[:2]
        host = cast("str", host)
        return f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}"

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()
        self._is_known.wait(_LOOK_UP_S)

    def stop(self) -> None:
        """Stop to listen, and hang up on everybody."""
        for waiting in (self.socket, *self._open):  # wakes the threads that wait for them
            _hang_up(waiting)
        with self._state:
            self._is_stopped = True
        if self._is_serving and self._thread.is_alive():
            self.shutdown()
        self.server_close()

    def _serve(self) -> None:
        found = self._named is None or self._bound(*self._named)
        self._is_known.set()
        if not found:
            return
        with self._state:
            self._is_serving = not self._is_stopped
        if self._is_serving:
            self.serve_forever()
        else:
            self.server_close()

    def _bound(self, host: str, port: int) -> bool:
        try:
            self.address_family, self.server_address = _resolved(host, port)
            self.socket.close()
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self.server_activate()
        except (OSError, ValueError) as error:  # names that cannot be looked up raise either
            self.server_close()
            if self.failed is not None:
                self.failed(error)
            return False
        return True

    def abandon(self) -> None:
        """Close our copies in a process that was forked; to shut a connection down would do so for the parent."""
        self.socket.close()
        for connection in self._open:
            os.close(connection.detach())

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection, for which the oldest may have to go."""
        connection, address = super().get_request()
        self._open[connection] = None
        if len(self._open) > MOST_CONNECTIONS:
            _hang_up(self._open.popitem(last=False)[0])
        return connection, address

    def close_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.pop(request, None)
        super().close_request(request)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer, in the thread of the request."""
        suppress_instrumentation()
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who went away, and of the rest what is said of any failure of ours."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, OSError):
            swallow("Server.finish_request", error)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 10.0  # seconds for each line that is read, and for the whole page to be written
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s. %(explain)s\n"

    def do_GET(self) -> None:
        if not self._found():
            return
        page = self.server.scrape(self.headers.get("Accept", ""))
        if page is None:
            self.send_error(500, explain="The metrics could not be collected; the log of the program says why.")
            return
        self._begin(page.content_type, len(page.body))
        self.wfile.write(page.body)
        page.arrived()

    def do_HEAD(self) -> None:
        if self._found():
            self._begin("text/plain; charset=utf-8")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        super().send_error(code, message, explain or f"The metrics are here: GET {PATH}")

    def version_string(self) -> str:
        return "tta_observe"

    def log_message(self, format: str, *args: Any) -> None:
        """Standard error belongs to the program."""

    def _found(self) -> bool:
        found = self.path.partition("?")[0] == PATH
        if not found:
            self.send_error(404)
        return found

    def _begin(self, content_type: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side did
        connection.shutdown(socket.SHUT_RDWR)


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name may stand for both, as localhost does: those who write 127.0.0.1 are more.
    best = min(found, key=lambda info: info[0] != socket.AF_INET)
    return best[0], best[4]
