"""``inject_context`` and ``remote_context``: one trace and one map across services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from tta_observe import _headers, _otel_context, _telemetry, semconv
from tta_observe._block import Block, OpenBlock
from tta_observe._connections import Caller, Position
from tta_observe._guard import SharedLock, guarded, warn_once
from tta_observe._owners import current_owner
from tta_observe.context import (
    FRAME,
    POSITION,
    WORKFLOW,
    Bound,
    WorkflowContext,
    current_frame,
    current_workflow,
    restore,
)

if TYPE_CHECKING:
    from tta_observe._headers import Told

H = TypeVar("H")

_MOST_NAMES: Final = 50
"""Names of each kind that callers may bring along; past it they are ``other``."""


def inject_context(headers: H) -> H:
    """
    Tell the service that is called with *headers* what it continues; returns *headers*, changed.

    It gets ``traceparent`` and ``tracestate`` of the current span (W3C Trace Context), and in ``baggage`` (W3C
    Baggage), beside what is there, ``tta.service``, ``tta.primitive``, ``tta.workflow`` and ``tta.agent``:
    percent-encoded, at most 256 bytes each. Outside any span nothing is added. Whoever gets the headers can read them.

    Args:
        headers: a mapping that can be changed, such as a dict or ``httpx.Headers``, or a list of pairs; names and
            values text or bytes. Any other object comes back as it was; the log says so at debug level. Never raises.
    """
    _inject(headers)
    return headers


@guarded
def _inject(headers: object) -> None:
    span = _otel_context.parent_here()
    if span is None:
        return
    frame, workflow = current_frame(), current_workflow() or WorkflowContext()
    primitive = frame.primitive_name if frame is not None else None
    told = _headers.Told(
        span,
        _telemetry.service_name(),
        primitive or workflow.workflow_name,
        workflow.workflow_name,
        workflow.agent_type,
    )
    _headers.put(headers, _headers.written(headers, told))


class remote_context(Block[WorkflowContext]):  # noqa: N801 - used as a function
    """
    Continue what the caller told by *headers*: its span is the parent of what runs inside; yields a context.

    A workflow opened inside is of kind SERVER. On the service map the first primitive or workflow inside gets a
    ``remote`` connection from the caller's, called ``service/primitive`` where the services differ in name. The names
    of the caller's workflow and agent count for what runs inside, until a workflow of one's own is opened.

    Whatever is malformed is ignored, which the log says at debug level; without a valid ``traceparent`` everything
    stays as it is outside. Names are only taken when they are short and printable, and never more than 50 different
    ones of a kind in a process, so that strangers cannot make series without end. A caller that is not to be believed
    at all is not asked: leave the block out, as ``TTAMiddleware(trusted=False)`` does.

    Where a span of the same trace is current already, because another library has read the headers before, that
    one stays the parent.

    Args:
        headers: a mapping, a list of pairs, or a WSGI environment; names and values text or bytes.
    """

    def __init__(self, headers: object) -> None:
        super().__init__()
        self._told = _read(headers) or _headers.Told(None)

    def open(self) -> OpenBlock[WorkflowContext]:
        """Open it in the current context. Never raises."""
        if self._told.span is None:
            return OpenBlock(current_workflow() or WorkflowContext())
        own = WorkflowContext(
            workflow_name=_NAMES.bounded(semconv.BAGGAGE_WORKFLOW, self._told.workflow),
            agent_type=_NAMES.bounded(semconv.BAGGAGE_AGENT, self._told.agent),
        )
        source = _NAMES.bounded(semconv.BAGGAGE_PRIMITIVE, _source(self._told))
        here = Position(Caller(source, current_owner(), None), ()) if source is not None else None
        return OpenBlock(own, _Arrival(own, here, _parent(self._told.span)))  # type: ignore[arg-type]


class _Arrival(Bound):
    """A caller's context that was made current, and how to undo that."""

    __slots__ = ("_value",)

    def __init__(self, value: WorkflowContext, here: Position | None, span: Any) -> None:
        self._value = value
        otel_before = _otel_context.current()
        attached = _otel_context.attach(span, (value, None, here)) if span is not None else (None, None)
        before = WORKFLOW.get_raw(), FRAME.get_raw(), POSITION.get_raw()
        tokens = WORKFLOW.set(value), FRAME.set(None), POSITION.set(here)
        super().__init__((tokens, before, *attached, otel_before))

    @property
    def bound(self) -> Bound:
        """Itself."""
        return self

    def put_back(self, undo: tuple[Any, ...], *, late: bool) -> None:
        """Make current again what was outside."""
        (workflow, *tokens), (workflow_before, *before), made, attached, otel_before = undo
        is_ours = WORKFLOW.get_raw() is self._value
        same = restore(WORKFLOW, workflow, self._value, workflow_before)
        for variable, token, value in zip((FRAME, POSITION), tokens, before, strict=True):
            if same:
                variable.reset(token)
            elif is_ours:
                variable.set(value)
        _otel_context.detach(made, attached, otel_before, same_context=same)

    def finish(self, error: BaseException | None) -> None:
        """Nothing to record."""


class _Names(SharedLock):
    """The names that callers brought along in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, set[str]] = {}

    def bounded(self, kind: str, name: str | None) -> str | None:
        """*name*, or ``other`` when callers have brought their share of different ones."""
        if name is None:
            return None
        with self.lock:
            known = self.known.setdefault(kind, set())
            if name in known or len(known) < _MOST_NAMES:
                known.add(name)
                return name
        warn_once(
            f"remote:{kind}",
            "callers have told more than %d different names as %s in their baggage: further ones are counted as "
            "'other'. If strangers can call this service, do not take their word: leave remote_context out there, or "
            "write TTAMiddleware(app, trusted=False).",
            _MOST_NAMES,
            kind,
        )
        return semconv.OTHER


_NAMES: Final = _Names()


@guarded
def _read(headers: object) -> Told:
    return _headers.read(headers)


def _source(told: Told) -> str | None:
    if told.primitive is None or told.service is None or told.service == _telemetry.service_name():
        return told.primitive
    return f"{told.service}/{told.primitive}"


def _parent(told: _otel_context.Parent) -> Any:
    """The caller's span; the current one where it continues that already. None without OpenTelemetry."""
    here = _otel_context.span_context()
    is_continued = FRAME.get_raw() is None and here is not None and not here.is_remote
    if is_continued and here.trace_id == told[0] and here.span_id != told[1]:
        return _otel_context.whole_span()
    return _otel_context.continued(told, is_remote=True)
