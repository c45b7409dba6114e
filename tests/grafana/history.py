"""
Three hours in the life of a program, written down rather than lived: a quiet one, a busy one, an idle one.

Counters rise by the same amount at every sample, so that each rate, each mean and each quantile is known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    CACHE_HITS,
    CACHE_LOOKUPS,
    CACHE_SAVINGS,
    CONNECTIONS,
    EXECUTION_DURATION,
    EXECUTIONS,
    LLM_COST,
    LLM_TOKENS,
    LLM_UNPRICED,
)

HOUR_S = 3600
STEP_S = 15
PER_MINUTE = 60 // STEP_S

BEGINNING = 1_767_225_600
"""In seconds since 1970; a multiple of two hours, as long as a block of Prometheus is."""
MOMENTS = {
    "nothing": (BEGINNING - 2 * HOUR_S, BEGINNING - HOUR_S),
    "quiet": (BEGINNING, BEGINNING + HOUR_S),
    "busy": (BEGINNING + HOUR_S, BEGINNING + 2 * HOUR_S),
    "idle": (BEGINNING + 2 * HOUR_S, BEGINNING + 3 * HOUR_S),
}
"""Time ranges that somebody could look at: each shows one of the hours, or what was before."""

CLUMSY = "größe 中文 (v2): 100 %, a/b"
"""A name with umlauts, spaces and signs in it, as people choose them."""


@dataclass(frozen=True)
class Primitive:
    """What ran: how often a minute it ended in each way, and how long it took each time."""

    name: str
    type: str
    ms: float
    workflow: str
    success: int = 0
    error: int = 0
    cancelled: int = 0
    error_type: str = "TimeoutError"


QUIET = (
    Primitive("morning", "workflow", 40, "morning", success=4),
    Primitive("load", "tool", 30, "morning", success=20),
)
BUSY = (
    Primitive("checkout", "workflow", 1200, "checkout", success=14, error=2),
    Primitive("nightly report", "workflow", 400, "nightly report", success=6, cancelled=2),
    Primitive("export", "workflow", 50, "export", cancelled=4),
    Primitive("fetch", "tool", 800, "checkout", success=30, error=6),
    Primitive("rank", "router", 3, "checkout", success=60),
    Primitive(CLUMSY, "llm", 4000, "checkout", success=12, error=3, cancelled=1, error_type="openai.RateLimitError"),
    Primitive("slow", "tool", 20_000, "nightly report", success=2),
    Primitive("aborted", "agent", 100, "export", cancelled=2),
)
CALLS = {
    ("checkout", "fetch"): 36,
    ("fetch", "rank"): 60,
    ("rank", CLUMSY): 16,
    ("nightly report", "slow"): 2,
    ("slow", "ledger"): 2,  # it never ended
    ("checkout", "aborted"): 2,
}
LOOKUPS = {"fetch": (10, 40), "rank": (54, 60), "slow": (0, 20)}
"""Hits and lookups a minute."""
ACTIVE = {"quiet": {"morning": 1}, "busy": {"checkout": 3, "nightly report": 4}}

_GPT = {"llm_provider": "openai", "llm_model_name": "gpt-4o"}
_LLAMA = {"llm_provider": "ollama", "llm_model_name": "llama"}
_ASK = {"primitive_name": CLUMSY, "workflow_name": "checkout"}


def openmetrics():
    """All samples, in the text format that Prometheus back-fills from."""
    samples = [
        *(_counter("quiet", name, amount, labels) for primitive in QUIET for name, amount, labels in _of(primitive)),
        *(_counter("busy", name, amount, labels) for primitive in BUSY for name, amount, labels in _of(primitive)),
        *(_counter("busy", name, amount, labels) for name, amount, labels in _of_the_rest()),
        *_actives(),
    ]
    return "\n".join([line for lines in samples for line in lines] + ["# EOF\n"])


def _of(primitive):
    own = {"primitive_name": primitive.name, "primitive_type": primitive.type, "workflow_name": primitive.workflow}
    for status in ("success", "error", "cancelled"):
        if amount := getattr(primitive, status):
            labels = own | {"execution_status": status}
            more = {"error_type": primitive.error_type} if status == "error" else {}
            yield EXECUTIONS.prometheus_name, amount, labels | more
            yield from _histogram(amount, primitive.ms, labels)


def _histogram(amount, ms, labels):
    name = EXECUTION_DURATION.prometheus_name
    for bound in EXECUTION_DURATION.buckets:
        yield f"{name}_bucket", amount if ms <= bound else 0, labels | {"le": str(bound)}
    yield f"{name}_bucket", amount, labels | {"le": "+Inf"}
    yield f"{name}_count", amount, labels
    yield f"{name}_sum", amount * ms, labels


def _of_the_rest():
    for (source, target), amount in CALLS.items():
        yield CONNECTIONS.prometheus_name, amount, {"source_primitive": source, "target_primitive": target}
    for name, (hits, lookups) in LOOKUPS.items():
        labels = {"primitive_name": name, "cache_type": "exact"}
        yield CACHE_LOOKUPS.prometheus_name, lookups, labels
        if hits:  # a cache that never hit has no series of hits
            yield CACHE_HITS.prometheus_name, hits, labels
    yield CACHE_SAVINGS.prometheus_name, 0.05, {"primitive_name": "rank", "cache_type": "exact"}
    yield LLM_TOKENS.prometheus_name, 6000, _GPT | _ASK | {"llm_token_type": "prompt"}
    yield LLM_TOKENS.prometheus_name, 1200, _GPT | _ASK | {"llm_token_type": "completion"}
    yield LLM_TOKENS.prometheus_name, 300, _LLAMA | _ASK | {"llm_token_type": "prompt"}
    yield LLM_COST.prometheus_name, 0.06, _GPT | _ASK
    yield LLM_UNPRICED.prometheus_name, 3, _LLAMA


def _counter(moment, name, per_minute, labels):
    """Born at zero when its hour begins, rising during it, and staying there."""
    begin, end = MOMENTS[moment]
    for time in range(begin, MOMENTS["idle"][1] + 1, STEP_S):
        steps = (min(time, end) - begin) // STEP_S
        yield _sample(name, labels, per_minute * steps / PER_MINUTE, time)


def _actives():
    for moment, workflows in ACTIVE.items():
        begin, end = MOMENTS[moment]
        times = range(begin, MOMENTS["idle"][1] + 1, STEP_S)
        for workflow, number in workflows.items():
            labels, name = {"workflow_name": workflow}, ACTIVE_WORKFLOWS.prometheus_name
            yield [_sample(name, labels, number if begin < time <= end else 0, time) for time in times]


def _sample(name, labels, value, time):
    quoted = ",".join(f'{label}="{_escaped(text)}"' for label, text in {"job": "shop", **labels}.items())
    return f"{name}{{{quoted}}} {value} {time}"


def _escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')
