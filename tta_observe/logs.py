"""Log records that say to which span, workflow and agent they belong: for ``logging`` and for structlog."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from tta_observe import _otel_context, semconv
from tta_observe._guard import quietly
from tta_observe.context import current_workflow

if TYPE_CHECKING:
    from collections.abc import MutableMapping

TRACE_ID: Final = "trace_id"
"""32 hexadecimal digits. The name that OpenTelemetry's guide for logs outside OTLP asks for."""

SPAN_ID: Final = "span_id"
"""16 hexadecimal digits; see :data:`TRACE_ID`."""

DEFAULTS: Final = dict.fromkeys((TRACE_ID, SPAN_ID, semconv.WORKFLOW_NAME, semconv.AGENT_ID), "-")
"""For a formatter that names them: outside any span a record has none of them."""


class ContextFilter(logging.Filter):
    """
    Gives records made inside a span ``trace_id``, ``span_id``, ``workflow.name`` and ``agent.id``.

    Put it on a handler, so that it sees the records of every logger; with a queue, on the handler that fills it,
    because who empties it is another thread::

        handler.addFilter(ContextFilter())
        handler.setFormatter(logging.Formatter("%(trace_id)s %(workflow.name)s %(message)s", defaults=DEFAULTS))

    No record is dropped or changed otherwise; what a record has already stays. Outside any span nothing is added.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add to *record* what is known; always True."""
        found = quietly(_known)
        if found:
            record.__dict__.update({**found, **record.__dict__})
        return True


def add_context(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """
    A processor for structlog: the same as :class:`ContextFilter` does, for event dictionaries.

    ``structlog.configure(processors=[add_context, ...])``
    """
    found = quietly(_known)
    for key, value in (found or {}).items():
        event_dict.setdefault(key, value)
    return event_dict


def _known() -> dict[str, str] | None:
    span = _otel_context.span_context()
    if span is None:
        return None
    found = {TRACE_ID: f"{span.trace_id:032x}", SPAN_ID: f"{span.span_id:016x}"}
    workflow = current_workflow()
    if workflow is not None:
        named = {semconv.WORKFLOW_NAME: workflow.workflow_name, semconv.AGENT_ID: workflow.agent_id}
        found.update({key: value for key, value in named.items() if value is not None})
    return found
