"""What runs of workflows spend."""

from __future__ import annotations

import threading

from tta_observe._totals import Totals

DEADLINE = 30


def test_totals_reach_outwards():
    """
    What a nested workflow spends, its outer one spends too; a neighbour does not.
    """
    outer = Totals()
    inner, neighbour = Totals(outer), Totals(outer)
    inner.add_llm_call(10, 0.5)
    neighbour.add_llm_call(1, None)
    inner.add_primitive()

    assert (2, 11, 0.5, 1) == (outer.llm_calls, outer.tokens, outer.cost_usd, outer.primitives)
    assert (1, 10, 0.5, 1) == (inner.llm_calls, inner.tokens, inner.cost_usd, inner.primitives)


def test_totals_stop_at_the_end_of_their_workflow():
    """
    What still runs after a workflow ended is its own; the outer one, which is open, goes on counting it.
    """
    outer = Totals()
    inner = Totals(outer)
    inner.close()
    inner.add_llm_call(10, None)
    Totals(inner).add_llm_call(5, None)

    assert (0, 15) == (inner.tokens, outer.tokens)


def test_totals_count_from_many_threads():
    """
    A sum that loses some of what is added under load is worse than none.
    """
    outer = Totals()
    inner = Totals(outer)

    def add():
        for _ in range(2000):
            inner.add_llm_call(1, 0.5)
            inner.add_primitive()

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert (16_000, 16_000, 8_000.0, 16_000) == (outer.llm_calls, outer.tokens, outer.cost_usd, outer.primitives)


def test_nothing_is_told_under_the_lock_or_after_the_end():
    """
    A log handler that makes an LLM call of its own, elsewhere or right here, must not wait for ours.
    """
    told = []
    totals, ended = Totals(), Totals()

    def spend_elsewhere(cost_usd):
        told.append(cost_usd)
        thread = threading.Thread(target=totals.add_llm_call, args=(1, 1.0))
        thread.start()
        thread.join(DEADLINE)

    totals.watch(1.0, spend_elsewhere)
    ended.watch(0.0, told.append)
    ended.close()
    ended.add_llm_call(1, 1.0)
    totals.add_llm_call(1, 2.0)

    assert ([2.0], 3.0) == (told, totals.cost_usd)


def test_totals_of_ended_workflows_are_let_go():
    """
    A workflow that starts its successor for ever is nested ever deeper; what has ended must not pile up.
    """
    totals = Totals()
    for _ in range(100):
        totals, ended = Totals(totals), totals
        ended.close()

    chain = 0
    while totals is not None:
        chain, totals = chain + 1, totals.outer
    assert chain <= 2
