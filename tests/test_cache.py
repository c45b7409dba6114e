"""What application caches save."""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import (
    ConfigurationError,
    agent,
    primitive,
    record_cache_operation,
    record_llm_usage,
    step,
    traced_primitive,
    workflow,
)
from tta_observe.context import FRAME
from tta_observe.instruments import CACHE_HITS, CACHE_LOOKUPS, CACHE_SAVINGS, LLM_COST
from tta_observe.testing import captured_telemetry

PRICES_USD = {"fast": 0.013, "deep": 0.37}
WORKLOAD = ["fast", "fast", "deep", "fast", "deep", "fast", "deep", "deep", "fast"]


def ask(cost_usd=0.25):
    """
    Call a model.
    """
    with primitive("ask", type="llm"):
        record_llm_usage(model="m", prompt_tokens=1, cost_usd=cost_usd)


@traced_primitive(type="cache", name="answers")
def look_up(*, hit, then=None):
    """
    Look up, and compute inside what is missing when there is something to compute.
    """
    record_cache_operation(hit=hit)
    if not hit and then:
        then()


def saved(telemetry):
    return round(telemetry.total(CACHE_SAVINGS), 9)


def test_hits_and_lookups_are_counted_for_the_current_primitive(telemetry):
    """
    The hit rate is one by the other.
    """
    with primitive("embeddings", type="cache"):
        record_cache_operation(hit=True)
        record_cache_operation(hit=False, cache_type="redis")

    assert {"embeddings": 2} == telemetry.counts(CACHE_LOOKUPS, by="primitive.name")
    assert {"memory": 1, "redis": 1} == telemetry.counts(CACHE_LOOKUPS, by="cache.type")
    assert {"memory": 1} == telemetry.counts(CACHE_HITS, by="cache.type")


def test_the_name_can_be_given_and_may_be_missing(telemetry):
    """
    A lookup belongs to whoever says so; outside any primitive the label is left out.
    """
    record_cache_operation(hit=True, name="sessions")
    record_cache_operation(hit=True)

    assert {"sessions": 1, None: 1} == telemetry.counts(CACHE_LOOKUPS, by="primitive.name")


def test_a_miss_saves_nothing(telemetry):
    """
    Whatever the caller says.
    """
    with workflow("w"):
        record_cache_operation(hit=True, saved_usd=0.5)
        record_cache_operation(hit=False, saved_usd=0.5)

    assert 0.5 == telemetry.total(CACHE_SAVINGS)


@pytest.mark.parametrize("saved", ["x", -1, float("nan"), object(), True])
def test_a_saving_that_is_no_number_is_left_out(telemetry, saved):
    """
    The hit counts, and the metrics live on.
    """
    record_cache_operation(hit=True, saved_usd=saved)

    assert (1, 0) == (telemetry.total(CACHE_HITS), telemetry.total(CACHE_SAVINGS))


def test_the_key_never_leaves(telemetry):
    """
    Keys hold prompts and names.
    """
    with primitive("p", type="cache"):
        record_cache_operation(hit=True, key="secret prompt")

    assert "secret" not in telemetry.span("p").span.to_json()
    assert 16 == len(telemetry.span("p").attributes["cache.key"])


class Moody:
    """Says who asks."""

    asked = 0

    def __bool__(self):
        Moody.asked += 1
        raise ValueError("ambiguous")


@pytest.mark.parametrize("hit", [Moody(), "yes", None, [1], 2, 0.5, float("nan")])
def test_a_hit_that_is_neither_true_nor_false_is_not_recorded(telemetry, caplog, hit):
    """
    Arrays and ORM objects have opinions about ``bool``, and code of theirs runs to tell them.
    """
    with workflow("w"):
        record_cache_operation(hit=hit)

    assert ([], 0) == (telemetry.points(CACHE_LOOKUPS), Moody.asked)
    assert "Pass True or False" in caplog.text
    assert "cache.hit" not in telemetry.span("workflow.w.execute").attributes


@pytest.mark.parametrize("hit", [True, 1, 1.0])
def test_numbers_that_are_true_are_hits(telemetry, hit):
    """
    A flag that came out of a database is one.
    """
    record_cache_operation(hit=hit)
    record_cache_operation(hit=hit - 1)

    assert (1, 2) == (telemetry.total(CACHE_HITS), telemetry.total(CACHE_LOOKUPS))


def test_unknown_option_is_refused():
    """
    ``ttl=60`` would be lost.
    """
    with pytest.raises(ConfigurationError, match="has no option 'ttl'"):
        record_cache_operation(hit=True, ttl=60)


def uncached(questions):
    for question in questions:
        with workflow(question):
            ask(PRICES_USD[question])


def get_or_compute(questions, known):
    for question in questions:
        with workflow(question), primitive(f"{question} answers", type="cache"):
            hit = question in known
            if not hit:
                ask(PRICES_USD[question])
                known.add(question)
            record_cache_operation(hit=hit)


def look_up_then_compute(questions, known):
    for question in questions:
        with workflow(question):
            with primitive(f"{question} answers", type="cache"):
                hit = question in known
                record_cache_operation(hit=hit)
            if not hit:
                ask(PRICES_USD[question])
                known.add(question)


def look_up_without_a_primitive(questions, known):
    for question in questions:
        with workflow(question):
            hit = question in known
            record_cache_operation(hit=hit)
            if not hit:
                ask(PRICES_USD[question])
                known.add(question)


@pytest.mark.parametrize("shape", [get_or_compute, look_up_then_compute, look_up_without_a_primitive])
def test_savings_and_cost_are_the_cost_without_a_cache(shape):
    """
    The one figure that decides whether a cache is worth having.
    """
    with captured_telemetry() as without:
        uncached(WORKLOAD)
    with captured_telemetry() as with_cache:
        shape(WORKLOAD, set())

    assert round(without.total(LLM_COST), 9) == round(with_cache.total(LLM_COST) + with_cache.total(CACHE_SAVINGS), 9)
    assert 4 * 0.013 + 3 * 0.37 == pytest.approx(with_cache.total(CACHE_SAVINGS))


def test_the_span_of_a_hit_says_what_it_saved(telemetry):
    """
    In a trace one sees why it was fast, and what it would have cost.
    """
    with workflow("w"):
        look_up(hit=False, then=ask)
        look_up(hit=True)
    spans = [span.attributes for span in telemetry.spans if span.shown == "answers"]

    assert [None, 0.25] == [attributes.get("cache.savings_usd") for attributes in spans]


def test_a_hit_saves_the_mean_of_its_own_cache(telemetry):
    """
    Answers of two models cost what they cost together.
    """
    with workflow("w"):
        look_up(hit=False, then=lambda: ask(0.1))
        look_up(hit=False, then=lambda: ask(0.3))
        with primitive("other", type="cache"):
            record_cache_operation(hit=False)
            ask(9)
        look_up(hit=True)

    assert {"answers": 0.2} == telemetry.counts(CACHE_SAVINGS, by="primitive.name")


def test_hits_that_come_first_are_added_when_the_cost_is_known(telemetry):
    """
    A process that starts with a warm cache would be told that it saves nothing.
    """
    with workflow("w"):
        look_up(hit=True)
        look_up(hit=True)
        before = telemetry.total(CACHE_SAVINGS)
        look_up(hit=False, then=ask)

    assert (0, 0.5) == (before, saved(telemetry))
    assert all("cache.savings_usd" not in span.attributes for span in telemetry.spans)


def test_what_is_given_wins(telemetry):
    """
    Who has the invoice of the call that was spared knows better than a mean.
    """
    with workflow("w"):
        look_up(hit=False, then=ask)
        record_cache_operation(hit=True, name="answers", saved_usd=7)

    assert 7 == saved(telemetry)


LATE = """
from tta_observe import _prices, primitive, record_cache_operation, record_llm_usage, workflow
from tta_observe.testing import captured_telemetry

def answer(hit):
    with workflow("w"), primitive("answers", type="cache"):
        record_cache_operation(hit=hit)
        if not hit:
            record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=1_000_000, completion_tokens=0)

with captured_telemetry() as telemetry:
    for hit in (False, True, True):
        answer(hit)
    _prices.drain(30)
    cost_usd, saved_usd = telemetry.total("llm.cost.total"), telemetry.total("cache.savings.total")
    print(cost_usd > 0, saved_usd == 2 * cost_usd)
"""


def test_prices_that_are_still_being_read_are_waited_for():
    """
    The first seconds of a process count, too; no call of the application waits.
    """
    said = subprocess.check_output([sys.executable, "-c", LATE], text=True)

    assert "True True" == said.strip()


def test_an_unknown_price_is_no_zero(telemetry):
    """
    Half of the misses at $0 would halve what the cache is worth.
    """
    with workflow("w"):
        look_up(hit=False, then=ask)
        look_up(hit=False, then=lambda: record_llm_usage(model="new", prompt_tokens=1))
        look_up(hit=False, then=lambda: (ask(5), record_llm_usage(model="new", prompt_tokens=1)))
        look_up(hit=True)

    assert 0.25 == saved(telemetry)


def test_a_cache_of_something_else_saves_no_money(telemetry):
    """
    Without an LLM call there is nothing to say, and nothing is said.
    """
    with workflow("w"):
        look_up(hit=False)
        look_up(hit=True)

    assert [] == telemetry.points(CACHE_SAVINGS)


def test_a_miss_that_needed_no_call_cost_nothing(telemetry):
    """
    Nor would its hits have.
    """
    with workflow("w"):
        look_up(hit=False, then=ask)
    with workflow("w"):
        look_up(hit=False)
    with workflow("w"):
        look_up(hit=True)

    assert 0.125 == saved(telemetry)


def test_the_next_lookup_ends_what_a_miss_owns(telemetry):
    """
    What follows a hit was not computed because of the miss before.
    """
    with workflow("w"):
        look_up(hit=False)
        ask(0.1)
        look_up(hit=True)
        ask(9)
        look_up(hit=True)

    assert 0.2 == saved(telemetry)


def test_the_end_of_the_block_ends_what_a_miss_owns(telemetry):
    """
    What its caller does next is another matter.
    """
    with workflow("w"):
        with agent("coder"):
            look_up(hit=False)
            ask(0.1)
        ask(9)
        look_up(hit=True)

    assert 0.1 == saved(telemetry)


def test_what_was_spent_inside_is_all(telemetry):
    """
    When the answer was computed in the cache primitive, the rest of the workflow has nothing to do with it.
    """
    with workflow("w"):
        look_up(hit=False, then=ask)
        ask(9)
        look_up(hit=True)

    assert 0.25 == saved(telemetry)


def test_steps_are_transparent(telemetry):
    """
    A miss in one step, the call in the next.
    """
    with workflow("w"):
        with step("look up"):
            look_up(hit=False)
        with step("compute"):
            ask()
    with primitive("chain", type="sequential"):
        look_up(hit=False)
        ask()
        look_up(hit=True)

    assert 0.25 == saved(telemetry)


def test_caches_in_caches_each_own_the_call(telemetry):
    """
    A hit in either spares it.
    """

    def compute():
        with primitive("embeddings", type="cache"):
            record_cache_operation(hit=False, cache_type="redis")
            ask()

    with workflow("w"):
        look_up(hit=False, then=compute)
        look_up(hit=True)
        record_cache_operation(hit=True, name="embeddings", cache_type="redis")

    assert {"answers": 0.25, "embeddings": 0.25} == telemetry.counts(CACHE_SAVINGS, by="primitive.name")


def test_two_levels_that_both_miss_before_the_call_each_own_it(telemetry):
    """
    Memory, then Redis, then the model.
    """
    with workflow("w"):
        for level in ("memory", "redis"):
            record_cache_operation(hit=False, name="answers", cache_type=level)
        ask()
    with workflow("w"):
        record_cache_operation(hit=True, name="answers", cache_type="redis")

    assert {"redis": 0.25} == telemetry.counts(CACHE_SAVINGS, by="cache.type")


def test_several_misses_in_one_primitive_share_its_cost(telemetry):
    """
    Three texts were missing, and embedded in one call.
    """
    with workflow("w"), primitive("embeddings", type="cache"):
        for hit in (False, True, False, False):
            record_cache_operation(hit=hit)
        ask(0.3)

    assert 0.1 == saved(telemetry)


def test_recursion_pays_for_all_that_is_below(telemetry):
    """
    A hit at the top spares every call under it.
    """

    def compute(depth):
        with primitive("parts", type="cache"):
            record_cache_operation(hit=False)
            ask(1)
            if depth:
                compute(depth - 1)

    with workflow("w"):
        compute(2)
        record_cache_operation(hit=True, name="parts")

    assert (1 + 2 + 3) / 3 == saved(telemetry)


def test_tasks_side_by_side_pay_for_themselves(telemetry):
    """
    Two hundred miss at once under one parent; a hit in one of them ends nothing in the others.
    """

    async def one(number):
        look_up(hit=False)
        await asyncio.sleep(0)
        ask(number)
        await asyncio.sleep(0)
        look_up(hit=True)
        ask(1000)

    async def main():
        with workflow("w"):
            await asyncio.gather(*(one(number) for number in range(200)))

    asyncio.run(main())
    with workflow("w"):
        look_up(hit=True)
    mean = sum(range(200)) / 200

    assert mean == telemetry.spans[-1].attributes["cache.savings_usd"]


def test_tasks_that_are_started_after_a_miss_work_for_it(telemetry):
    """
    Three models are asked because the answer was missing.
    """

    async def main():
        with workflow("w"):
            look_up(hit=False)
            await asyncio.gather(asyncio.to_thread(ask, 0.1), asyncio.to_thread(ask, 0.2))
            ask(0.3)
        with workflow("w"):
            look_up(hit=True)

    asyncio.run(main())

    assert 0.6 == pytest.approx(telemetry.total(CACHE_SAVINGS))


def test_a_task_that_looks_up_itself_works_for_itself(telemetry):
    """
    What it asks from then on is not what its parent missed; and what others ask for the parent still is.
    """

    async def itself():
        look_up(hit=True)
        ask(9)

    async def for_the_parent():
        await asyncio.sleep(0.01)
        ask(0.5)

    async def main():
        with workflow("w"):
            look_up(hit=False)
            await asyncio.gather(itself(), for_the_parent())
        with workflow("w"):
            look_up(hit=True)

    asyncio.run(main())

    assert 0.5 == telemetry.spans[-1].attributes["cache.savings_usd"]


def test_a_block_that_is_left_elsewhere_leaves_nothing_behind(telemetry):
    """
    A miss makes another frame current; leaving the block ends that one, too, in a copy of the context.
    """
    block = workflow("w")
    block.__enter__()
    record_cache_operation(hit=False)
    elsewhere = contextvars.copy_context()
    elsewhere.run(block.__exit__, None, None, None)
    with workflow("next"):
        pass

    assert (None, None) == (elsewhere.run(FRAME.get), FRAME.get())


async def _in_a_thread(*, hit):
    await asyncio.to_thread(look_up, hit=hit)


async def _in_a_task(*, hit):
    async def one():
        look_up(hit=hit)

    await asyncio.create_task(one())


@pytest.mark.parametrize("looked_up", [_in_a_thread, _in_a_task])
def test_a_lookup_may_be_made_by_a_task_or_thread_of_its_own(telemetry, looked_up):
    """
    ``asyncio.wait_for`` starts a task for it on Python 3.11, and a client that blocks belongs into a thread.
    """

    async def main():
        for _ in range(2):
            with workflow("w"):
                await looked_up(hit=False)
                ask(0.1)
                ask(0.1)
                await looked_up(hit=True)
                ask(9)

    asyncio.run(main())

    assert 0.4 == pytest.approx(telemetry.total(CACHE_SAVINGS))


def test_what_tasks_left_behind_is_not_owned_by_each_of_them(telemetry):
    """
    Their parent goes on once; whoever looked up last might have done it for that.
    """

    async def one():
        look_up(hit=False)

    async def main():
        with workflow("w"):
            for _ in range(10):
                await asyncio.create_task(one())
            ask(1)
        with workflow("w"):
            look_up(hit=True)

    asyncio.run(main())

    assert 0.1 == telemetry.total(CACHE_SAVINGS)


def test_a_late_call_of_what_was_started_inside_counts_no_more(telemetry):
    """
    The miss has been accounted for when its block ended.
    """

    async def main():
        with workflow("w"):
            look_up(hit=False)
            ask(0.1)
            late = asyncio.create_task(asyncio.to_thread(ask, 9))
        await late
        look_up(hit=True)

    asyncio.run(main())

    assert saved(telemetry) in (0.1, 9.1)  # the thread may have been quicker


@pytest.mark.parametrize("hit", [True, False])
def test_chains_that_start_their_successor_hold_nothing(telemetry, hit):
    """
    Each task starts the next inside its own cache primitive: what came before it must not be kept.
    """
    started, held = [], []

    async def link(left):
        look_up(hit=hit)
        with primitive("chain", type="cache"):
            record_cache_operation(hit=hit)
            held.append(len(FRAME.get().spent))
            if left:
                started.append(weakref.ref(asyncio.create_task(link(left - 1))))

    async def main():
        with workflow("w"):
            await link(50)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)

    asyncio.run(main())
    gc.collect()

    assert (51, 0) == (len(held), sum(task() is not None for task in started))
    assert max(held) <= 4


def test_open_misses_of_one_block_are_bounded(telemetry):
    """
    A server that never leaves its workflow starts tasks for ever.
    """

    async def one():
        look_up(hit=False)
        ask()

    async def main():
        with workflow("server"):
            for _ in range(1200):
                await asyncio.create_task(one())
            look_up(hit=True)
            return len(FRAME.get().misses)

    assert 1000 >= asyncio.run(main())
    assert 0.25 == saved(telemetry)


def test_caches_are_bounded(telemetry):
    """
    Names made of identifiers fold into ``other`` here as they do on the metrics.
    """
    for number in range(300):
        with workflow("w"):
            record_cache_operation(hit=False, name=f"c{number}")
            ask()
    record_cache_operation(hit=True, name="c299")

    assert {"other": 0.25} == telemetry.counts(CACHE_SAVINGS, by="primitive.name")


def test_totals_are_exact_under_threads_and_tasks(telemetry):
    """
    Eight threads and two hundred tasks record at once.
    """
    before = threading.Barrier(8)

    def work(number):
        before.wait()
        for turn in range(100):
            with workflow("w"):
                look_up(hit=False, then=lambda: ask(0.5))
                look_up(hit=bool(turn % 2))
                ask(0.5)
        return number

    async def task():
        with workflow("w"):
            look_up(hit=False)
            await asyncio.sleep(0)
            ask(0.5)
            await asyncio.sleep(0)
            look_up(hit=True)

    async def tasks():
        await asyncio.gather(*(task() for _ in range(200)))

    with ThreadPoolExecutor(8) as pool:
        threads = [pool.submit(work, number) for number in range(8)]
        asyncio.run(tasks())
        [thread.result() for thread in threads]

    assert 8 * 200 + 400 == telemetry.total(CACHE_LOOKUPS)
    assert 8 * 50 + 200 == telemetry.total(CACHE_HITS)
    assert (8 * 50 + 200) * 0.5 == telemetry.total(CACHE_SAVINGS)


async def _agent_of(turns, lookups):
    """
    Look up at every turn; at the one after a miss, compute; after a hit, do something else with a model.
    """
    while (hit := await turns.get()) is not None:
        lookups.append(hit)
        look_up(hit=hit)
        if hit:
            ask(9)
        turns.task_done()
        if not hit:
            await turns.get()
            ask()
            turns.task_done()
    turns.task_done()


@given(script=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_no_interleaving_changes_what_is_saved(script):
    """
    Whoever runs when under one parent, each task pays for its own misses.
    """
    lookups = []

    async def main():
        with workflow("w"):
            queues = [asyncio.Queue() for _ in range(4)]
            tasks = [asyncio.create_task(_agent_of(queue, lookups)) for queue in queues]
            for who, hit in [*script, *((who, None) for _ in range(2) for who in range(4))]:
                if not tasks[who].done():
                    queues[who].put_nowait(hit)
                    await queues[who].join()

    with captured_telemetry() as telemetry:
        asyncio.run(main())
        saved_usd = telemetry.total(CACHE_SAVINGS)

    assert (0.25 * sum(lookups) if False in lookups else 0) == saved_usd
