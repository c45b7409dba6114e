"""Asks an ASGI application as a server does: in a task with a context of its own."""

from __future__ import annotations

import asyncio
import contextvars


async def request(app, path, headers, *, leave_after=None):
    """GET *path*: status and body. *leave_after*: the client is gone after so many pieces of the body."""
    asked = Exchange(leave_after)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    task = asyncio.get_running_loop().create_task(app(scope, asked.receive, asked.send), context=contextvars.Context())
    await task
    return asked.status, asked.pieces


class Exchange:
    """One request and what was answered."""

    def __init__(self, leave_after):
        self.status = None
        self.pieces = []
        self._leave_after = leave_after
        self._asked = False
        self._gone = asyncio.Event()

    async def receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body"):
            self.pieces.append(message["body"])
            if len(self.pieces) == self._leave_after:
                self._gone.set()
