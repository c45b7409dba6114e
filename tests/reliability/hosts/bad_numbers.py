"""Every metric fed with what is no number, then with what is one."""

import math
from decimal import Decimal

from subject import SUBJECT, say

import tta_observe

SUBJECT.configure()
BAD = ["x", None, math.nan, math.inf, -math.inf, -1, 2**70, 10**400, Decimal("NaN"), 1j, b"1", object(), [1], True]

RECORDERS = {
    "record_execution": lambda bad: tta_observe.record_execution("bad", "tool", bad, "success"),
    "record_llm_tokens": lambda bad: tta_observe.record_llm_tokens("p", "m", "prompt", bad),
    "prompt_tokens": lambda bad: tta_observe.record_llm_usage(provider="p", model="m", prompt_tokens=bad),
    "cost_usd": lambda bad: tta_observe.record_llm_usage(provider="p", model="m", prompt_tokens=1, cost_usd=bad),
    "saved_usd": lambda bad: tta_observe.record_cache_operation(hit=True, name="c", saved_usd=bad),
    "ttl_seconds": lambda bad: tta_observe.record_cache_operation(hit=True, name="c", ttl_seconds=bad),
    "a label": lambda bad: tta_observe.record_execution("bad", "tool", 1, "success", agent_type=bad),
}
raised = []
for bad in BAD:
    for name, record in RECORDERS.items():
        try:
            record(bad)
        except Exception as error:  # noqa: BLE001 - none of any kind may come out
            raised.append(f"{name}({type(bad).__name__}): {error!r}"[:120])

with tta_observe.workflow("chat"):
    for _ in range(8):
        tta_observe.record_execution("after", "tool", 1.0, "success")
    tta_observe.record_connection("a", "b")
    tta_observe.record_llm_usage(provider="p", model="m", prompt_tokens=1, completion_tokens=1, cost_usd=0.1)
    tta_observe.record_cache_operation(hit=True, name="c", saved_usd=0.1)
tta_observe.flush(2.0)
INSTRUMENTS = [
    "primitive.execution.count",
    "primitive.execution.duration",
    "primitive.connection.count",
    "llm.tokens.total",
    "cache.hits",
    "cache.total",
    "agent.workflows.active",
    "llm.cost.total",
    "cache.savings.total",
]
say(raised=raised, instruments=INSTRUMENTS)
