"""Sums of LLM calls."""

from hypothesis import given
from hypothesis import strategies as st

from tta_observe.usage import LLMUsage, UsageSum, usage_attributes

COUNTS = st.none() | st.integers(0, 10**6)
USAGES = st.builds(
    lambda prompt, completion, cost: LLMUsage(
        "p", "m", prompt, completion, None, cost, "priced" if cost is not None else "unpriced"
    ),
    COUNTS,
    COUNTS,
    st.none() | st.integers(0, 1000).map(float),
)


@given(st.lists(USAGES, min_size=1))
def test_numbers_add_up(usages):
    """
    What the span shows is the sum, and says so when a part of it has no price.
    """
    total = UsageSum()
    for usage in usages:
        total.add(usage_attributes(usage))
    shown = total.close()

    assert sum(u.total_tokens for u in usages) == shown["llm.total_tokens"]
    assert sum(u.prompt_tokens or 0 for u in usages) == shown.get("llm.prompt_tokens", 0)
    assert sum(u.cost_usd or 0 for u in usages) == shown.get("llm.cost_usd", 0)
    assert ("unpriced" if any(u.cost_usd is None for u in usages) else "priced") == shown["llm.cost_status"]
