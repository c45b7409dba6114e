"""
One observed call: ``enter(site) -> live``, then ``live.unbind()`` and ``live.finish(error)``.

A :class:`CallSite` holds all that is constant per decorated function or block; a :class:`Live` what is one call's.
Shells for the shapes of functions are in :mod:`tta_observe._shells`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any

from tta_observe import _connections, _telemetry, semconv
from tta_observe._guard import guarded
from tta_observe._outcome import classify
from tta_observe._spans import Current, Step, inherited, tell_failure
from tta_observe.context import FRAME, POSITION, WORKFLOW, Frame, drop_ended
from tta_observe.instruments import ACTIVE_WORKFLOWS, CONNECTIONS, EXECUTION_DURATION, EXECUTIONS
from tta_observe.usage import UsageSum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._connections import Position
    from tta_observe._outcome import Outcome
    from tta_observe._telemetry import Slot
    from tta_observe._totals import Totals
    from tta_observe._values import AttributeValue
    from tta_observe.context import Bound


@dataclass(frozen=True, slots=True)
class CallSite:
    """What is constant about a primitive, an agent block or a workflow; made where it is written."""

    name: str
    type: str
    span_name: str
    attributes: Mapping[str, AttributeValue]

    @property
    def is_workflow(self) -> bool:
        """Whether a run of it is a workflow run."""
        return self.type == semconv.WORKFLOW_TYPE


def primitive_site(name: str, type_: str, action: str, attributes: Mapping[str, AttributeValue]) -> CallSite:
    """The site of a primitive; all arguments are checked and clean."""
    own = {semconv.PRIMITIVE_ACTION: action}
    return CallSite(name, type_, f"primitive.{type_}.{action}", {**attributes, **own, **_common(name, type_)})


def workflow_site(name: str) -> CallSite:
    """The site of a workflow; its span is named when it starts, after the bounded label value."""
    return CallSite(name, semconv.WORKFLOW_TYPE, "", _common(name, semconv.WORKFLOW_TYPE))


def _common(name: str, type_: str) -> dict[str, AttributeValue]:
    kind = semconv.OPENINFERENCE_KINDS.get(type_, "CHAIN")
    return {semconv.PRIMITIVE_NAME: name, semconv.PRIMITIVE_TYPE: type_, semconv.OPENINFERENCE_SPAN_KIND: kind}


class Live:
    """One observed call that is running."""

    __slots__ = ("_current", "_pid", "_site", "_slot", "_started", "_started_ns", "_step", "_visit", "_workflow")

    def __init__(self, slot: Slot, site: CallSite) -> None:
        self._slot, self._site = slot, site
        self._workflow = WORKFLOW.get()
        self._pid = os.getpid()
        self._step: Step | None = None
        outer = FRAME.get()
        anchor = _telemetry.span_anchor()
        if outer is not None and outer.primitive_type == "sequential" and not outer.is_step:
            self._step = Step(slot, site.name, outer)
            outer = FRAME.get()
        position = POSITION.get_raw()
        self._visit = _connections.enter(site.name, is_workflow=site.is_workflow, anchor=anchor)
        self._started_ns, self._started = time_ns(), perf_counter_ns()
        try:
            self._current = self._open(outer, position)
        except BaseException:  # the application's sampler or processor failed: leave its context as it was
            self._abandon()
            raise
        self._count_start()

    @property
    def span(self) -> Any:
        """The OpenTelemetry span."""
        return self._current.span

    @property
    def bound(self) -> Bound:
        """What it made current."""
        return self._current

    @guarded
    def unbind(self) -> None:
        """Make what was outside current again."""
        try:
            self._current.unbind()
        finally:
            if self._step is not None:
                self._step.unbind()

    def finish(self, error: BaseException | None) -> None:
        """End the span and record the execution; *error* is what the call raised."""
        self._finish(error)
        if self._step is not None:
            self._step.finish(error)

    @guarded
    def _finish(self, error: BaseException | None) -> None:
        duration_ns = perf_counter_ns() - self._started
        outcome = classify(error)
        try:
            _connections.leave(self._visit)
            self._count_end(outcome, duration_ns / 1e6)
            self.span.set_attributes(self._final_attributes(outcome, duration_ns / 1e6))
            tell_failure(self.span, error, outcome, self._slot.error_detail)
        finally:
            # From the monotonic clock: the wall clock may be set back while the call runs.
            self.span.end(self._started_ns + duration_ns)

    def _open(self, outer: Frame | None, position: Position | None) -> Current:
        site, is_llm = self._site, self._site.type in semconv.LLM_TYPES
        name = site.span_name or f"workflow.{self._slot.bounds.value(semconv.WORKFLOW_NAME, site.name)}.execute"
        span = self._slot.start_span(name, {**inherited(), **site.attributes}, self._started_ns, client=is_llm)
        frame = Frame(site.name, site.type, usage=UsageSum(span) if is_llm else None)
        return Current(span, frame, outer, (self._visit, position))

    def _abandon(self) -> None:
        _connections.leave(self._visit)
        if self._step is not None:
            self._step.unbind()
            self._step.finish(None)

    @guarded
    def _count_start(self) -> None:
        for source, kind, times in self._visit.edges:
            self._slot.record(CONNECTIONS, times, (source, self._site.name, kind), self._current.otel_context)
        if self._site.is_workflow:
            self._slot.record(ACTIVE_WORKFLOWS, 1, self._owner())

    def _count_end(self, outcome: Outcome, duration_ms: float) -> None:
        site, (workflow, agent), context = self._site, self._owner(), self._current.otel_context
        labels = (site.name, site.type, outcome.status, workflow)
        self._slot.record(EXECUTIONS, 1, (*labels, agent, outcome.error_type), context)
        self._slot.record(EXECUTION_DURATION, duration_ms, labels, context)
        # A forked child has inherited the block, but it was the parent that raised the gauge.
        if site.is_workflow and os.getpid() == self._pid:
            self._slot.record(ACTIVE_WORKFLOWS, -1, (workflow, agent))

    def _final_attributes(self, outcome: Outcome, duration_ms: float) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {
            semconv.EXECUTION_STATUS: outcome.status,
            semconv.EXECUTION_DURATION_MS: duration_ms,
        }
        if outcome.closed_early:
            found[semconv.EXECUTION_CLOSED_EARLY] = True
        return {**found, **self._roll_up()}

    def _roll_up(self) -> Mapping[str, AttributeValue]:
        totals: Totals | None = self._workflow.totals if self._workflow is not None else None
        if totals is None:
            return {}
        if self._site.is_workflow:
            return totals.close()
        totals.add_primitive()
        return {}

    def _owner(self) -> tuple[str | None, str | None]:
        workflow = self._workflow
        return (workflow.workflow_name, workflow.agent_type) if workflow is not None else (None, None)


@guarded
def enter(site: CallSite) -> Live | None:
    """Start observing a call of *site* in the current context; None when there is nothing to record to."""
    slot = _telemetry.current()
    drop_ended()
    return Live(slot, site) if slot is not None else None
