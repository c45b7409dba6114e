"""``workflow``, ``agent`` and ``bound_context``: who and what the code inside works for."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Never

from tta_observe import _arguments, _call, _otel_context, _sites, _spans, context, semconv
from tta_observe._block import Binding, Block, OpenBlock
from tta_observe._guard import guarded, warn_once
from tta_observe._totals import Totals
from tta_observe._values import clean_attributes, clean_label
from tta_observe.context import WorkflowContext
from tta_observe.errors import unknown_option

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_A_NAME: Final = re.compile(r"\d{4,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_WORKFLOW_OPTIONS: Final = (
    "workflow_id",
    "session_id",
    "agent_id",
    "agent_type",
    "llm_provider",
    "llm_model_name",
    "llm_model_tier",
    "attributes",
)
_BUDGET: Final = "budget_usd"


class workflow(Block[WorkflowContext]):  # noqa: N801 - used as a function
    """
    One run of a workflow: a span, an execution, and the context of everything inside; yields that context.

    What is not given is inherited from the workflow or block around it, except *workflow_id*, which is generated.

    Args:
        name: which workflow; few different ones, because it is a label. Identifiers belong into *workflow_id*.
        workflow_id: this run.
        session_id: the conversation or user session.
        agent_id: the agent that runs it.
        agent_type: what kind of agent that is; a label.
        llm_provider: default provider of LLM calls inside.
        llm_model_name: default model of LLM calls inside.
        llm_model_tier: a class of models, e.g. ``"fast"``.
        attributes: set on every span inside.
        budget_usd: what one run should cost at most, in USD, nested workflows included. A run that costs more goes on:
            its span gets an event ``workflow.budget_exceeded``, the log one warning per name of a workflow. A block
            inside has a budget of its own, or none.

    Raises:
        ConfigurationError: *name* is no string or empty, *budget_usd* is no number or negative, or an option is
            unknown.
    """

    def __init__(
        self,
        name: str,
        *,
        workflow_id: str | None = None,
        session_id: str | None = None,
        agent_id: str | None = None,
        agent_type: str | None = None,
        llm_provider: str | None = None,
        llm_model_name: str | None = None,
        llm_model_tier: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        budget_usd: float | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise unknown_option("workflow", unknown, (*_WORKFLOW_OPTIONS, _BUDGET))
        super().__init__()
        self._name = _arguments.text("name", name)
        self._budget_usd = None if budget_usd is None else _arguments.amount(_BUDGET, budget_usd)
        self._id = clean_label(workflow_id)
        self._attributes = _arguments.attributes(attributes)
        self._given = _given(
            session_id=session_id,
            agent_id=agent_id,
            agent_type=agent_type,
            llm_provider=llm_provider,
            llm_model_name=llm_model_name,
            llm_model_tier=llm_model_tier,
        )
        self._site = _sites.workflow_site(self._name)
        if _NOT_A_NAME.search(self._name):
            _warn_of_identifier(self._name)

    def open(self) -> OpenBlock[WorkflowContext]:
        """Open a new run in the current context. Never raises."""
        outer = context.current_workflow() or WorkflowContext()
        own = replace(
            _inherit(outer, self._given, self._attributes),
            workflow_name=self._name,
            workflow_id=self._id or uuid.uuid4().hex,
            totals=(totals := Totals(outer.totals)),
        )
        binding = Binding(own)
        live = _enter(self._site, binding)
        if self._budget_usd is not None and live is not None:
            totals.watch(self._budget_usd, partial(_tell_passed, live.span, own, self._budget_usd))
        return OpenBlock(own, binding, live)


class agent(Block[_spans.SpanHandle]):  # noqa: N801 - used as a function
    """
    An agent at work: a span, an execution of type ``agent`` named *agent_type*, and ``agent.*`` for everything inside.

    Raises:
        ConfigurationError: *agent_type* is no string, or empty.
    """

    def __init__(self, agent_type: str, *, agent_id: str | None = None) -> None:
        super().__init__()
        name = _arguments.text("agent_type", agent_type)
        # Another agent: the identifier of the outer one is not its own.
        self._given = {"agent_type": name, "agent_id": clean_label(agent_id)}
        self._site = _sites.primitive_site(name, "agent", "execute", {})

    def open(self) -> OpenBlock[_spans.SpanHandle]:
        """Open a new run in the current context. Never raises."""
        outer = context.current_workflow() or WorkflowContext()
        binding = Binding(_inherit(outer, self._given, {}))
        live = _enter(self._site, binding)
        return OpenBlock(_spans.SpanHandle(live and live.span), binding, live)


class bound_context(Block[WorkflowContext]):  # noqa: N801 - used as a function
    """
    Session, agent, LLM defaults and attributes for everything inside, without a span; yields the context.

    What is not given is inherited. The arguments are those of :class:`workflow`.
    """

    def __init__(
        self,
        *,
        session_id: str | None = None,
        agent_id: str | None = None,
        agent_type: str | None = None,
        llm_provider: str | None = None,
        llm_model_name: str | None = None,
        llm_model_tier: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise unknown_option("bound_context", unknown, _WORKFLOW_OPTIONS[1:])
        super().__init__()
        self._attributes = _arguments.attributes(attributes)
        self._given = _given(
            session_id=session_id,
            agent_id=agent_id,
            agent_type=agent_type,
            llm_provider=llm_provider,
            llm_model_name=llm_model_name,
            llm_model_tier=llm_model_tier,
        )

    def open(self) -> OpenBlock[WorkflowContext]:
        """Open a new run in the current context. Never raises."""
        own = _inherit(context.current_workflow() or WorkflowContext(), self._given, self._attributes)
        return OpenBlock(own, Binding(own, alone=True))


def current_workflow() -> WorkflowContext | None:
    """The context of the workflow that the current code belongs to, or None outside any."""
    found = context.current_workflow()
    return found if found is not None and found.workflow_name is not None else None


@guarded
def set_attributes(attributes: Mapping[str, Any]) -> None:
    """
    Set *attributes* on the current span; safe without one, and with values of any type.

    A value of None is left out. Keys and values are cut to size and cleaned as all that leaves the process.
    """
    span = _otel_context.current_span()
    if span is not None:
        span.set_attributes(clean_attributes(attributes))


def _enter(site: _sites.CallSite, binding: Binding) -> _call.Live | None:
    try:
        return _call.enter(site)
    except BaseException:  # the stack is used up, or Ctrl-C: nobody will close the block
        binding.unbind()
        raise


@guarded
def _tell_passed(span: Any, run: WorkflowContext, budget_usd: float, cost_usd: float) -> None:
    if span.is_recording():
        told = {semconv.WORKFLOW_BUDGET_USD: budget_usd, semconv.WORKFLOW_COST_USD: cost_usd}
        span.add_event(semconv.WORKFLOW_BUDGET_EXCEEDED, told)
    warn_once(
        f"budget:{run.workflow_name}",
        "workflow %r has cost $%.6g in run %s, more than its budget_usd=%.6g. The run goes on; further ones of this "
        "workflow are told by the event %s on their spans alone.",
        run.workflow_name,
        cost_usd,
        run.workflow_id,
        budget_usd,
        semconv.WORKFLOW_BUDGET_EXCEEDED,
    )


def _given(**values: str | None) -> dict[str, str]:
    return {name: text for name, value in values.items() if (text := clean_label(value)) is not None}


def _inherit(outer: WorkflowContext, given: Mapping[str, str | None], attributes: Mapping[str, Any]) -> WorkflowContext:
    return replace(outer, **given, attributes={**outer.attributes, **attributes})  # type: ignore[arg-type]


def _warn_of_identifier(name: str) -> None:
    warn_once(
        "workflow-name",
        "workflow(%r) looks like an identifier, and each one becomes a series of its own. "
        "Write workflow('review', workflow_id=%r).",
        name,
        name,
    )
