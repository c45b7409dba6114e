"""Recording what LLM calls used and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never

from tta_observe import _arguments, _telemetry, semconv
from tta_observe._guard import guarded, warn_once
from tta_observe._values import clean, clean_label, finite_number, whole_number
from tta_observe.context import FRAME, WORKFLOW, WorkflowContext
from tta_observe.errors import unknown_option
from tta_observe.instruments import LLM_COST, LLM_TOKENS, LLM_UNPRICED
from tta_observe.pricing import find_price
from tta_observe.usage import LLMUsage, UsageSum, usage_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue
    from tta_observe.usage import CostStatus

_OPTIONS = (
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "temperature",
    "max_tokens",
    "cost_usd",
)


def record_llm_usage(
    *,
    provider: str | None = None,
    model: str | None = None,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    cached_tokens: int | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    cost_usd: float | None = None,
    **unknown: Never,
) -> LLMUsage:
    """
    Record tokens and cost of one LLM call, on the span of the LLM primitive around it and on the metrics.

    Inside an ``llm`` or ``embedding`` primitive several calls add up on its span; elsewhere each gets a span of its
    own, ``primitive.llm.usage``. Outside any span, and after the workflow has ended, only the metrics are recorded.
    A number that is negative, not finite or no number at all is left out, with one warning.

    Args:
        provider: who served it; default: that of the context.
        model: which model; default: that of the context.
        prompt_tokens: input tokens, cached ones included.
        completion_tokens: output tokens.
        cached_tokens: those of the input tokens that the provider read from its cache.
        temperature: of the request.
        max_tokens: limit of output tokens of the request.
        cost_usd: what it cost in USD, when you know better than the prices given to ``configure()``.

    Raises:
        ConfigurationError: an option is unknown.
    """
    if unknown:
        raise unknown_option("record_llm_usage", unknown, _OPTIONS)
    workflow = WORKFLOW.get() or WorkflowContext()
    slot = _telemetry.current()
    usage = _normal_form(
        slot,
        clean_label(provider) or workflow.llm_provider,
        clean_label(model) or workflow.llm_model_name,
        _count("prompt_tokens", prompt_tokens),
        _count("completion_tokens", completion_tokens),
        _count("cached_tokens", cached_tokens),
        None if cost_usd is None else _number("cost_usd", cost_usd),
    )
    request = {semconv.LLM_TEMPERATURE: clean(temperature), semconv.LLM_MAX_TOKENS: clean(max_tokens)}
    _record(slot, usage, workflow, {key: value for key, value in request.items() if value is not None})
    return usage


def record_llm_tokens(provider: str | None, model: str | None, token_type: str, count: int) -> None:
    """
    Count *count* tokens on the metric alone: no span, no cost, no roll-up.

    Raises:
        ConfigurationError: *token_type* is neither ``prompt`` nor ``completion``.
    """
    kind = _arguments.one_of("token_type", token_type, semconv.TOKEN_TYPES)
    _count_tokens(clean_label(provider), clean_label(model), kind, count)


@guarded
def _count_tokens(provider: str | None, model: str | None, kind: str, count: int) -> None:
    slot = _telemetry.current()
    if slot is not None:
        owner = _owner(WORKFLOW.get() or WorkflowContext())
        slot.record(LLM_TOKENS, count, (provider, model, kind, *owner))


def _normal_form(
    slot: Slot | None,
    provider: str | None,
    model: str | None,
    prompt: int | None,
    completion: int | None,
    cached: int | None,
    cost_usd: float | None,
) -> LLMUsage:
    if cost_usd is None and slot is not None and not (prompt is None and completion is None):
        price = find_price(slot.prices, provider, model)
        cost_usd = None if price is None else price.cost_usd(prompt or 0, completion or 0, cached or 0)
    status: CostStatus = "priced" if cost_usd is not None else "unpriced"
    if cost_usd is None and prompt is None and completion is None:
        status = "no_usage"
    return LLMUsage(provider, model, prompt, completion, cached, cost_usd, status)


@guarded
def _record(
    slot: Slot | None, usage: LLMUsage, workflow: WorkflowContext, request: Mapping[str, AttributeValue]
) -> None:
    totals = workflow.totals
    if totals is not None:
        totals.add_llm_call(usage.total_tokens, usage.cost_usd)
    if slot is None:
        return
    if totals is None or totals.open:
        _tell_span(slot, usage, workflow, request)
    _count_usage(slot, usage, workflow)


def _tell_span(slot: Slot, usage: LLMUsage, workflow: WorkflowContext, request: Mapping[str, AttributeValue]) -> None:
    frame = FRAME.get()
    own: UsageSum | None = frame.usage if frame is not None else None
    if own is not None and own.span.is_recording():
        own.span.set_attributes({**own.add(usage), **request})
    elif _telemetry.current_span() is not None:
        name = {semconv.PRIMITIVE_NAME: frame.primitive_name} if frame is not None and frame.primitive_name else {}
        found = {**workflow.span_attributes, **usage_attributes(usage), **request, **name}
        found[semconv.OPENINFERENCE_SPAN_KIND] = semconv.OPENINFERENCE_KINDS["llm"]
        slot.start_span(semconv.LLM_USAGE_SPAN, found, None, client=True).end()


def _count_usage(slot: Slot, usage: LLMUsage, workflow: WorkflowContext) -> None:
    model, owner = (usage.provider, usage.model), _owner(workflow)
    for kind, count in ((semconv.PROMPT, usage.prompt_tokens), (semconv.COMPLETION, usage.completion_tokens)):
        if count is not None:
            slot.record(LLM_TOKENS, count, (*model, kind, *owner))
    if usage.cost_usd is not None:
        slot.record(LLM_COST, usage.cost_usd, (*model, *owner))
    elif usage.cost_status == semconv.UNPRICED:
        slot.record(LLM_UNPRICED, 1, model)
        warn_once(
            f"unpriced:{usage.provider}/{usage.model}",
            "no price is known for model %r: its calls are counted as unpriced. "
            "Write configure(prices={%r: Price(input=..., output=...)}) with USD per million tokens.",
            usage.model,
            usage.model,
        )


def _owner(workflow: WorkflowContext) -> tuple[str | None, str | None, str | None]:
    frame = FRAME.get()
    return (frame.primitive_name if frame is not None else None, workflow.workflow_name, workflow.agent_type)


def _count(name: str, value: object) -> int | None:
    found = whole_number(value)
    return found if value is None or found is not None else _rejected(name)


def _number(name: str, value: object) -> float | None:
    found = finite_number(value)
    return _rejected(name) if found is None else float(found)


def _rejected(name: str) -> Any:
    warn_once(f"usage:{name}", "record_llm_usage: %s was not recorded. Pass a number that is not negative.", name)
