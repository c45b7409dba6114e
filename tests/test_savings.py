"""What misses cost and hits save: sums and means."""

from hypothesis import given
from hypothesis import strategies as st

from tta_observe._savings import MissCosts, Spent, add_cost, count_call, spent_inside

CACHE = ("answers", "memory")


def spent(*costs, cache=CACHE, times=1):
    """
    A miss whose LLM calls cost that much; None: nobody knows.
    """
    made = Spent()
    made.count_miss(cache, times)
    for cost in costs:
        add_cost(count_call((made,)), cost)
    return made


def test_a_hit_waits_until_a_cost_is_known():
    """
    It was no hit for nothing; what it saved is only not known yet.
    """
    costs = MissCosts()

    assert [None, None] == [costs.hit(CACHE), costs.hit(CACHE)]
    assert 1.0 == costs.miss(CACHE, spent(0.5))
    assert (None, 0.5) == (costs.miss(CACHE, spent(0.5)), costs.hit(CACHE))


def test_an_unknown_cost_is_in_no_mean():
    """
    Never 0, and never the known half of a sum.
    """
    costs = MissCosts()
    costs.miss(CACHE, spent(1.0))

    assert (None, None) == (costs.miss(CACHE, spent(None)), costs.miss(CACHE, spent(4.0, None)))
    assert 1.0 == costs.hit(CACHE)


def test_a_usage_that_is_found_later_makes_the_cost_known():
    """
    An LLM call that ended without one was counted; the call around it returned it.
    """
    made = spent(None)
    add_cost(count_call((made,)), 0.5, is_new=False)

    assert (0, 0.5) == (made.unknown, made.cost_usd)


def test_what_has_ended_counts_no_more():
    """
    A call that was made before counts, whenever its price comes in.
    """
    made = spent(1.0)
    counted = count_call((made,))

    assert [True, False] == [made.close(), made.close()]

    add_cost(counted, 1.0)
    add_cost(count_call((made,)), 1.0)

    assert 2.0 == made.cost_usd


def test_what_has_ended_is_not_passed_on():
    """
    Tasks that start their successor for ever would pass on an endless list.
    """
    ended, still, own = Spent(), Spent(), Spent()
    ended.close()

    assert (still, own) == spent_inside((ended, still), own)


def test_caches_past_the_limit_share_one_mean():
    """
    The state stays small, as the metrics do.
    """
    costs = MissCosts(most=2)
    for number, cost in enumerate((1.0, 2.0, 3.0, 5.0)):
        cache = (f"c{number}", "memory")
        costs.miss(cache, spent(cost, cache=cache))

    assert [1.0, 2.0, 4.0, 4.0] == [costs.hit((f"c{number}", "memory")) for number in (0, 1, 2, 9)]


@given(st.lists(st.none() | st.integers(0, 1000), max_size=50))
def test_hits_save_the_mean_of_what_is_known(events):
    """
    In whatever order misses (with their cost) and hits (None) come.
    """
    costs, saved, known, waiting = MissCosts(), 0.0, [], 0
    expected = 0.0
    for event in events:
        if event is None:
            saved += costs.hit(CACHE) or 0
            waiting += 1
        else:
            known.append(event)
            saved += costs.miss(CACHE, spent(float(event))) or 0
        if known:
            expected, waiting = expected + waiting * sum(known) / len(known), 0

    assert expected == saved
