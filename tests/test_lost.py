"""Lost context: a primitive that a workflow had run in another thread is told of, and nobody else is."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import threading
import time
import weakref
from concurrent import futures
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from opentelemetry import trace
from programs import clean
from programs import run as run_program

import tta_observe
from tta_observe import _lost, primitive, traced_primitive, workflow
from tta_observe.cli.doctor import settings, store
from tta_observe.instruments import CONTEXT_LOST

HERE = Path(__file__).name


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """What other tests lost is theirs, and so are their threads, which have to end before ours are told apart."""
    monkeypatch.delenv(_lost.SWITCH, raising=False)
    _lost._forget()
    deadline = time.monotonic() + 10
    while (left := strangers()) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [] == left
    yield
    assert {} == _lost._OPEN, "the test left a workflow open"


def strangers():
    others = (thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    return [name for name in others if not name.startswith(_lost._HELPERS)]


@traced_primitive
def fetch(*_):
    return "fetched"


def named(name):
    return traced_primitive(name=name)(lambda *_: None)


def late(*_):
    """Fetch when whoever has started this has gone on."""
    time.sleep(0.02)
    return fetch()


def lost(telemetry):
    """How often each primitive was said to have lost its context."""
    return telemetry.counts(CONTEXT_LOST, by="primitive.name")


@contextmanager
def pool(workers=1, *, warm=True):
    with futures.ThreadPoolExecutor(workers) as executor:
        if warm:  # so that its thread is there, and knows of no workflow
            executor.submit(int).result()
        yield executor


def thread(target):
    started = threading.Thread(target=target)
    started.start()
    started.join()


def new_worker():
    with pool(warm=False) as executor:
        executor.submit(fetch).result()


def at_exit():
    with pool() as executor:
        executor.submit(late)


def results():
    with pool() as executor:
        executor.submit(late).result()


def mapped():
    with pool() as executor:
        list(executor.map(late, range(2)))


def waited():
    with pool() as executor:
        futures.wait([executor.submit(late)])


def completed():
    with pool() as executor:
        list(futures.as_completed([executor.submit(late)]))


def own_loop():
    async def fetches():
        late()

    thread(lambda: asyncio.run(fetches()))


WAYS = {
    "thread that was just started": (lambda: thread(fetch), 1),
    "thread that is joined": (lambda: thread(late), 1),
    "thread with an event loop": (own_loop, 1),
    "thread of an executor that was just started": (new_worker, 1),
    "result()": (results, 1),
    "map()": (mapped, 2),
    "wait()": (waited, 1),
    "as_completed()": (completed, 1),
    "end of an executor": (at_exit, 1),
}


@pytest.mark.parametrize(("way", "times"), WAYS.values(), ids=WAYS.keys())
def test_what_a_workflow_has_run_in_another_thread_is_counted(telemetry, way, times):
    """
    The spans are there, in a trace of their own, and nobody finds out why the workflow looks so fast.
    """
    with workflow("chat"):
        way()

    assert {"fetch": times} == lost(telemetry)
    assert {"fetch": times} == tta_observe.stats().lost_context


@pytest.mark.parametrize("warm", [False, True], ids=["new threads", "idle thread"])
def test_what_a_workflow_has_an_event_loop_run_in_an_executor_is_counted(telemetry, warm):
    """
    ``run_in_executor`` hands over no context, as ``to_thread`` does: the commonest loss of all.
    """

    def job():
        fetch()
        time.sleep(0.05)  # the event loop goes on meanwhile, and waits for it

    async def main():
        with pool(4, warm=warm) as executor, workflow("chat"):
            loop = asyncio.get_running_loop()
            await asyncio.gather(*[loop.run_in_executor(executor, job) for _ in range(4)])
            await asyncio.to_thread(fetch)

    asyncio.run(main())

    assert {"fetch": 4} == lost(telemetry)
    assert {} == _lost._IN_VAIN, "what was found in the end was not looked for in vain"


def test_tasks_of_a_workflow_are_known_by_the_context_they_hand_work_over_in(telemetry):
    """
    A task group opens tasks of its own, in none of which the workflow was opened.
    """

    async def ask(executor):
        await asyncio.get_running_loop().run_in_executor(executor, late)

    async def main():
        with pool() as executor, workflow("chat"):
            async with asyncio.TaskGroup() as group:
                group.create_task(ask(executor))

    asyncio.run(main())

    assert {"fetch": 1} == lost(telemetry)


def results_elsewhere():
    with pool() as executor:
        executor.submit(fetch).result()


def test_thread_that_runs_beside_a_workflow_is_none_of_its_business(telemetry):
    """
    A server answers requests that are no workflows while others are: an alarm there would be switched off for good.
    """
    go, done = threading.Event(), threading.Event()

    def serve():
        go.wait(10)
        fetch()
        thread(fetch)
        results_elsewhere()
        done.set()

    server = threading.Thread(target=serve)
    server.start()
    with workflow("chat"):
        go.set()
        done.wait(10)
    server.join()

    assert {} == lost(telemetry)


def test_executor_that_workflows_and_others_share_is_told_apart(telemetry):
    """
    It is the future that counts, not the executor: jobs of others run on threads that a workflow had started.
    """
    ours, theirs = named("ours"), named("theirs")
    sys.setswitchinterval(1e-5)

    def requests(executor):
        for _ in range(150):
            executor.submit(theirs).result()
            list(executor.map(theirs, range(3)))

    for _ in range(4):
        with futures.ThreadPoolExecutor(4) as executor:
            beside = threading.Thread(target=requests, args=(executor,))
            beside.start()
            for _ in range(150):
                with workflow("chat"):
                    executor.submit(ours).result()
            beside.join()

    assert "theirs" not in lost(telemetry)


def test_generator_does_not_answer_for_the_threads_of_its_consumer(telemetry):
    """
    A streamed workflow is open between its steps, too, while whoever reads it starts what threads it likes.
    """

    @workflow("chat")
    def answer():
        yield "one"
        yield "two"

    for _ in answer():
        thread(fetch)

    assert {} == lost(telemetry)


def test_task_beside_a_workflow_is_none_of_its_business(telemetry):
    """
    One event loop runs requests that are workflows and requests that are not, and hands work of both to one executor.
    """

    async def chat(opened, end):
        with workflow("chat"):
            opened.set()
            await end.wait()

    async def main():
        opened, end = asyncio.Event(), asyncio.Event()
        beside = asyncio.create_task(chat(opened, end))
        await opened.wait()
        with futures.ThreadPoolExecutor(2) as executor:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(executor, fetch)
            await loop.run_in_executor(executor, late)
            executor.submit(late).result()
        end.set()
        await beside

    asyncio.run(main())

    assert {} == lost(telemetry)


def in_a_span():
    with trace.get_tracer("theirs").start_as_current_span("theirs"), trace.use_span(SPAN):
        fetch()


SPAN = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=True))


def in_a_workflow():
    with workflow("own"):
        fetch()


@pytest.mark.parametrize(
    "target",
    [in_a_span, in_a_workflow, workflow("own")(lambda: None)],
    ids=["in a span", "in a workflow", "a workflow"],
)
def test_what_has_a_parent_or_is_a_workflow_has_lost_nothing(telemetry, target):
    """
    Whoever carries a span over by hand has done what is asked for, and a run of its own may be meant so.
    """
    with workflow("chat"):
        thread(target)

    assert {} == lost(telemetry)


def test_nothing_is_lost_where_no_workflow_is_open(telemetry):
    """
    Programs without workflows start threads, too.
    """
    with workflow("chat"):
        fetch()
    with primitive("outer"):
        thread(fetch)
        new_worker()

    assert {} == lost(telemetry)
    assert {} == _lost._IN_VAIN, "somebody looked, and paid for it"


def test_main_thread_has_lost_nothing(telemetry):
    """
    Nobody starts it: what a program does by itself while a thread runs a workflow is its own affair.
    """
    opened, end = threading.Event(), threading.Event()

    def chat():
        with workflow("chat"):
            opened.set()
            end.wait(10)

    beside = threading.Thread(target=chat)
    beside.start()
    opened.wait(10)
    fetch()
    end.set()
    beside.join()

    assert {} == lost(telemetry)
    assert {} == _lost._IN_VAIN, "somebody looked, and paid for it"


def test_context_that_was_handed_over_is_not_lost(telemetry):
    """
    The remedy has to be one.
    """
    with workflow("chat"), pool() as executor:
        executor.submit(tta_observe.propagate(late)).result()
        list(executor.map(tta_observe.propagate(fetch), range(3)))
        thread(tta_observe.propagate(fetch))
        thread(partial(contextvars.copy_context().run, fetch))

    assert {} == lost(telemetry)


def test_first_loss_of_each_primitive_names_the_line_and_the_remedy(telemetry, caplog):
    """
    One line that says where to write what; a thousand of them would be switched off.
    """

    def job():
        return fetch()

    line = job.__code__.co_firstlineno + 1
    rank = named("rank")
    with workflow("chat"), pool() as executor:
        for _ in range(3):
            executor.submit(job).result()
        executor.submit(rank).result()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    assert 2 == len(told)
    assert f"{HERE}:{line}: the workflow 'chat' has 'fetch' run in another thread" in told[0]
    assert "pool.submit(propagate(work), ...)" in told[0]
    assert f"{HERE}:{named.__code__.co_firstlineno + 1}: the workflow 'chat' has 'rank' run" in told[1]
    assert {"fetch": 3, "rank": 1} == lost(telemetry)


def test_switch_ends_it(telemetry, monkeypatch, caplog):
    """
    Some threads are meant to be apart from the workflow that starts them.
    """
    monkeypatch.setenv("TTA_OBSERVE_LOST_CONTEXT", "off")
    with workflow("chat"):
        thread(fetch)

    assert {} == lost(telemetry)
    assert [] == caplog.records


def test_primitive_that_is_never_lost_is_not_looked_at_for_ever(telemetry):
    """
    A look costs microseconds, and a server may run a million such primitives beside its workflows.
    """
    stop = threading.Event()

    def serve():
        for _ in range(_lost._MOST_LOOKS + 50):
            fetch()
        stop.set()

    server = threading.Thread(target=lambda: (time.sleep(0.02), serve()))
    server.start()
    with workflow("chat"):
        stop.wait(10)
    server.join()

    assert _lost._MOST_LOOKS == _lost._IN_VAIN["fetch"]
    assert {} == lost(telemetry)


def test_failure_in_a_lost_thread_is_let_go_of_as_without_us(telemetry):
    """
    A look at the stack must not keep what is on it: programs that switched the garbage collection off would leak.
    """

    class FailedError(Exception):
        pass

    @traced_primitive(name="failing")
    def failing():
        raise FailedError

    gc.collect()
    gc.disable()
    try:
        with workflow("chat"), pool(warm=False) as executor:
            kept = weakref.ref(executor.submit(failing).exception())
        with pool(warm=False) as executor:
            bare = weakref.ref(executor.submit(failing.__wrapped__).exception())
    finally:
        gc.enable()

    assert {"failing": 1} == lost(telemetry)
    assert (None, None) == (bare(), kept())


def test_thread_that_is_not_what_it_seems_is_left_alone(telemetry):
    """
    Whatever a class of threads makes of its name, the program runs on, and nothing is claimed of it.
    """

    class Odd(threading.Thread):
        @property
        def name(self):
            asked.append(self)

    asked = []
    end = threading.Event()
    odd = Odd(target=end.wait, args=(10,))
    odd._name = 17
    odd.start()
    with workflow("chat"):
        thread(fetch)
    end.set()
    odd.join()

    assert [] == asked
    assert {} == lost(telemetry)


def test_thread_that_exports_telemetry_is_nobody_who_starts_others(telemetry):
    """
    Every program that is observed has some, and what they call by themselves belongs to no workflow.
    """
    go, done, end = threading.Event(), threading.Event(), threading.Event()

    def export():
        go.wait(10)
        named("redact")()
        done.set()
        end.wait(10)

    exporter = threading.Thread(target=export, name="OtelBatchSpanRecordProcessor")
    exporter.start()
    with workflow("chat"):
        go.set()
        done.wait(10)
        thread(fetch)
    end.set()
    exporter.join()

    assert {"fetch": 1} == lost(telemetry)


def test_workflows_that_end_in_any_way_are_forgotten(telemetry):
    """
    What is held of open workflows must not grow with those that failed or were cancelled.
    """

    async def cancelled():
        with workflow("chat"):
            asyncio.current_task().cancel()
            await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError), workflow("chat"):
        1 / 0  # noqa: B018 - fails
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())

    assert {} == _lost._OPEN


def test_forked_child_knows_nothing_of_the_workflows_of_its_parent(tmp_path):
    """
    They run in the parent; a thread of the child has nothing to do with them.
    """
    ended = run_program(
        """
        import os, threading
        import tta_observe
        from tta_observe import _lost

        tta_observe.configure(exporter="none")
        with tta_observe.workflow("chat"):
            open_before = len(_lost._OPEN)
            if not (pid := os.fork()):
                print(open_before, len(_lost._OPEN), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        """,
        tmp_path,
    )

    assert (0, "1 0\n") == (ended.code, ended.out)


@pytest.mark.parametrize("threads", [False, True])
def test_primitive_with_a_parent_is_not_looked_at(telemetry, monkeypatch, threads):
    """
    The price is paid where something is missing, not by every call.
    """
    looked = []
    monkeypatch.setattr(_lost, "look", lambda slot, site, *_: looked.append(site.name))

    def inside():
        with primitive("outer"):
            fetch()

    with workflow("chat"):
        thread(inside) if threads else inside()

    assert ["chat", *(["outer"] if threads else [])] == looked


def test_doctor_says_what_was_lost_and_what_to_write(monkeypatch, tmp_path):
    """
    A log line scrolls by; whoever wonders why a trace has holes asks the doctor.
    """
    clean(monkeypatch, tmp_path)
    path = tmp_path / "store.db"
    tta_observe.configure(exporter="local", store=path)
    try:
        with workflow("chat"):
            thread(fetch)
            thread(named("rank"))
            thread(fetch)
        tta_observe.flush()
        found = list(store.judge(store.gather(path, time.time_ns())))
        tomorrow = store.gather(path, time.time_ns() + store._DAY_NS)
    finally:
        tta_observe.shutdown()
    told = [finding for finding in found if finding.name == "lost context"]

    assert ["warning"] == [finding.state for finding in told]
    assert "workflows had run in other threads without it, in the last day: fetch 2, rank 1" == told[0].found
    assert "pool.submit(tta_observe.propagate(work), ...)" in told[0].remedy
    assert {} == tomorrow.lost


def test_doctor_knows_the_switch():
    """
    A variable that works must not be called a typing mistake.
    """
    findings = settings.check({"TTA_OBSERVE_LOST_CONTEXT": "off"})

    assert [] == [finding for finding in findings if finding.name == "environment"]
    assert ["TTA_OBSERVE_LOST_CONTEXT=off"] == [finding.found for finding in findings if finding.name == "variables"]
