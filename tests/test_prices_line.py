"""What waits until the prices are read: nobody's call, nothing lost, nothing out of order."""

import gc
import os
import threading
import time

import pytest
from programs import run

from tta_observe import _prices
from tta_observe._prices import line


@pytest.fixture(name="prices")
def _prices_that_take_their_time(monkeypatch):
    """A line of this test alone, whose prices are read when it says so."""
    may_end = threading.Event()
    made = line._Line()
    made.exit_hook = True
    monkeypatch.setattr(line, "_LINE", made)
    monkeypatch.setattr(line, "_read_book", lambda: may_end.wait(30) and None)
    yield may_end
    may_end.set()
    deadline = time.monotonic() + 10
    while len(made.turn) == 0 and time.monotonic() < deadline:
        time.sleep(0.001)


def test_without_anybody_waiting_it_is_done_at_once():
    """
    The rule, once the prices are read: the caller's own thread, before in_order() returns.
    """
    done = []
    _prices.in_order(lambda: done.append(threading.get_ident()))

    assert [threading.get_ident()] == done


def test_what_needs_no_price_waits_only_behind_something(prices):
    """
    A program without a single LLM call must not wait for prices.
    """
    done = []
    _prices.in_order(lambda: done.append("first"), needs_price=False)

    assert ["first"] == done

    _prices.in_order(lambda: done.append("priced"))
    _prices.in_order(lambda: done.append("after it"), needs_price=False)

    assert ["first"] == done

    prices.set()

    assert _prices.drain(10)
    assert ["first", "priced", "after it"] == done


def test_nobody_waits_for_the_prices(prices):
    """
    Importing them takes a tenth of a second, which no call may pay.
    """
    started = time.monotonic()
    for _ in range(1000):
        _prices.in_order(list)

    assert time.monotonic() - started < 1
    assert not _prices.drain(0.01)


def test_order_is_kept_across_the_moment_when_the_prices_are_there(prices):
    """
    A span must not end before its cost is on it, nor a workflow before its last call is counted.
    """
    done = {name: [] for name in range(8)}

    def host(name):
        for i in range(500):
            _prices.in_order(lambda i=i: done[name].append(i))
            if i == 250:
                prices.set()

    threads = [threading.Thread(target=host, args=(name,)) for name in done]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _prices.drain(10)
    assert {name: list(range(500)) for name in done} == done


def test_work_that_asks_for_more_work_has_its_turn_later(prices):
    """
    Recording may record: without end, on one stack, that would not do.
    """
    done = []

    def work(depth):
        done.append(depth)
        if depth:
            _prices.in_order(lambda: work(depth - 1))

    _prices.in_order(lambda: work(2000))
    prices.set()
    while not _prices.drain(10) or len(done) < 2001:
        time.sleep(0.001)

    assert list(range(2000, -1, -1)) == done


@pytest.mark.swallowed
@pytest.mark.parametrize("error", [ValueError("ours"), SystemExit(3), KeyboardInterrupt()])
def test_work_that_fails_does_not_stop_the_next(prices, error):
    """
    One hostile value must not cost the telemetry of everybody behind it.
    """
    done = []

    def fail():
        raise error

    _prices.in_order(fail)
    _prices.in_order(lambda: done.append(1))
    prices.set()

    assert _prices.drain(10)
    assert [1] == done


def test_what_comes_too_fast_is_done_without_a_price(prices, monkeypatch, caplog):
    """
    Memory is bounded; a call too many is recorded without its price, counted, and said once.
    """
    monkeypatch.setattr(line, "LIMIT", 10)
    done = []
    for i in range(13):
        _prices.in_order(lambda i=i: done.append(i))

    assert [10, 11, 12] == done
    assert 3 == _prices.unread()
    assert 1 == caplog.text.count("some are recorded without")

    prices.set()

    assert _prices.drain(10)
    assert [10, 11, 12, *range(10)] == done


def test_a_finalizer_in_the_middle_does_no_harm(prices):
    """
    The garbage collector closes generators anywhere: also while something is put into the line.
    """
    done = []

    class Garbage:
        def __init__(self):
            self.me = self

        def __del__(self):
            _prices.in_order(lambda: done.append(1))

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(300):
            Garbage()
            _prices.in_order(lambda: done.append(2))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    prices.set()

    assert _prices.drain(10)
    assert (300, 300) == (done.count(1), done.count(2))


def test_work_that_flushes_does_not_wait_for_itself(prices):
    """
    A log handler or a redactor of the user may call flush() from anywhere.
    """
    done = []
    _prices.in_order(lambda: done.append(_prices.drain(30)))
    prices.set()

    assert _prices.drain(10)
    assert [False] == done


def test_where_no_thread_can_be_started_a_flush_does_the_work(prices, monkeypatch):
    """
    At the end of the interpreter, and in a container at its limit, what waits is still recorded.
    """

    def refuse(*_args, **_kwargs):
        raise RuntimeError("can't start new thread")

    done = []
    prices.set()
    monkeypatch.setattr(line.threading, "Thread", refuse)
    _prices.in_order(lambda: done.append(threading.get_ident()))

    assert [] == done
    assert _prices.drain(10)
    assert [threading.get_ident()] == done


def test_interrupted_start_does_not_stop_the_line(prices, monkeypatch):
    """
    Ctrl-C while the thread is started belongs to the program; the next call starts it again.
    """
    real = threading.Thread

    def interrupt(*_args, **_kwargs):
        monkeypatch.setattr(line.threading, "Thread", real)
        raise KeyboardInterrupt

    done = []
    prices.set()
    monkeypatch.setattr(line.threading, "Thread", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _prices.in_order(lambda: done.append(1))

    assert _prices.drain(10)
    assert [1] == done


def test_a_deadline_is_shared_with_the_delivery(prices):
    """
    flush(0.2) returns after 0.2 s, and has tried to deliver what there is.
    """
    _prices.in_order(list)
    given = []

    def deliver(left_s):
        given.append(left_s)
        return True

    assert not _prices.after_drain(deliver, 0.2)
    assert 0.05 < given[0] <= 0.1


def test_any_timeout_is_taken(prices):
    """
    What a caller means by infinity or by less than nothing is clear enough.
    """
    _prices.in_order(list)

    assert not _prices.drain(-1)

    prices.set()

    assert _prices.drain(float("inf"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_does_not_happen_in_the_middle_of_the_import(monkeypatch):
    """
    The child would inherit locks on modules that nobody releases, and hang at its next import.
    """
    made = line._Line()
    began = threading.Event()

    def read():
        began.set()
        time.sleep(0.2)

    monkeypatch.setattr(line, "_read_book", read)
    made.wanted.set()
    made.waiting.append(list)
    made.start()
    began.wait(10)
    made.before_fork()

    assert made.is_read

    made.after_fork()


PRELUDE = """
import sys, time
started = time.perf_counter()
from tta_observe import *
from tta_observe import _prices
from tta_observe._prices import line

def call(model="gpt-4o", **more):
    with primitive("ask", type="llm"):
        return record_llm_usage(provider="openai", model=model, prompt_tokens=1000, completion_tokens=100, **more)
"""

SHOW = """
def shown(telemetry):
    rows = telemetry.span("ask").attributes
    return rows.get("llm.cost_usd"), rows["llm.cost_status"], rows.get("llm.price_source", "").split()[0:1]
"""


def test_the_first_call_of_a_short_program_has_its_cost(tmp_path):
    """
    A script of fifty milliseconds is a customer, too.
    """
    program = """
    configure(exporter="console")
    call()
    """
    ended = run(PRELUDE + program.replace("\n    ", "\n"), tmp_path)

    assert 0 == ended.code
    assert "llm.cost_usd" in ended.out, ended.out + ended.err
    assert "0.0035" in ended.out
    assert "genai-prices" in ended.out


def test_captured_telemetry_has_the_cost_of_the_call_before(tmp_path):
    """
    A user's test reads what was recorded a moment ago, in a process that has just begun.
    """
    program = """
from tta_observe.testing import captured_telemetry
with captured_telemetry() as telemetry:
    call()
    print(shown(telemetry))
"""
    ended = run(PRELUDE + SHOW + program, tmp_path)

    assert ("(0.0035, 'priced', ['genai-prices'])\n", "") == (ended.out, ended.err)


def test_without_genai_prices_one_warning_says_what_to_do(tmp_path):
    """
    A broken installation costs the prices, not the telemetry; the user's own prices hold.
    """
    program = """
sys.modules["genai_prices"] = None
from tta_observe.testing import captured_telemetry
with captured_telemetry(prices={"mine": Price(1, 2)}) as telemetry:
    call(), call()
    with primitive("own", type="llm"):
        record_llm_usage(provider="x", model="mine", prompt_tokens=1000, completion_tokens=0)
    print([span.attributes["llm.cost_status"] for span in telemetry.spans])
"""
    ended = run(PRELUDE + program, tmp_path)

    assert (0, "['unpriced', 'unpriced', 'priced']\n") == (ended.code, ended.out)
    assert 1 == ended.err.count("pip install --upgrade genai-prices")


def test_nothing_is_imported_on_a_call_nor_before_a_price_is_needed(tmp_path):
    """
    A program whose models all have a price of the user's own pays for no other, for a second at least.
    """
    program = """
configure(exporter="none", prices={"gpt-4o": Price(1, 2)})
for _ in range(100):
    with workflow("w"):
        call()
print("genai_prices" in sys.modules, time.perf_counter() - started < 1)
"""
    ended = run(PRELUDE + program, tmp_path)

    assert "False True\n" == ended.out, ended.err


def test_a_program_that_ends_without_a_price_reads_none(tmp_path):
    """
    Its last second belongs to the delivery of its telemetry.
    """
    program = """
import atexit
line._IDLE_S = 0.2
atexit.register(lambda: print(time.sleep(0.8), "genai_prices" in sys.modules))
configure(exporter="none")
"""
    ended = run(PRELUDE + program, tmp_path)

    assert "None False\n" == ended.out, ended.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_does_its_own_work_and_not_the_parents(tmp_path):
    """
    A cost that parent and child both record would be counted twice.
    """
    program = """
import os
done = []
for _ in range(300):
    _prices.in_order(lambda: (time.sleep(0.002), done.append(os.getpid())))
child = os.fork()
if child == 0:
    own = []
    _prices.in_order(lambda: own.append(2))
    drained = _prices.drain(10)
    print("child", os.getpid() in done, own, drained, flush=True)
    os._exit(0)
waiting = len(done) < 300
os.waitpid(child, 0)
print("parent", waiting, _prices.drain(10), done == [os.getpid()] * 300)
"""
    ended = run(PRELUDE + program, tmp_path)

    assert ["child False [2] True", "parent True True True"] == ended.out.splitlines(), ended.err


def test_where_nothing_is_configured_the_end_of_the_process_waits(tmp_path):
    """
    An application with providers of its own gets its costs, too.
    """
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
call()
"""
    ended = run(PRELUDE + program, tmp_path)

    assert '"llm.cost_usd": 0.0035' in ended.out, ended.err
