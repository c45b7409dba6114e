"""
The current span, and the OpenTelemetry Context that holds it; harmless where OpenTelemetry is not installed.

A copy of our own values travels inside, for a thread that was handed that Context alone.
"""

from __future__ import annotations

from typing import Any, TypeAlias

try:
    from opentelemetry import context as _context
    from opentelemetry import trace
    from opentelemetry.context.context import Context
except ImportError:  # the host application runs exactly as before, without telemetry
    INSTALLED = False
else:
    INSTALLED = True
    # What makes a span current is a key of which OpenTelemetry tells the value alone.
    _SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())), "")
    _CARRIED_KEY = _context.create_key("tta_observe")


Parent: TypeAlias = tuple[int, int, int, tuple[tuple[str, str], ...]]
"""Trace and span identifier, flags and trace state of W3C Trace Context."""


def attach(span: Any, carried: object) -> tuple[Any, Any]:
    """
    Make *span* current, with *carried* beside it; returns the new Context and the token that undoes it.

    To be called only where a slot was found, so that OpenTelemetry is there.
    """
    # The same as set_span_in_context() and set_value(), in half of their time: all that a call can spare.
    made = Context({**_context.get_current(), _SPAN_KEY: span, _CARRIED_KEY: carried})
    return made, _context.attach(made)


def carry(carried: object) -> tuple[Any, Any]:
    """Have *carried* travel with the current span; the same as :func:`attach`."""
    if not INSTALLED:
        return None, None
    made = _context.set_value(_CARRIED_KEY, carried)
    return made, _context.attach(made)


def carried() -> Any:
    """What travels with the current span, as it was given to :func:`attach` or :func:`carry`; else None."""
    return _context.get_current().get(_CARRIED_KEY) if INSTALLED else None


def detach(made: Any, token: Any, before: Any, *, same_context: bool) -> None:
    """
    Undo :func:`attach` or :func:`carry`.

    From another context the token is of no use and OpenTelemetry would log an error: put *before* back
    where *made* is still current, and leave everything else alone.
    """
    if made is None:
        return
    if same_context:
        _context.detach(token)
    elif _context.get_current() is made:
        _context.attach(before)


def current() -> Any:
    """The current Context, or None without OpenTelemetry."""
    return _context.get_current() if INSTALLED else None


def swap_in(wanted: Any) -> Any:
    """Make *wanted* the current Context, for generator shells; returns the token that undoes it."""
    return _context.attach(wanted) if INSTALLED else None


def swap_out(token: Any) -> None:
    """Undo :func:`swap_in`, in the context in which it was called."""
    if INSTALLED:
        _context.detach(token)


def current_span() -> Any:
    """The current span when it takes attributes, else None."""
    span = trace.get_current_span() if INSTALLED else None
    return span if span is not None and span.is_recording() else None


def span_context() -> Any:
    """Identifiers and flags of the current span, recorded or not; None without one."""
    found = trace.get_current_span().get_span_context() if INSTALLED else None
    return found if found is not None and found.is_valid else None


def whole_span() -> Any:
    """The current span, recorded or not; None without OpenTelemetry."""
    return trace.get_current_span() if INSTALLED else None


def continued(parent: Parent, *, is_remote: bool) -> Any:
    """The span that *parent* tells of, which somebody else records; None without OpenTelemetry."""
    if not INSTALLED:
        return None
    trace_id, span_id, flags, state = parent
    found = trace.SpanContext(trace_id, span_id, is_remote, trace.TraceFlags(flags), trace.TraceState(list(state)))
    return trace.NonRecordingSpan(found)


def parent_here() -> Parent | None:
    """The current span as it can be told to others; None without one."""
    found = span_context()
    if found is None:
        return None
    return found.trace_id, found.span_id, int(found.trace_flags), tuple(found.trace_state.items())


def is_remote() -> bool:
    """Whether the current span is another service's."""
    found = span_context()
    return found is not None and found.is_remote is True


def span_anchor() -> int:
    """Identifier of the current span, 0 without one. Only where a slot was found."""
    return trace.get_current_span().get_span_context().span_id


def mark_failed(span: Any, description: str | None) -> None:
    """Set the status of *span* to ERROR."""
    span.set_status(trace.Status(trace.StatusCode.ERROR, description))
