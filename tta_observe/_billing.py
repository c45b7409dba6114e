"""One usage on its way to its span, the metrics and the totals: it waits where its price is not read yet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from tta_observe import _genai, _otel_context, _prices, semconv
from tta_observe._garbage import in_turn
from tta_observe._guard import guarded, warn_once
from tta_observe._savings import add_cost, count_call
from tta_observe.context import WorkflowContext, current_frame, current_workflow
from tta_observe.instruments import LLM_COST, LLM_TOKENS, LLM_UNPRICED
from tta_observe.usage import LLMUsage, note_call, usage_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._call import Live
    from tta_observe._savings import Spent
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue
    from tta_observe.usage import UsageSum


class Owner(NamedTuple):
    """Whose usage it is."""

    workflow: WorkflowContext
    primitive_name: str | None = None
    usage: UsageSum | None = None
    """Of the LLM span that shows it; None where it gets a span of its own."""
    around: UsageSum | None = None
    """Of the nearest LLM call."""
    otel_context: Any = None
    spent: tuple[Spent, ...] = ()
    """What cache misses around it own."""

    @property
    def labels(self) -> tuple[str | None, str | None, str | None]:
        """Of the metrics, after provider and model."""
        return self.primitive_name, self.workflow.workflow_name, self.workflow.agent_type


def owner_here() -> Owner:
    """Whose a usage is that is recorded in the current context."""
    workflow, frame = current_workflow() or WorkflowContext(), current_frame()
    context = _otel_context.current()
    if frame is None:
        return Owner(workflow, otel_context=context)
    usage = frame.usage if frame.usage is not None and not frame.usage.ended else None
    return Owner(workflow, frame.primitive_name, usage, frame.around, context, frame.spent)


def owner_of(live: Live) -> Owner:
    """Whose a usage is that an LLM call has returned, wherever its stream has ended."""
    workflow = live.workflow or WorkflowContext()
    return Owner(workflow, live.name, live.usage, live.usage, live.otel_context, live.frame.spent)


@guarded
def bill(slot: Slot | None, usage: LLMUsage, owner: Owner, told: Mapping[str, AttributeValue]) -> LLMUsage:
    """
    Record *usage*, which may have no cost yet; *told* goes on its span beside it.

    Returns what is known now: while the prices are being read that is ``unpriced``, and becomes known later.
    """
    is_new = True
    if owner.around is not None:
        is_new = owner.around.is_new()
        if usage.cost_status != semconv.NO_USAGE:
            owner.around.tell()
    made = _Bill(slot, usage, owner._replace(spent=count_call(owner.spent)), told, is_new=is_new)
    needs_price = (
        slot is not None
        and usage.cost_status == semconv.UNPRICED
        and _prices.needs_reading(usage.provider, usage.model, slot.prices)
    )
    _prices.in_order(partial(in_turn, made.settle), needs_price=needs_price)
    return made.usage


class _Bill:
    """A usage that is being recorded."""

    __slots__ = ("_is_new", "_owner", "_slot", "_span", "_told", "usage")

    def __init__(
        self, slot: Slot | None, usage: LLMUsage, owner: Owner, told: Mapping[str, AttributeValue], *, is_new: bool
    ) -> None:
        self._slot, self.usage, self._owner, self._told, self._is_new = slot, usage, owner, told, is_new
        self._span = _own_span(slot, usage, owner, told) if slot is not None and owner.usage is None else None

    @guarded
    def settle(self) -> None:
        """Find the price and tell everybody."""
        slot, usage, owner = self._slot, self.usage, self._owner
        if slot is not None and usage.cost_status == semconv.UNPRICED:
            usage = self.usage = _priced(slot, usage)
        spend(usage, owner, is_new=self._is_new)
        if slot is not None:
            self._tell_span(usage)
            _count(slot, usage, owner)
            note_call(usage.cost_status, is_new=self._is_new)

    def _tell_span(self, usage: LLMUsage) -> None:
        found = {**usage_attributes(usage), **self._told}
        if self._owner.usage is not None:
            self._owner.usage.add(found)
        elif self._span is not None:
            span, started_ns = self._span
            span.set_attributes({**found, **_genai.usage_attributes(found)})
            span.end(started_ns)


def spend(usage: LLMUsage, owner: Owner, *, is_new: bool) -> None:
    """Add *usage*, whose price is looked up by now, to all that keep accounts of money."""
    if owner.workflow.totals is not None:
        owner.workflow.totals.add_llm_call(usage.total_tokens, usage.cost_usd, calls=int(is_new))
    add_cost(owner.spent, usage.cost_usd, is_new=is_new)


def _priced(slot: Slot, usage: LLMUsage) -> LLMUsage:
    cost = _prices.cost_of(usage, slot.prices)
    if cost is None:
        return usage
    return replace(usage, cost_usd=cost.usd, cost_status=semconv.PRICED, price_source=cost.source, price_date=cost.date)


@guarded
def _own_span(slot: Slot, usage: LLMUsage, owner: Owner, told: Mapping[str, AttributeValue]) -> tuple[Any, int] | None:
    """A span of zero length below the current one: for usage that is recorded in no LLM call."""
    totals = owner.workflow.totals
    if _otel_context.current_span() is None or (totals is not None and not totals.open):
        return None
    found = {**owner.workflow.span_attributes, **usage_attributes(usage), **told, **_OWN}
    if owner.primitive_name is not None:
        found[semconv.PRIMITIVE_NAME] = owner.primitive_name
    del found[semconv.LLM_COST_STATUS]  # not known yet
    found.update(_genai.context_attributes(found) | _genai.request_attributes(found))
    started_ns = time_ns()
    return slot.start_span(semconv.LLM_USAGE_SPAN, found, started_ns, client=True), started_ns


_OWN = {
    semconv.OPENINFERENCE_SPAN_KIND: semconv.OPENINFERENCE_KINDS["llm"],
    semconv.GEN_AI_OPERATION_NAME: "chat",
}


def _count(slot: Slot, usage: LLMUsage, owner: Owner) -> None:
    model, context = (usage.provider, usage.model), owner.otel_context
    for kind, count in ((semconv.PROMPT, usage.prompt_tokens), (semconv.COMPLETION, usage.completion_tokens)):
        if count is not None:
            slot.record(LLM_TOKENS, count, (*model, kind, *owner.labels), context)
    if usage.cost_usd is not None:
        slot.record(LLM_COST, usage.cost_usd, (*model, *owner.labels), context)
    elif usage.cost_status == semconv.UNPRICED:
        slot.record(LLM_UNPRICED, 1, model, context)
        warn_once(
            f"unpriced:{usage.provider}/{usage.model}",
            "no price is known for model %r: its calls are counted as unpriced. "
            "Write configure(prices={%r: Price(input=..., output=...)}) with USD per million tokens.",
            usage.model,
            usage.model,
        )
