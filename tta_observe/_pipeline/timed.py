"""
urllib3's connections, with a deadline for the whole answer, and a way to hang up from another thread.

A timeout of urllib3 begins anew with each byte that comes in: a receiver that drips could hold a request for hours.
"""

from __future__ import annotations

import http.client
import io
import socket
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any, Final, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Reader(io.RawIOBase):
    """What comes in on a socket until the time is up that the socket had when this was made."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw, self._sock = raw, sock
        timeout_s = sock.gettimeout()
        self._deadline = inf if timeout_s is None else monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s if left_s < inf else None)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is read until a deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(cast("Any", self.fp).detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class TimedPool(HTTPConnectionPool):
    """The connections to one receiver: one at a time."""

    ConnectionCls: Any = _Connection
    _busy: Any = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        self._busy = super()._get_conn(timeout)
        return self._busy

    def hang_up(self) -> None:
        """End what is being sent or waited for; safe in any thread."""
        sock = getattr(self._busy, "sock", None)
        if sock is not None:
            with suppress(OSError):  # the other side did
                sock.shutdown(socket.SHUT_RDWR)


class _SecurePool(HTTPSConnectionPool, TimedPool):
    ConnectionCls = _SecureConnection


POOLS: Final = {"http": TimedPool, "https": _SecurePool}
