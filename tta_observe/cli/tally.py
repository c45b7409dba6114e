"""
What the demo counts by itself, with plain counters: the check on everything that is measured.

Nothing in here looks at a span or a metric.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe.cli.report import Report

Figures = dict[str, float]


class RunCount(NamedTuple):
    """One run of a workflow."""

    workflow: str
    status: str
    llm_calls: int
    tokens: int
    cost_usd: float
    primitives: int


@dataclass
class Misses:
    """
    What misses of one cache cost, one after the other, and so what a hit saves: their mean.

    A miss whose cost is not known is left out; one without any call did cost nothing. Hits before anything is known
    wait until it is.
    """

    costs_usd: list[float] = field(default_factory=list)
    calls: int = 0
    waiting: int = 0
    spent: list[float | None] | None = None
    """By the miss that is open; None when none is."""

    def begin(self) -> None:
        """Open a miss."""
        self.spent = []

    def spend(self, cost_usd: float | None) -> None:
        """Have the open miss, if any, pay for an LLM call; None when nobody knows what it cost."""
        if self.spent is not None:
            self.spent.append(cost_usd)

    def end(self) -> float:
        """Close the open miss, if any; returns what hits saved that waited for it, in USD."""
        spent, self.spent = self.spent, None
        known = [cost_usd for cost_usd in spent or () if cost_usd is not None]
        if spent is None or len(known) < len(spent):
            return 0.0
        self.costs_usd.append(sum(known))
        self.calls += len(known)
        waited, self.waiting = (self.waiting, 0) if self.calls else (0, self.waiting)
        return waited * self._mean_usd()

    def saved(self) -> float:
        """What a hit saves, in USD; 0 while it waits."""
        self.waiting += not self.calls
        return self._mean_usd()

    def _mean_usd(self) -> float:
        return sum(self.costs_usd) / len(self.costs_usd) if self.calls else 0.0


@dataclass
class Tally:
    """Plain counters; keys are tuples of the names that the report uses."""

    executions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    connections: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lookups: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    saved_usd: float = 0.0
    misses: Misses = field(default_factory=Misses)
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)
    llm_calls: int = 0
    cost_usd: dict[str, float] = field(default_factory=dict)
    workflow_cost_usd: dict[str, float] = field(default_factory=dict)
    unpriced: Counter[str] = field(default_factory=Counter)
    runs: list[RunCount] = field(default_factory=list)

    @contextmanager
    def execution(self, name: str, type_: str, *after: str, how: str = "sequential") -> Iterator[None]:
        """Count one execution, how it ends, and a connection from each of *after*."""
        self.connections.update((source, name, how) for source in after)
        status = "success"
        try:
            yield
        except (asyncio.CancelledError, KeyboardInterrupt):
            status = "cancelled"
            raise
        except Exception as error:
            status = "error"
            kind = type(error)
            self.errors[kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"] += 1
            raise
        finally:
            self.executions[name, type_, status] += 1

    @contextmanager
    def run(self, workflow: str) -> Iterator[None]:
        """Count one run of *workflow*, and what was spent in it; runs do not overlap."""
        before = self._spent()
        status = "error"
        try:
            with self.execution(workflow, "workflow"):
                yield
            status = "success"
        except (asyncio.CancelledError, KeyboardInterrupt):
            status = "cancelled"
            raise
        finally:
            calls, tokens, cost, primitives = (now - then for now, then in zip(self._spent(), before, strict=True))
            self.workflow_cost_usd[workflow] = self.workflow_cost_usd.get(workflow, 0.0) + cost
            self.runs.append(RunCount(workflow, status, int(calls), int(tokens), cost, int(primitives)))

    def llm_call(self, model: str, prompt: int, completion: int, cost_usd: float | None) -> None:
        """Count one call of *model*; *cost_usd* is None when it has no price."""
        self.llm_calls += 1
        self.tokens[model, "prompt"] += prompt
        self.tokens[model, "completion"] += completion
        self.misses.spend(cost_usd)
        if cost_usd is None:
            self.unpriced[model] += 1
        else:
            self.cost_usd[model] = self.cost_usd.get(model, 0.0) + cost_usd

    @contextmanager
    def owner_of_misses(self) -> Iterator[None]:
        """Around the block that pays for a miss of the cache that is looked up in it."""
        try:
            yield
        finally:
            self.saved_usd += self.misses.end()

    def lookup(self, name: str, *, hit: bool) -> None:
        """Count one cache lookup."""
        self.lookups[name] += 1
        self.hits[name] += hit
        if hit:
            self.saved_usd += self.misses.saved()
        else:
            self.misses.begin()

    def figures(self) -> Figures:
        """Every figure that a report on the same work has to show."""
        found: Figures = {}
        for (name, type_, status), count in self.executions.items():
            for key in (f"executions {status}", f"executions of {name}", f"executions of type {type_}", "executions"):
                found[key] = found.get(key, 0) + count
            if status == "error" and type_ != "workflow":
                found[f"errors of {name}"] = count
        found |= {f"errors {kind}": count for kind, count in self.errors.items()}
        found |= {f"connections {' '.join(key)}": count for key, count in self.connections.items()}
        found |= {f"lookups {name}": count for name, count in self.lookups.items()}
        found |= {f"hits {name}": count for name, count in self.hits.items()}
        found |= {f"tokens {' '.join(key)}": count for key, count in self.tokens.items()}
        found |= {f"cost {model}": cost for model, cost in self.cost_usd.items()}
        found |= {f"unpriced {model}": count for model, count in self.unpriced.items()}
        found |= {f"cost of {name}": cost for name, cost in self.workflow_cost_usd.items()}
        found |= _totals(sum(self.lookups.values()), sum(self.hits.values()), self.saved_usd)
        found |= {"cost": sum(self.cost_usd.values()), "unpriced": self.unpriced.total()}
        return found | _latest(reversed(self.runs))

    def _spent(self) -> tuple[float, float, float, float]:
        primitives = sum(count for (_, type_, _), count in self.executions.items() if type_ != "workflow")
        return self.llm_calls, self.tokens.total(), sum(self.cost_usd.values()), primitives


def figures_of(report: Report) -> Figures:
    """The same figures, as *report* has them."""
    health, cache, spending = report.health, report.cache, report.spending
    found: Figures = {"executions": report.throughput.executions}
    found |= {f"executions {status}": getattr(health, status) for status in ("success", "error", "cancelled")}
    found |= {f"executions of {row.name}": row.runs for row in report.workflows}
    found |= {f"cost of {row.name}": row.cost_usd or 0.0 for row in report.workflows}
    found |= {f"executions of {row.name}": row.executions for row in report.primitives}
    found |= {f"errors of {row.name}": row.errors for row in report.primitives}
    found |= {f"executions of type {row.primitive_type}": row.count for row in report.executions_by_type}
    found |= {f"errors {row.error_type}": row.count for row in report.errors}
    found |= {f"connections {row.source} {row.target} {row.connection_type}": row.count for row in report.connections}
    found |= {f"lookups {row.primitive}": row.lookups for row in report.caches}
    found |= {f"hits {row.primitive}": row.hits for row in report.caches}
    for row in report.models:
        found |= {
            f"tokens {row.model} prompt": row.prompt_tokens,
            f"tokens {row.model} completion": row.completion_tokens,
        }
        found |= {f"cost {row.model}": row.cost_usd or 0.0, f"unpriced {row.model}": row.unpriced_calls}
    found |= _totals(cache.lookups, cache.hits, cache.saved_usd)
    found |= {"cost": spending.cost_usd, "unpriced": spending.unpriced_calls}
    return found | _latest(
        RunCount(run.workflow, run.status, run.llm_calls, run.tokens, run.cost_usd or 0.0, run.primitives)
        for run in report.latest_runs
    )


def differences(counted: Mapping[str, float], shown: Mapping[str, float]) -> list[str]:
    """What of *shown* is not as *counted*; a figure that is missing counts as 0."""
    return [
        f"{name}: counted {counted.get(name, 0):g}, shown {shown.get(name, 0):g}"
        for name in sorted({*counted, *shown})
        if not math.isclose(counted.get(name, 0), shown.get(name, 0), abs_tol=1e-12)
    ]


def _totals(lookups: float, hits: float, saved_usd: float) -> Figures:
    return {"lookups": lookups, "hits": hits, "saved": saved_usd}


def _latest(runs: Iterator[RunCount]) -> Figures:
    found: Figures = {}
    for number, run in zip(range(10), runs, strict=False):
        where = f"latest run {number}: {run.workflow} {run.status}"
        found |= {f"{where} {name}": value for name, value in zip(run._fields[2:], run[2:], strict=True)}
    return found
