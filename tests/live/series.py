"""The series that a script leads to, by name and labels: written out by hand, so that they hold the package to it."""

from __future__ import annotations

from collections import defaultdict
from functools import singledispatch

from live import script
from live.servers import labelled
from live.truth import BOUNDS_MS


def totals(events, opened=()):
    """What every series stands at after *events*, with the workflows *opened* running."""
    found = defaultdict(float)
    for event in events:
        for name, labels, value in series_of(event):
            found[name, labels] += event.times * value
    for name in opened:
        found["agent_workflows_active", _labels(workflow_name=name, agent_type=script.AGENTS.get(name))] += 1
    return dict(found)


@singledispatch
def series_of(event):
    """Name, labels and rise of each series that one such event moves; where the rise is unknown, None."""
    raise TypeError(event)


@series_of.register
def _(event: script.Execution):
    common = {
        "primitive_name": event.name,
        "primitive_type": event.type,
        "execution_status": event.status,
        "workflow_name": event.workflow,
    }
    yield "primitive_execution_count", _labels(**common, agent_type=event.agent, error_type=event.error), 1
    yield "primitive_execution_duration_count", _labels(**common), 1
    if event.duration_ms is None:
        return
    yield "primitive_execution_duration_sum", _labels(**common), event.duration_ms
    for bound in (*BOUNDS_MS, float("inf")):
        yield "primitive_execution_duration_bucket", _labels(**common, le=bound), int(event.duration_ms <= bound)


@series_of.register
def _(event: script.Connection):
    ends = {"source_primitive": event.source, "target_primitive": event.target}
    yield "primitive_connection_count", _labels(**ends, connection_type=event.kind), 1


@series_of.register
def _(event: script.Usage):
    model = {"llm_provider": event.provider, "llm_model_name": event.model}
    owner = {"primitive_name": event.workflow, "workflow_name": event.workflow, "agent_type": event.agent}
    yield "llm_tokens_total", _labels(**model, **owner, llm_token_type="prompt"), event.prompt
    yield "llm_tokens_total", _labels(**model, **owner, llm_token_type="completion"), event.completion
    if event.cost_usd is None:
        yield "llm_unpriced_total", _labels(**model), 1
    else:
        yield "llm_cost_total", _labels(**model, **owner), event.cost_usd


@series_of.register
def _(event: script.Lookup):
    labels = _labels(primitive_name=event.name, cache_type=event.kind)
    yield "cache_total", labels, 1
    if event.hit:
        yield "cache_hits", labels, 1
    if event.saved_usd is not None:
        yield "cache_savings_total", labels, event.saved_usd


def _labels(**labels):
    return labelled(**{name: value for name, value in labels.items() if value is not None})
