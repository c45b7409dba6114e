"""
What each panel has to show, counted from the script in plain Python: no PromQL, and nothing of the package.

An answer is a dictionary from labels to a value; values that nobody knows in advance are ranges.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from live.script import Connection, Execution, Lookup, Usage
from live.servers import labelled

BOUNDS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)

_WINDOW_S = 300
_HOUR_S = 3600


@dataclass(frozen=True)
class Past:
    """What a Prometheus knows at one moment, as events of the script."""

    born: tuple
    """Everything that has happened since its series exist; whatever they stand at."""
    window: tuple
    """What happened in the last five minutes."""
    shown: tuple
    """What happened in the time range of the dashboard, the last hour."""
    active: int
    """How many workflows are running."""


NOTHING = Past((), (), (), 0)


@dataclass(frozen=True)
class Between:
    """Equal to every number from *low* to *high*."""

    low: float
    high: float

    def __eq__(self, value):
        return self.low <= value <= self.high

    __hash__ = None


QUICK_MS = Between(0, 450)
"""What a function takes that does nothing, on a busy machine."""


def answers(past):
    """What every query of every panel answers, by the number of the panel and the name of the query."""
    return {
        **{(1, name): answer for name, answer in _service_map(past).items()},
        (2, "A"): _without_labels(_health(past)),
        (3, "A"): _per_second(past, lambda _: ()),
        (4, "A"): {(): past.active} if past.born else {},
        (5, "A"): _without_labels(None if _health(past) is None else 1 - _health(past)),
        (6, "A"): _most(10, _quantiles(past.window, runs=True, by="workflow")),
        **{(7, name): answer for name, answer in _workflow_table(past).items()},
        (8, "A"): {
            labelled(error_type=error): number / _WINDOW_S
            for error, number in _counts(_failed(past.window), "error").items()
        },
        (9, "A"): _means(past),
        (10, "A"): _per_second(past, lambda event: labelled(primitive_type=event.type)),
        (11, "A"): _without_labels(_hit_rate(past.window)),
        (12, "A"): _most(5, _quantiles(past.window, runs=False, by="name")),
        (13, "A"): _tokens(past),
        (14, "A"): _per_hour(past, lambda event: event.cost_usd, Usage),
        (14, "unpriced"): _unpriced(past),
        (15, "A"): _hit_rates(past),
        (16, "A"): _per_hour(past, lambda event: event.saved_usd if event.hit else None, Lookup),
    }


def verbatim(past):
    """What the five promised queries answer, in their order; of quantiles only those of primitives that ran."""
    ended, good = _executions(past.window), [event for event in _executions(past.window) if event.status == "success"]
    spent = sum(_tokens_of(event) for event in _of(Usage, past.window) if event.model.startswith("gpt-4"))
    return (
        _without_labels(_total(good) / _total(ended) if ended else None),
        _quantiles(past.window, runs=None, by="name"),
        _without_labels(_hit_rate(past.window)),
        {(): past.active},
        {(): spent / _WINDOW_S * 0.00003},
    )


# Overview


def _service_map(past):
    rates, seen = _by(past.window, Connection, _edge), _by(past.born, Connection, _edge)
    executed, nodes = _counts(_executions(past.window), "name"), _nodes(past.born)
    answer = {
        "connections": {edge: rates[edge] / _WINDOW_S for edge in seen},
        "nodes": {labelled(id=name, title=name): executed[name] / _WINDOW_S for name in nodes},
    }
    for arc, status in (("success", "success"), ("errors", "error"), ("cancelled", "cancelled")):
        part = _counts([event for event in _executions(past.window) if event.status == status], "name")
        answer[f"node_{arc}"] = {
            labelled(id=name): part[name] / executed[name] if executed[name] else 0 for name in nodes
        }
    return answer


def _edge(event):
    source, target = event.source, event.target
    ends = {"source": source, "target": target, "source_primitive": source, "target_primitive": target}
    return labelled(id=f"{source} -> {target}", **ends)


def _nodes(events):
    ends = [end for event in _of(Connection, events) for end in (event.source, event.target)]
    return {event.name for event in _executions(events)} | set(ends)


def _health(past):
    ended = [event for event in _executions(past.window) if event.status != "cancelled"]
    return 1 - _total(_failed(ended)) / _total(ended) if ended else None


def _per_second(past, key):
    rates, seen = _by(past.window, Execution, key), _by(past.born, Execution, key)
    return {labels: rates[labels] / _WINDOW_S for labels in seen}


# Workflows


def _workflow_table(past):
    runs = [event for event in _executions(past.shown) if event.type == "workflow"]
    number = _counts(runs, "workflow")
    ended = _counts([event for event in runs if event.status != "cancelled"], "workflow")
    failed, spent_ms, cost = _counts(_failed(runs), "workflow"), defaultdict(float), defaultdict(float)
    for event in runs:
        spent_ms[event.workflow] += event.times * event.duration_ms
    for event in _of(Usage, past.shown):
        if event.cost_usd is not None:
            cost[event.workflow] += event.times * event.cost_usd
    columns = {
        "success": {name: 1 - failed[name] / ended[name] for name in ended},
        "runs": number,
        "average": {name: spent_ms[name] / number[name] for name in number},
        "cost": {name: cost[name] / number[name] for name in cost if name in number},
    }
    named = {
        column: {labelled(workflow_name=name): value for name, value in rows.items()}
        for column, rows in columns.items()
    }
    return {**named, "p95": _quantiles(past.shown, runs=True, by="workflow")}


# Primitives


def _means(past):
    spent_ms, number = defaultdict(float), defaultdict(int)
    for event in _executions(past.window):
        if event.type != "workflow":
            number[event.name] += event.times
            spent_ms[event.name] = _plus(spent_ms[event.name], event)
    return {
        labelled(primitive_name=name): spent if isinstance(spent, Between) else spent / number[name]
        for name, spent in spent_ms.items()
    }


def _plus(spent_ms, event):
    return QUICK_MS if event.duration_ms is None else spent_ms + event.times * event.duration_ms


def _quantiles(events, *, runs, by):
    """P95 of workflows (*runs*), of primitives (not *runs*) or of both (None)."""
    durations = defaultdict(list)
    for event in _executions(events):
        if runs in (None, event.type == "workflow"):
            durations[getattr(event, by)].append((event.duration_ms, event.times))
    label = {"workflow": "workflow_name", "name": "primitive_name"}[by]
    return {labelled(**{label: name} if name else {}): p95(found) for name, found in durations.items()}


def p95(durations):
    """
    Estimate the 95th percentile of pairs of duration and number, in ms, as a histogram with our bounds can.

    Within a bucket executions count as spread evenly; past the last bound nothing is known but that.
    """
    if any(duration is None for duration, _ in durations):
        return QUICK_MS
    rank, below, lower = 0.95 * sum(number for _, number in durations), 0, 0
    for upper in BOUNDS_MS:
        inside = sum(number for duration, number in durations if lower < duration <= upper)
        if below + inside >= rank:
            return lower + (upper - lower) * (rank - below) / inside
        below, lower = below + inside, upper
    return lower


def _most(number, quantiles):
    known = {labels: value for labels, value in quantiles.items() if not isinstance(value, Between)}
    return dict(sorted(known.items(), key=lambda item: -item[1])[:number])


# Resources


def _tokens(past):
    used, seen = defaultdict(int), {labelled(llm_model_name=event.model) for event in _of(Usage, past.born)}
    for event in _of(Usage, past.window):
        used[labelled(llm_model_name=event.model)] += _tokens_of(event)
    return {labels: used[labels] for labels in seen}


def _tokens_of(event):
    return event.times * (event.prompt + event.completion)


def _unpriced(past):
    calls = sum(event.times for event in _of(Usage, past.shown) if event.cost_usd is None)
    return {(): calls} if calls else {}


def _per_hour(past, usd, kind):
    if all(usd(event) is None for event in _of(kind, past.born)):
        return {}
    spent = sum(event.times * (usd(event) or 0) for event in _of(kind, past.window))
    return {(): spent / _WINDOW_S * _HOUR_S}


def _hit_rate(events):
    lookups = _of(Lookup, events)
    return _total([event for event in lookups if event.hit]) / _total(lookups) if lookups else None


def _hit_rates(past):
    names = {event.name for event in _of(Lookup, past.window)}
    of_name = {name: [event for event in _of(Lookup, past.window) if event.name == name] for name in names}
    return {labelled(primitive_name=name): _hit_rate(found) for name, found in of_name.items()}


# Counting


def _of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def _executions(events):
    return _of(Execution, events)


def _failed(events):
    return [event for event in _executions(events) if event.status == "error"]


def _total(events):
    return sum(event.times for event in events)


def _counts(events, attribute):
    found = defaultdict(int)
    for event in events:
        found[getattr(event, attribute)] += event.times
    return found


def _by(events, kind, key):
    found = defaultdict(int)
    for event in _of(kind, events):
        found[key(event)] += event.times
    return found


def _without_labels(value):
    return {} if value is None else {(): value}
