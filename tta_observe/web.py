"""
Helpers for programs that serve or call over HTTP: an ASGI middleware, and hooks for httpx.

Neither imports a web library. With others, the two lines are ``with remote_context(request.headers):`` where a request
arrives and ``headers=inject_context({})`` where one leaves, e.g. for ``requests`` or a WSGI application, whose
environment will do.
"""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tta_observe import _otel_context, context
from tta_observe._arguments import switch, text
from tta_observe._guard import guarded, quietly
from tta_observe._remote import inject_context, remote_context
from tta_observe._workflow import workflow as open_workflow
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, MutableMapping
    from contextlib import AbstractContextManager

Scope: TypeAlias = "MutableMapping[str, Any]"
Message: TypeAlias = "MutableMapping[str, Any]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
ASGIApp: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

__all__ = ["TTAMiddleware", "httpx_hooks"]

_SERVED: Final = ("http", "websocket")


class TTAMiddleware:
    """
    What a request runs continues the trace of its caller: :class:`tta_observe.remote_context` for an ASGI application.

    It holds for the whole response, its streamed parts and background tasks included, for websockets too, and is
    gone after. ``app.add_middleware(TTAMiddleware)`` in Starlette and FastAPI, ``app = TTAMiddleware(app)`` elsewhere.

    Args:
        app: the application.
        workflow: a workflow to open around each request: its name, or a function of the ASGI scope that returns a name,
            or None for none. Few different ones, because it is a label: no paths with identifiers in them. A request
            whose client went away before the end counts as cancelled. Default: the application opens its own.
        trusted: whether to believe what callers tell of themselves; False where strangers can call.

    Raises:
        ConfigurationError: an option is wrong.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        workflow: str | Callable[[Scope], str | None] | None = None,
        trusted: bool = True,
    ) -> None:
        if not callable(app):
            raise ConfigurationError(f"TTAMiddleware takes an ASGI application, not {type(app).__name__}.")
        self.app = app
        self._workflow = workflow if workflow is None or callable(workflow) else text("workflow", workflow)
        self._trusted = switch("trusted", trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope.get("type") not in _SERVED:
            await self.app(scope, receive, send)
            return
        with _left_as_it_was(), self._caller(scope):
            run = self._run(scope)
            if run is None:
                await self.app(scope, receive, send)
            else:
                await _served(self.app, run, scope, receive, send)

    def _caller(self, scope: Scope) -> AbstractContextManager[object]:
        return remote_context(scope.get("headers")) if self._trusted else nullcontext()

    @guarded
    def _run(self, scope: Scope) -> open_workflow | None:
        name = quietly(self._workflow, scope) if callable(self._workflow) else self._workflow
        return open_workflow(name) if isinstance(name, str) and name.strip() else None


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """
    Put the context back at the end, whatever is still open in it.

    A block inside the generator of a response stays open when its client goes away, until the generator is collected.
    """
    ours, theirs = context.swap_in(context.capture()), _otel_context.swap_in(_otel_context.current())
    try:
        yield
    finally:
        if context.swap_out(ours):
            _otel_context.swap_out(theirs)


async def _served(app: ASGIApp, run: open_workflow, scope: Scope, receive: Receive, send: Send) -> None:
    exchange = _Exchange(receive, send)
    run.__enter__()
    try:
        await app(scope, exchange.receive, exchange.send)
    except BaseException as error:
        run.__exit__(None, CancelledError() if exchange.is_given_up else error, None)
        raise
    is_cancelled = exchange.is_given_up and scope["type"] == "http"  # a websocket ends in that way
    run.__exit__(None, CancelledError() if is_cancelled else None, None)


class _Exchange:
    """One request and its response, and whether the client waited for the end of it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_complete = self._is_gone = False

    @property
    def is_given_up(self) -> bool:
        """Whether the client went away before the response was complete."""
        return self._is_gone and not self._is_complete

    async def receive(self) -> Message:
        """Receive for the application."""
        message = await self._receive()
        self._is_gone |= quietly(_type_of, message) in {"http.disconnect", "websocket.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send for the application."""
        try:
            await self._send(message)
        except OSError:  # how servers say it since ASGI 2.4
            self._is_gone = True
            raise
        self._is_complete |= quietly(_is_last, message) is True


def _type_of(message: Message) -> object:
    return message["type"]


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def httpx_hooks() -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
    """
    Event hooks with which each request of an httpx client tells what it continues: see :func:`inject_context`.

    ``httpx.Client(event_hooks=httpx_hooks())``, and ``AsyncClient`` alike. For clients of services of one's own: the
    names of workflow, agent and primitive go to whoever is asked, redirections included.
    """
    return {"request": [_tell]}


class _Done:
    """Nothing to wait for: an asynchronous client awaits what its hooks return, the other drops it."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE: Final = _Done()


def _tell(request: Any) -> Awaitable[None]:
    inject_context(quietly(_headers_of, request))
    return _DONE


def _headers_of(request: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = request.headers
    return headers
