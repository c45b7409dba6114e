"""The same with a filter that lets all of our spans pass, as the doctor proposes it."""

from __future__ import annotations

from langfuse.span_filter import is_default_export_span
from providers.langfuse import peer
from providers.langfuse.peer import end, span

__all__ = ["end", "set_up", "span"]


def set_up():
    peer.set_up(should_export_span=lambda span: _is_ours(span) or is_default_export_span(span))


def _is_ours(span):
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == "tta_observe"
