"""
Spans that are made current, and the steps that are nothing else.

What a block yields is here too: the span, safe to use whatever is passed in.
"""

from __future__ import annotations

import os
import threading
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from tta_observe import _otel_context, _telemetry, semconv
from tta_observe._guard import guarded
from tta_observe._outcome import classify, exception_event, message_of
from tta_observe._owners import current_owner
from tta_observe._savings import Spent, spent_inside
from tta_observe._values import clean, clean_attributes, clean_pairs
from tta_observe.context import (
    FRAME,
    POSITION,
    Bound,
    Frame,
    carried_position,
    current_frame,
    current_workflow,
    restore,
    spend_in,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._connections import Position, Visit
    from tta_observe._outcome import Outcome
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue
    from tta_observe.context import Carried, WorkflowContext
    from tta_observe.usage import UsageSum

_MOST_STEPS: Final = 99
"""Above it the span is called ``step_n``, so that the number of span names stays small."""

_LOCK: Final = type(threading.Lock())


_MOST_LEFT: Final = 8
"""Of the latest misses so many are asked: levels of caches, one behind the other."""


class Current(Bound):
    """A span and its frame, made current together, and how to undo that."""

    __slots__ = ("_frame", "otel_context", "span")

    def __init__(
        self,
        span: Any,
        frame: Frame,
        outer: Frame | None,
        workflow: WorkflowContext | None,
        came_from: tuple[Visit, Position | None] | None = None,
    ) -> None:
        self.span, self._frame = span, frame
        before = _otel_context.current()
        carried: Carried = workflow, frame, POSITION.get_raw() or carried_position()
        self.otel_context, attached = _otel_context.attach(span, carried)
        super().__init__((FRAME.set(frame), outer, attached, before, came_from))

    @property
    def frame(self) -> Frame:
        """As it was opened."""
        return self._frame

    def put_back(self, undo: tuple[Any, ...], *, late: bool) -> None:
        """Make the outer span and frame current again, where ours still are."""
        token, outer, attached, before, came_from = undo
        same = restore(FRAME, token, self._frame, outer)
        _otel_context.detach(self.otel_context, attached, before, same_context=same)
        if late and came_from is not None:
            visit, position = came_from
            here = POSITION.get_raw()
            if here is not None and here.strand is visit:  # it was left in another context than this one
                POSITION.set(position)


class Step:
    """A running step: a span only, no execution and no node."""

    __slots__ = ("_current", "_detail")

    def __init__(self, slot: Slot, name: str, outer: Frame | None) -> None:
        index = next(outer.steps) if outer is not None else 0
        span = slot.start_span(
            f"primitive.sequential.step_{index if index <= _MOST_STEPS else 'n'}",
            {**inherited(), **_step_attributes(index, name)},
            time_ns(),
            client=False,
        )
        frame = Frame(None, None, is_step=True) if outer is None else outer.step()
        self._current = Current(span, frame, outer, current_workflow())
        self._detail = slot.error_detail

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
        """Make what was outside current again. What a cache missed in the step, the rest of the block pays for."""
        inside = FRAME.get()
        self._current.unbind()
        outside = FRAME.get()
        if inside is not None and outside is not None and inside.misses is outside.misses:
            spend_in(inside.spent)

    @guarded
    def finish(self, error: BaseException | None) -> None:
        """End the span."""
        try:
            tell_failure(self.span, error, classify(error), self._detail)
        finally:
            self.span.end()


def frame_inside(outer: Frame | None, name: str, type_: str, usage: UsageSum | None, around: UsageSum | None) -> Frame:
    """The frame of a primitive or workflow inside *outer*; a cache primitive counts what is spent in it."""
    misses, spent = (outer.misses, outer.spent) if outer is not None else (None, ())
    lookup = Spent(outside=misses) if type_ == semconv.CACHE else None
    return Frame(name, type_, usage=usage, around=around, lookup=lookup, spent=spent_inside(spent, lookup))


def take_over(frame: Frame | None, position: Position | None) -> Frame | None:
    """
    *frame*, with the misses whose lookups were made for it in tasks or threads of their own.

    ``asyncio.wait_for`` starts a task for each on Python 3.11, and ``to_thread`` says what it does. They are done, have
    spent nothing, and what misses own is being spent by whoever opened the block.
    """
    if frame is None or not frame.misses or position is None:
        return frame
    owner = current_owner()
    left = [rest for rest in list(frame.misses)[-_MOST_LEFT:] if rest.is_left_to(owner)]
    if not left or position.strand.owner is not owner:
        return frame
    latest = {tuple(rest.misses): rest for rest in left}
    for ended in [rest for rest in frame.spent if rest.owner is owner and tuple(rest.misses) in latest]:
        if (settle := frame.misses.get(ended)) is not None:
            settle(ended)
    for rest in latest.values():
        rest.owner = owner
    spend_in((*[spent for spent in frame.spent if spent.open], *latest.values()))
    here: Frame | None = FRAME.get()
    return here


@guarded
def enter_step(name: str) -> Step | None:
    """Start a step in the current context; None when there is nothing to record to."""
    slot = _telemetry.current()
    return Step(slot, name, current_frame()) if slot is not None else None


def tell_failure(span: Any, error: BaseException | None, outcome: Outcome, detail: str) -> None:
    """Put a failure on *span*: status, ``error.*`` and the exception event, as far as *detail* allows."""
    if error is None or outcome.error_type is None or not span.is_recording():
        return
    message = message_of(error, detail)
    _otel_context.mark_failed(span, message)
    span.set_attribute(semconv.ERROR_TYPE, outcome.error_type)
    if message is not None:
        span.set_attribute(semconv.ERROR_MESSAGE, message)
    span.add_event(semconv.EXCEPTION_EVENT, exception_event(error, outcome.error_type, message, detail))


class SpanHandle:
    """
    What a block yields: the span, safe to use whatever is passed in, and harmless without telemetry.

    Values of any type are taken; they are cleaned as all that leaves the process.
    """

    __slots__ = ("_span",)

    def __init__(self, span: Any = None) -> None:
        self._span = span

    @guarded
    def set_attribute(self, key: str, value: object) -> None:
        """Set one attribute of the span."""
        if self._span is not None:
            self._span.set_attributes(clean_pairs([(key, value)]))

    @guarded
    def set_attributes(self, attributes: Mapping[str, object]) -> None:
        """Set attributes of the span; those whose value is None are left out."""
        if self._span is not None:
            self._span.set_attributes(clean_attributes(attributes))

    @guarded
    def add_event(self, name: str, attributes: Mapping[str, object] | None = None) -> None:
        """Add an event to the span, now."""
        if self._span is not None:
            self._span.add_event(str(clean(name)), clean_attributes(attributes or {}))


def inherited() -> Mapping[str, AttributeValue]:
    """What every span inside the current workflow carries."""
    workflow = current_workflow()
    return workflow.span_attributes if workflow is not None else {}


def _step_attributes(index: int, name: str) -> dict[str, AttributeValue]:
    return {semconv.STEP_INDEX: index, semconv.STEP_NAME: name, semconv.OPENINFERENCE_SPAN_KIND: "CHAIN"}


@guarded
def _renew_lock() -> None:
    """Let the current span be written to in a forked child: whoever held its lock at the fork is not here."""
    span = _otel_context.current_span()
    if span is not None and type(getattr(span, "_lock", None)) is _LOCK:
        span._lock = threading.Lock()  # noqa: SLF001 - the SDK has no handler of its own for it


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_renew_lock)
