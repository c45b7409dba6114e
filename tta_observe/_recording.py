"""For code that measures by itself: an execution or a connection on the metrics alone."""

from __future__ import annotations

from tta_observe import _arguments, _telemetry, semconv
from tta_observe._guard import guarded
from tta_observe._values import clean_label
from tta_observe.context import current_workflow
from tta_observe.instruments import CONNECTIONS, EXECUTION_DURATION, EXECUTIONS


def record_execution(
    name: str, type: str, duration_ms: float, status: str, agent_type: str | None = None, error_type: str | None = None
) -> None:
    """
    Count one execution of *name* that took *duration_ms* milliseconds; no span.

    Args:
        name: which primitive.
        type: what kind of step, an identifier.
        duration_ms: how long it took, in milliseconds; a value that is no duration is left out, the execution counts.
        status: ``success``, ``error`` or ``cancelled``.
        agent_type: default: that of the context.
        error_type: class of the failure; only with ``error``.

    Raises:
        ConfigurationError: *name* is empty, *type* is no identifier or *status* none of the three.
    """
    labels = (
        _arguments.text("name", name),
        _arguments.identifier("type", type),
        _arguments.one_of("status", status, semconv.STATUSES),
    )
    _record_execution(labels, duration_ms, clean_label(agent_type), clean_label(error_type))


def record_connection(source: str, target: str, connection_type: str = semconv.SEQUENTIAL) -> None:
    """
    Count that *target* ran after, or inside, *source*.

    Raises:
        ConfigurationError: a name is empty, or *connection_type* is not one of
            :data:`tta_observe.semconv.CONNECTION_TYPES`.
    """
    kind = _arguments.one_of("connection_type", connection_type, semconv.CONNECTION_TYPES)
    _record_connection(_arguments.text("source", source), _arguments.text("target", target), kind)


@guarded
def _record_execution(labels: tuple[str, str, str], duration_ms: float, agent: str | None, error: str | None) -> None:
    slot = _telemetry.current()
    if slot is None:
        return
    workflow = current_workflow()
    name = workflow.workflow_name if workflow is not None else None
    agent = agent or (workflow.agent_type if workflow is not None else None)
    error = error if labels[2] == semconv.ERROR else None
    slot.record(EXECUTIONS, 1, (*labels, name, agent, error))
    slot.record(EXECUTION_DURATION, duration_ms, (*labels, name))


@guarded
def _record_connection(source: str, target: str, kind: str) -> None:
    slot = _telemetry.current()
    if slot is not None:
        slot.record(CONNECTIONS, 1, (source, target, kind))
