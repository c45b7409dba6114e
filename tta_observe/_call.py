"""
One observed call: ``enter(site) -> live``, then ``live.unbind()`` and ``live.finish(error)``.

Shells for the shapes of functions are in :mod:`tta_observe._shells`.
"""

from __future__ import annotations

import os
from functools import partial
from time import perf_counter_ns, time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tta_observe import _connections, _genai, _lost, _otel_context, _prices, _telemetry, semconv
from tta_observe._garbage import in_turn
from tta_observe._guard import guarded
from tta_observe._outcome import classify
from tta_observe._spans import Current, Step, frame_inside, take_over, tell_failure
from tta_observe.context import POSITION, current_frame, current_workflow, drop_ended
from tta_observe.instruments import ACTIVE_WORKFLOWS, CONNECTIONS, EXECUTION_DURATION, EXECUTIONS
from tta_observe.usage import UsageSum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tta_observe._connections import Position
    from tta_observe._outcome import Outcome
    from tta_observe._sites import Args, CallSite, Kwargs, Watch, Watcher
    from tta_observe._telemetry import Slot
    from tta_observe._totals import Totals
    from tta_observe._values import AttributeValue
    from tta_observe.context import Bound, Frame

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Live:
    """One observed call that is running."""

    __slots__ = (
        "_current",
        "_pid",
        "_site",
        "_started",
        "_step",
        "_visit",
        "slot",
        "started_ns",
        "usage",
        "watches",
        "workflow",
    )

    def __init__(self, slot: Slot, site: CallSite, watches: Sequence[Watch] = ()) -> None:
        self.slot, self._site, self.watches = slot, site, watches
        self.workflow = current_workflow()
        self.usage: UsageSum | None = None
        """Of an LLM call: what was used in it."""
        self._pid = os.getpid()
        self._step: Step | None = None
        outer = current_frame()
        anchor = _otel_context.span_anchor()
        if outer is None:
            _lost.look(slot, site, self.workflow, anchor)
        elif outer.primitive_type == "sequential" and not outer.is_step:
            self._step = Step(slot, site.name, outer)
            outer = current_frame()
        position = POSITION.get_raw()
        self._visit = _connections.enter(site.name, is_workflow=site.is_workflow, anchor=anchor)
        self.started_ns, self._started = time_ns(), perf_counter_ns()
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
    def otel_context(self) -> Any:
        """The OpenTelemetry context with its span, for measurements."""
        return self._current.otel_context

    @property
    def frame(self) -> Frame:
        """What the context inside was when it began."""
        return self._current.frame

    @property
    def bound(self) -> Bound:
        """What it made current."""
        return self._current

    @property
    def name(self) -> str:
        """Of its site."""
        return self._site.name

    @property
    def is_llm(self) -> bool:
        """Whether streams that it returns are followed to their end."""
        return self._site.is_llm

    @property
    def outside(self) -> Position | None:
        """Where on the service map the context was before the call."""
        return self._visit.before

    @property
    def elapsed_ms(self) -> float:
        """Since the call began."""
        return (perf_counter_ns() - self._started) / 1e6

    @guarded
    def returned(self, result: object) -> None:
        """Tell those who follow the call what it returned."""
        for watch in self.watches:
            watch.returned(self, result)

    @guarded
    def streamed(self) -> None:
        """Tell those who follow the call that it returned a stream."""
        for watch in self.watches:
            watch.streamed(self)

    @guarded
    def yielded(self, item: object) -> None:
        """Tell those who follow the call what it yielded."""
        for watch in self.watches:
            watch.yielded(self, item)

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
        if self.watches:
            self._tell_end(error)
        self._finish(error)
        if self._step is not None:
            self._step.finish(error)
        self._settle()

    @guarded
    def _settle(self) -> None:
        self._current.frame.end()

    @guarded
    def _finish(self, error: BaseException | None) -> None:
        duration_ns = perf_counter_ns() - self._started
        outcome = classify(error)
        try:
            _connections.leave(self._visit)
            self._count_end(outcome, duration_ns / 1e6)
            self.span.set_attributes(outcome.attributes(duration_ns / 1e6))
            tell_failure(self.span, error, outcome, self.slot.error_detail)
        finally:
            # From the monotonic clock: the wall clock may be set back while the call runs.
            self._end(self.started_ns + duration_ns)

    def _end(self, ended_ns: int) -> None:
        totals: Totals | None = self.workflow.totals if self.workflow is not None else None
        if self._site.is_workflow and totals is not None:
            _lost.closed(self)
            end = partial(in_turn, self._end_workflow, totals, totals.primitives, ended_ns)
            _prices.in_order(end, needs_price=False)
            return
        if totals is not None:
            totals.add_primitive()
        if self.usage is None:
            self.span.end(ended_ns)
        else:
            self.usage.ended = True
            _prices.in_order(partial(in_turn, self._end_llm, self.usage, ended_ns), needs_price=False)

    @guarded
    def _end_llm(self, usage: UsageSum, ended_ns: int) -> None:
        """End the span with what was used, when all that was recorded before has a price."""
        try:
            found = usage.close()
            asked = _genai.request_attributes({**self._known(), **found, **usage.asked})
            used = _genai.elsewhere() if usage.is_elsewhere else _genai.usage_attributes(found)
            self.span.set_attributes({**found, **asked, **used})
        finally:
            self.span.end(ended_ns)

    @guarded
    def _end_workflow(self, totals: Totals, primitives: int, ended_ns: int) -> None:
        try:
            self.span.set_attributes({**totals.close(), semconv.WORKFLOW_PRIMITIVES: primitives})
        finally:
            self.span.end(ended_ns)

    @guarded
    def _tell_end(self, error: BaseException | None) -> None:
        for watch in self.watches:
            watch.left(self, error)

    def _open(self, outer: Frame | None, position: Position | None) -> Current:
        site = self._site
        name = site.span_name or f"workflow.{self.slot.bounds.value(semconv.WORKFLOW_NAME, site.name)}.execute"
        asked = _asked(self.watches) if self.watches else _NOTHING
        server = site.is_workflow and _otel_context.is_remote()
        span = self.slot.start_span(name, self._attributes(asked), self.started_ns, client=site.is_llm, server=server)
        around = outer.around if outer is not None else None
        if site.is_llm:
            around = self.usage = UsageSum(around, asked)
        outer = take_over(outer, position)
        frame = frame_inside(outer, site.name, site.type, self.usage, around)
        return Current(span, frame, outer, self.workflow, (self._visit, position))

    def _attributes(self, asked: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        site = self._site
        found = {**self._known(), **site.attributes, **asked}
        if site.is_genai:
            found.update(_genai.context_attributes(found))
        if site.is_llm:
            found.update(_genai.request_attributes(found))
        elif self.watches:  # its content is captured: with a model's name beside it, Langfuse would count and bill it
            found.pop(semconv.LLM_MODEL_NAME, None)
        return found

    def _known(self) -> Mapping[str, AttributeValue]:
        """What every span inside the workflow carries."""
        return self.workflow.span_attributes if self.workflow is not None else _NOTHING

    def _abandon(self) -> None:
        _connections.leave(self._visit)
        if self._step is not None:
            self._step.unbind()
            self._step.finish(None)

    @guarded
    def _count_start(self) -> None:
        for source, kind, times in self._visit.edges:
            self.slot.record(CONNECTIONS, times, (source, self._site.name, kind), self._current.otel_context)
        if self._site.is_workflow:
            _lost.opened(self)
            self.slot.record(ACTIVE_WORKFLOWS, 1, self._owner())

    def _count_end(self, outcome: Outcome, duration_ms: float) -> None:
        site, (workflow, agent), context = self._site, self._owner(), self._current.otel_context
        labels = (site.name, site.type, outcome.status, workflow)
        self.slot.record(EXECUTIONS, 1, (*labels, agent, outcome.error_type), context)
        self.slot.record(EXECUTION_DURATION, duration_ms, labels, context)
        # A forked child has inherited the block, but it was the parent that raised the gauge.
        if site.is_workflow and os.getpid() == self._pid:
            self.slot.record(ACTIVE_WORKFLOWS, -1, (workflow, agent))

    def _owner(self) -> tuple[str | None, str | None]:
        workflow = self.workflow
        return (workflow.workflow_name, workflow.agent_type) if workflow is not None else (None, None)


def _asked(watches: Sequence[Watch]) -> dict[str, AttributeValue]:
    return {key: value for watch in watches for key, value in watch.attributes().items()}


@guarded
def enter(site: CallSite, args: Args = (), kwargs: Kwargs = _NOTHING) -> Live | None:
    """
    Start observing a call of *site* in the current context; None when there is nothing to record to.

    *args* and *kwargs* are those of the call, for those who follow it.
    """
    slot = _telemetry.current()
    drop_ended()
    if slot is None:
        return None
    return Live(slot, site, _watches(site, slot, args, kwargs) if site.watchers or slot.captures else ())


def _watches(site: CallSite, slot: Slot, args: Args, kwargs: Kwargs) -> list[Watch]:
    watchers = (*site.watchers, site.content) if slot.captures and site.content is not None else site.watchers
    started = (_started(watcher, slot, args, kwargs) for watcher in watchers)
    return [watch for watch in started if watch is not None]


@guarded
def _started(watcher: Watcher, slot: Slot, args: Args, kwargs: Kwargs) -> Watch | None:
    return watcher(slot, args, kwargs)
