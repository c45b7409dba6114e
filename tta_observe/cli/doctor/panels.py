"""What panels and alerts of this Prometheus would show: five queries, the rules, the exemplars."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tta_observe.cli.doctor.api import texts
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.words import many, plain_text
from tta_observe.instruments import EXECUTION_DURATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe.cli.doctor.api import Api, Sample
    from tta_observe.cli.doctor.findings import Finding
    from tta_observe.cli.doctor.server import Server

QUERIES: Final = Group("Queries")
RULES: Final = Group("Rules and exemplars")

VERBATIM: Final = {
    "success rate": (
        'sum(rate(primitive_execution_count{execution_status="success"}[5m]))'
        " / sum(rate(primitive_execution_count[5m]))"
    ),
    "P95 by primitive": (
        "histogram_quantile(0.95, sum by (primitive_name, le) (rate(primitive_execution_duration_bucket[5m])))"
    ),
    "cache hit rate": "sum(rate(cache_hits[5m])) / sum(rate(cache_total[5m]))",
    "active workflows": "sum(agent_workflows_active)",
    "cost of gpt-4 tokens": 'sum(rate(llm_tokens_total{llm_model_name=~"gpt-4.*"}[5m])) * 0.00003',
}
"""Five queries that work as they stand on every pipeline whose names are right."""

_ALERTS: Final = "tta_primitives"
_RULE_FILES: Final = "In prometheus.yml, with the directory that has our rules:\n  rule_files:\n  - rules/*.yml"


@dataclass(frozen=True, slots=True)
class Shown:
    """What was answered; None stands for no answer."""

    results: Mapping[str, list[Sample] | None]
    groups: Mapping[str, tuple[str, ...]] | None
    """Our groups of rules by name, and the rules in them that fail."""
    exemplars: int | None


def gather(api: Api) -> Shown:
    """Run the queries, and ask for rules and exemplars."""
    return Shown(
        {name: api.query(query) for name, query in VERBATIM.items()},
        groups_of(api.data("/api/v1/rules")),
        _exemplars(api),
    )


def groups_of(data: Any) -> dict[str, tuple[str, ...]] | None:
    """Our groups among those of an answer, and the rules in them that fail."""
    groups = data.get("groups") if isinstance(data, dict) else None
    if not isinstance(groups, list):
        return None
    named = [(texts(group).get("name", ""), group) for group in groups]
    return {name: _failing(group.get("rules")) for name, group in named if name.startswith("tta_")}


def judge(shown: Shown, server: Server) -> Iterator[Finding]:
    """Say which queries return data, whether the rules are loaded and work, and whether there are exemplars."""
    for name in VERBATIM:
        yield _query(name, shown.results.get(name))
    yield from _rules(shown.groups)
    yield from _traces(shown.exemplars, server)


def _query(name: str, samples: list[Sample] | None) -> Finding:
    if samples is None:
        return QUERIES.warning(name, "was not answered")
    if not samples:
        return QUERIES.warning(name, "no data")
    values = [value for _, value in samples if not math.isnan(value)]
    if not values:
        return QUERIES.warning(name, "idle: nothing ran in the last 5 min")
    return QUERIES.ok(name, f"{values[0]:.4g}" if len(samples) == 1 else many(len(values), "value"))


def _rules(groups: Mapping[str, tuple[str, ...]] | None) -> Iterator[Finding]:
    if groups is None:
        return
    for group, failing in groups.items():
        if failing:
            told = f"{plain_text(group)}: failing are {', '.join(map(plain_text, failing))}"
            yield RULES.problem("rules", told, "See why on the page /rules of Prometheus, or load our files anew")
    if _ALERTS in groups:
        yield RULES.ok("rules", f"loaded: {', '.join(plain_text(group) for group in groups)}")
    else:
        yield RULES.warning("rules", f"alerts are not loaded: there is no group {_ALERTS}", _RULE_FILES)


def _traces(exemplars: int | None, server: Server) -> Iterator[Finding]:
    if exemplars:
        yield RULES.ok("exemplars", f"{many(exemplars, 'series')[:-1] if exemplars > 1 else '1 series'}")
    elif server.has_feature("exemplar-storage") is False:
        found = "not kept: panels cannot lead to a trace"
        yield RULES.warning("exemplars", found, "Start Prometheus with\n  --enable-feature=exemplar-storage")
    elif exemplars == 0:
        yield RULES.ok("exemplars", "none yet")


def _exemplars(api: Api) -> int | None:
    now = time.time()
    asked = [
        ("query", f"{EXECUTION_DURATION.prometheus_name}_bucket"),
        ("start", f"{now - 600:.0f}"),
        ("end", f"{now:.0f}"),
    ]
    found = api.data("/api/v1/query_exemplars", asked)
    return len(found) if isinstance(found, list) else None


def _failing(rules: Any) -> tuple[str, ...]:
    listed = [texts(rule) for rule in rules] if isinstance(rules, list) else []
    return tuple(rule.get("name", "?") for rule in listed if rule.get("health") == "err")
