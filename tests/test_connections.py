"""Edges of the service map: each row of the design's table, random programs, and what must never be joined."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import os
import sys
import threading
import time
import tracemalloc
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Call, Fork, Sequence, programs

from tta_observe import _connections
from tta_observe.context import POSITION
from tta_observe.semconv import NESTED, OTHER, PARALLEL, SEQUENTIAL

PROGRAMS = 700  # about one in six has a shape that cannot be decided


class Trail:
    """What a program under test did: the edges it gave, and when each node started and ended."""

    def __init__(self):
        self.edges = Counter()
        self.started = {}
        self.ended = {}
        self._clock = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def block(self, name, *, is_workflow=False, anchor=None):
        visit = self.enter(name, is_workflow=is_workflow, anchor=anchor)
        try:
            yield visit
        finally:
            self.leave(visit)

    def enter(self, name, *, is_workflow=False, anchor=None):
        visit = _connections.enter(name, is_workflow=is_workflow, anchor=anchor)
        self.started.setdefault(name, next(self._clock))
        with self._lock:
            for source, kind, count in visit.edges:
                self.edges[source, name, kind] += count
        return visit

    def leave(self, visit):
        self.ended.setdefault(visit.name, next(self._clock))
        _connections.leave(visit)

    def workflow(self, name="W"):
        return self.block(name, is_workflow=True)

    def call(self, *names):
        for name in names:
            with self.block(name):
                pass

    async def acall(self, *names, until=None, pauses=0):
        for name in names:
            with self.block(name):
                await (pause(pauses) if until is None else until.wait())

    def generator(self, name, items=3, inside=()):
        """A decorated generator: its position is swapped in for each step and out again at each yield."""
        outside, visit, here = POSITION.get(), self.enter(name), POSITION.get()
        POSITION.set(outside)
        try:
            for item in range(items):
                outside = POSITION.get()
                POSITION.set(here)
                self.call(*inside)
                here = POSITION.get()
                POSITION.set(outside)
                yield item
        finally:
            self.leave(visit)

    def unordered(self):
        """Edges, other than from a parent, whose source had not ended when its target started."""
        return {
            edge
            for edge in self.edges
            if edge[2] != NESTED and self.ended.get(edge[0], float("inf")) > self.started[edge[1]]
        }


async def pause(times=1):
    for _ in range(times):
        await asyncio.sleep(0)


def sequential(*nodes):
    return Counter({(a, b, SEQUENTIAL): 1 for a, b in itertools.pairwise(nodes)})


def parallel(*pairs):
    return Counter({(a, b, PARALLEL): 1 for a, b in pairs})


def nested(parent, *children):
    return Counter({(parent, child, NESTED): 1 for child in children})


def live_strands():
    gc.collect()
    return sum(isinstance(found, _connections.Strand) for found in gc.get_objects())


@pytest.fixture(name="trail", autouse=True)
def _trail():
    """
    Each test starts where nothing ran before.
    """
    POSITION.set(None)
    yield Trail()
    POSITION.set(None)


@pytest.fixture
def impatient_threads():
    """
    Threads change as often as they can, so a race shows.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


# The table of the design, row by row.


def test_one_after_the_other(trail):
    """
    The plainest program has the plainest map.
    """
    with trail.workflow():
        trail.call("A", "B")

    assert nested("W", "A") + sequential("A", "B") == trail.edges


def test_gather_forks_and_joins(trail):
    """
    A fan-out is the shape that a list of spans in order of time gets wrong: never B to C, nor A to D.
    """

    async def main():
        with trail.workflow():
            await trail.acall("A")
            await asyncio.gather(trail.acall("B", pauses=1), trail.acall("C"))
            await trail.acall("D")

    asyncio.run(main())

    assert nested("W", "A") + parallel(("A", "B"), ("A", "C"), ("B", "D"), ("C", "D")) == trail.edges


def test_branches_may_be_longer_than_one_call(trail):
    """
    What is joined is where a branch ended, not where it began.
    """

    async def main():
        with trail.workflow():
            await trail.acall("A")
            await asyncio.gather(trail.acall("B", "E", pauses=1), trail.acall("C", "F"))
            await trail.acall("D")

    asyncio.run(main())

    forks = parallel(("A", "B"), ("A", "C"), ("E", "D"), ("F", "D"))
    assert nested("W", "A") + sequential("B", "E") + sequential("C", "F") + forks == trail.edges


def test_loop_follows_itself(trail):
    """
    How often an agent goes round is a number on the map, not a longer map.
    """
    with trail.workflow():
        trail.call(*"AAAAA")

    assert nested("W", "A") + Counter({("A", "A", SEQUENTIAL): 4}) == trail.edges


def test_children_belong_to_their_parent(trail):
    """
    What runs inside a primitive is neither before nor after its neighbours.
    """
    with trail.workflow():
        with trail.block("P"):
            trail.call("X", "Y")
        trail.call("Q")

    assert nested("W", "P") + nested("P", "X") + sequential("X", "Y") + sequential("P", "Q") == trail.edges


@pytest.mark.parametrize("late", [False, True])
def test_task_is_awaited_after_another_call(trail, late):
    """
    The fork point is where the task was made, however late it starts.
    """

    async def main():
        gate = asyncio.Event()

        async def task():
            if late:
                await gate.wait()
            await trail.acall("B")

        with trail.workflow():
            await trail.acall("A")
            running = asyncio.create_task(task())
            await trail.acall("C")
            gate.set()
            await running
            await trail.acall("D")

    asyncio.run(main())

    forks = parallel(("A", "B"), ("B", "D"))
    assert nested("W", "A") + sequential("A", "C", "D") + forks == trail.edges


def test_task_in_the_background_is_joined_once_it_has_ended(trail):
    """
    D does not wait for B, so D does not follow it; E does.
    """

    async def main():
        gate = asyncio.Event()
        with trail.workflow():
            await trail.acall("A")
            running = asyncio.create_task(trail.acall("B", until=gate))
            await pause()
            await trail.acall("D")
            gate.set()
            await running
            await trail.acall("E")

    asyncio.run(main())

    assert nested("W", "A") + sequential("A", "D", "E") + parallel(("A", "B"), ("B", "E")) == trail.edges


# Other ways to fork.


def test_fork_before_any_call_is_nested(trail):
    """
    Who forks first thing still shows where the branches come from.
    """

    async def main():
        with trail.workflow():
            await asyncio.gather(trail.acall("B"), trail.acall("C"))
            await trail.acall("D")

    asyncio.run(main())

    assert nested("W", "B", "C") + parallel(("B", "D"), ("C", "D")) == trail.edges


def test_branches_that_end_in_the_same_name_are_counted(trail):
    """
    Edges are counted, so a fan-out of three over one function shows as three.
    """

    async def main():
        with trail.workflow():
            await trail.acall("A")
            await asyncio.gather(trail.acall("B"), trail.acall("B"), trail.acall("B"))
            await trail.acall("D")

    asyncio.run(main())

    expected = {("W", "A", NESTED): 1, ("A", "B", PARALLEL): 3, ("B", "D", PARALLEL): 3}
    assert expected == trail.edges


def test_task_group(trail):
    """
    Structured concurrency is a fork and a join as well.
    """

    async def main():
        with trail.workflow():
            await trail.acall("A")
            async with asyncio.TaskGroup() as group:
                group.create_task(trail.acall("B"))
                group.create_task(trail.acall("C", pauses=2))
            await trail.acall("D")

    asyncio.run(main())

    assert nested("W", "A") + parallel(("A", "B"), ("A", "C"), ("B", "D"), ("C", "D")) == trail.edges


def test_several_threads_at_once(trail, impatient_threads):
    """
    Blocking clients are pushed into threads; the map does not lose them.
    """

    async def main():
        with trail.workflow():
            await trail.acall("A")
            await asyncio.gather(*(asyncio.to_thread(trail.call, "B", "C") for _ in range(8)))
            await trail.acall("D")

    asyncio.run(main())

    expected = {("W", "A", NESTED): 1, ("A", "B", PARALLEL): 8, ("B", "C", SEQUENTIAL): 8, ("C", "D", PARALLEL): 8}
    assert expected == trail.edges


def test_branch_that_forks_again_and_ends(trail):
    """
    A branch ends where its own branches end.
    """

    async def branch():
        await trail.acall("B")
        await asyncio.gather(trail.acall("C", pauses=2), trail.acall("D"))

    async def main():
        with trail.workflow():
            await trail.acall("A")
            await asyncio.gather(branch(), trail.acall("E"))
            await trail.acall("F")

    asyncio.run(main())

    forks = parallel(("A", "B"), ("A", "E"), ("B", "C"), ("B", "D"), ("C", "F"), ("D", "F"), ("E", "F"))
    assert nested("W", "A") + forks == trail.edges


def test_branch_that_goes_on_after_it_was_joined_is_joined_again(trail):
    """
    D cannot know that the task has more to do; what it did then is not lost for F, nor counted twice.
    """

    async def branch(gate):
        await trail.acall("B")
        await gate.wait()
        await trail.acall("E")

    async def main():
        gate = asyncio.Event()
        with trail.workflow():
            await trail.acall("A")
            running = asyncio.create_task(branch(gate))
            await pause(2)
            await trail.acall("D")
            gate.set()
            await running
            await trail.acall("F")

    asyncio.run(main())

    forks = parallel(("A", "B"), ("B", "D"), ("E", "F"))
    assert nested("W", "A") + sequential("D", "F") + sequential("B", "E") + forks == trail.edges


def test_ends_below_a_background_task_are_joined_once(trail):
    """
    A worker that forks jobs and never ends must not be counted in full by each step of the main task.
    """

    async def worker(jobs):
        await trail.acall("listen")
        while await jobs.get():
            asyncio.create_task(trail.acall("job"))  # noqa: RUF006 - nobody waits

    async def main():
        jobs = asyncio.Queue()
        with trail.workflow():
            await trail.acall("A")
            running = asyncio.create_task(worker(jobs))
            for _ in range(50):
                jobs.put_nowait(1)
                await pause(5)
                await trail.acall("step")
            jobs.put_nowait(0)
            await running

    asyncio.run(main())

    assert 50 == trail.edges["listen", "job", PARALLEL]
    assert 50 == trail.edges["job", "step", PARALLEL]


def test_failed_and_cancelled_calls_ran(trail):
    """
    What failed is what one wants to see on the map.
    """

    async def fail(name):
        with trail.block(name):
            await asyncio.sleep(0)
            raise ValueError(name)

    async def main():
        with trail.workflow():
            with pytest.raises(ValueError, match="A"):
                await fail("A")
            waiting = asyncio.create_task(trail.acall("C", until=asyncio.Event()))
            await asyncio.gather(fail("B"), pause(), return_exceptions=True)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await trail.acall("D")

    asyncio.run(main())

    assert nested("W", "A") + parallel(("A", "B"), ("A", "C"), ("B", "D"), ("C", "D")) == trail.edges


def test_nested_workflow_is_a_primitive_of_its_parent(trail):
    """
    A workflow that calls another one shows it as a step.
    """
    with trail.workflow():
        trail.call("A")
        with trail.workflow("V"):
            trail.call("X")
        trail.call("B")

    assert nested("W", "A") + nested("V", "X") + sequential("A", "V", "B") == trail.edges


# Generators, and blocks that are not left in the order in which they were entered.


def test_consumer_and_generator_both_precede_the_next_call(trail):
    """
    A stream and what is done with each chunk overlap: neither follows the other, the next call follows both.
    """
    with trail.workflow():
        trail.call("A")
        for item in trail.generator("G"):
            if item == 1:
                trail.call("B")
        trail.call("C")

    expected = nested("W", "A") + sequential("A", "G") + sequential("A", "B", "C") + sequential("G", "C")
    assert expected == trail.edges
    assert not trail.unordered()


def test_branches_forked_after_a_stream_follow_it_and_its_consumer(trail):
    """
    Read a stream, then fan out: the usual agent.
    """

    async def main():
        with trail.workflow():
            for _ in trail.generator("G", items=1):
                trail.call("B")
            await asyncio.gather(trail.acall("C"), trail.acall("D"))
            await trail.acall("E")

    asyncio.run(main())

    forks = [("G", "C"), ("B", "C"), ("G", "D"), ("B", "D"), ("C", "E"), ("D", "E")]
    assert nested("W", "G", "B") + parallel(*forks) == trail.edges


@pytest.mark.parametrize("is_branch", [False, True])
def test_generator_alone_is_one_call(trail, is_branch):
    """
    A consumer that calls nothing sees the generator as any other call, also as the first thing in a task.
    """

    async def branch():
        assert [0, 1, 2] == list(trail.generator("G", inside=("X",)))
        trail.call("C")

    async def main():
        with trail.workflow():
            trail.call("A")
            await (asyncio.create_task(branch()) if is_branch else branch())
            trail.call("D")

    asyncio.run(main())

    inner = Counter({("G", "X", NESTED): 1, ("X", "X", SEQUENTIAL): 2})
    kind = PARALLEL if is_branch else SEQUENTIAL
    ends = Counter({("A", "G", kind): 1, ("C", "D", kind): 1})
    assert nested("W", "A") + inner + ends + sequential("G", "C") == trail.edges


@pytest.mark.parametrize("is_branch", [False, True])
def test_stream_as_the_first_thing_in_a_context(trail, is_branch):
    """
    The consumer of a first generator stands on a strand of its own: the next call follows both all the same.
    """

    async def branch():
        for _ in trail.generator("G", items=1):
            trail.call("B")
        trail.call("C")

    async def main():
        if is_branch:
            with trail.workflow():
                trail.call("A")
                await asyncio.create_task(branch())
                trail.call("D")
        else:
            await branch()

    asyncio.run(main())

    around = nested("W", "A") + parallel(("A", "G"), ("A", "B"), ("C", "D")) if is_branch else Counter()
    assert around + sequential("G", "C") + sequential("B", "C") == trail.edges


def test_generators_in_step(trail):
    """
    Zipped streams overlap; what comes next follows each of them, what came before none of them twice.
    """
    with trail.workflow():
        trail.call("A")
        for _ in zip(trail.generator("G"), trail.generator("H"), strict=True):
            pass
        trail.call("C")

    expected = nested("W", "A") + sequential("A", "G", "C") + sequential("A", "H", "C")
    assert expected == trail.edges


def test_stream_that_was_open_before(trail):
    """
    A call followed by one stream that has ended is not followed again, whatever other stream ended beside it.
    """
    with trail.workflow():
        first = trail.generator("G")
        next(first)
        trail.call("A")
        second = trail.generator("H")
        next(second)
        first.close()
        second.close()
        trail.call("C")

    assert nested("W", "G", "A") + sequential("A", "H", "C") + sequential("G", "C") == trail.edges


def test_blocks_that_overlap(trail):
    """
    Blocks opened by hand may be closed in any order; nothing fails and nothing is made up.
    """
    with trail.workflow():
        trail.call("A")
        first, second = trail.enter("P"), trail.enter("Q")
        trail.leave(first)
        trail.leave(second)
        trail.call("C")

    expected = nested("W", "A") + nested("P", "Q") + sequential("A", "P") + sequential("Q", "C")
    assert expected + parallel(("P", "C")) == trail.edges
    assert not trail.unordered()


def test_blocks_that_overlap_in_a_branch(trail):
    """
    A branch is joined when the last of them has ended, and not before.
    """

    async def branch(first_left, gate):
        first, second = trail.enter("P"), trail.enter("Q")
        trail.leave(first)
        first_left.set()
        await gate.wait()
        trail.leave(second)

    async def main():
        first_left, gate = asyncio.Event(), asyncio.Event()
        with trail.workflow():
            await trail.acall("A")
            running = asyncio.create_task(branch(first_left, gate))
            await first_left.wait()
            await trail.acall("B")
            gate.set()
            await running
            await trail.acall("C")

    asyncio.run(main())

    forks = parallel(("A", "P"), ("P", "C"), ("Q", "C"))
    assert nested("W", "A") + nested("P", "Q") + sequential("A", "B", "C") + forks == trail.edges


def test_workflows_that_overlap_leave_the_context_as_it_was(trail):
    """
    A workflow without a parent leaves nothing, in whatever order it is closed.
    """
    trail.call("A")
    before = POSITION.get()
    first, second = trail.enter("V", is_workflow=True), trail.enter("W", is_workflow=True)
    trail.leave(first)
    trail.leave(second)

    assert before is POSITION.get()


def test_left_in_another_task(trail):
    """
    A task that closes what another one opened keeps its own place; the opener's next call follows the node.
    """

    async def close(visit):
        position = POSITION.get()
        trail.leave(visit)
        assert position is POSITION.get()

    async def main():
        with trail.workflow():
            await trail.acall("A")
            outside = POSITION.get()
            visit = trail.enter("G")
            POSITION.set(outside)
            await asyncio.create_task(close(visit))
            await trail.acall("C")

    asyncio.run(main())

    assert nested("W", "A") + sequential("A", "G") + parallel(("G", "C")) == trail.edges


def test_left_in_another_task_than_the_branch_that_opened_it(trail):
    """
    A branch whose stream somebody else closes ends there and then.
    """

    async def branch(outside, opened):
        opened.append(trail.enter("G"))
        POSITION.set(outside)

    async def main():
        opened = []
        with trail.workflow():
            await trail.acall("A")
            await asyncio.create_task(branch(POSITION.get(), opened))
            await trail.acall("B")
            trail.leave(opened[0])
            await trail.acall("C")

    asyncio.run(main())

    assert nested("W", "A") + sequential("A", "B", "C") + parallel(("A", "G"), ("G", "C")) == trail.edges


def test_left_in_a_copied_context(trail):
    """
    Who closes a block that it was born in stands outside afterwards.
    """

    async def close(visit):
        trail.leave(visit)
        assert outside is POSITION.get()

    async def main():
        nonlocal outside
        with trail.workflow():
            await trail.acall("A")
            outside = POSITION.get()
            await asyncio.create_task(close(trail.enter("G")))

    outside = None
    asyncio.run(main())


def test_left_twice(trail):
    """
    A generator is closed, and collected later: it ends once.
    """
    with trail.workflow():
        visit = trail.enter("A")
        trail.leave(visit)
        trail.leave(visit)
        trail.call("B")

    assert nested("W", "A") + sequential("A", "B") == trail.edges


def test_left_by_the_garbage_collector(trail):
    """
    A stream dropped half-way, in a cycle, ends whenever it is collected; it does not become part of what runs then.
    """
    with trail.workflow():
        trail.call("A")
        cycle = [trail.generator("G")]
        cycle.append(cycle)
        next(cycle[0])
        with trail.block("B"):
            del cycle
            gc.collect()
            trail.call("X")
        trail.call("C")

    expected = nested("W", "A") + nested("B", "X") + sequential("A", "G") + sequential("A", "B", "C")
    assert expected + parallel(("G", "C")) == trail.edges


def test_parent_that_ended_still_names_its_late_children(trail):
    """
    A task that outlives its parent is shown below it, and joined by nobody.
    """

    async def main():
        gate = asyncio.Event()

        async def late():
            await gate.wait()
            await trail.acall("X", "Y")

        with trail.workflow():
            with trail.block("P") as parent:
                running = asyncio.create_task(late())
                await asyncio.create_task(trail.acall("V"))
            gate.set()
            await running
            await trail.acall("Q")
        assert {} == parent.ended

    asyncio.run(main())

    assert nested("W", "P") + nested("P", "V", "X") + sequential("X", "Y") + sequential("P", "Q") == trail.edges


# No parent.


def test_script_without_a_workflow(trail):
    """
    A decorator alone already draws the map of a script.
    """
    trail.call("A", "B")
    asyncio.run(trail.acall("C"))
    trail.call("D")

    assert sequential("A", "B") + parallel(("B", "C"), ("C", "D")) == trail.edges


def test_workflow_without_a_parent_stands_alone(trail):
    """
    Two runs of a workflow are two requests, not two steps.
    """
    trail.call("A")
    before = POSITION.get()
    with trail.workflow():
        trail.call("X")
    assert before is POSITION.get()
    trail.call("B")

    assert sequential("A", "B") + nested("W", "X") == trail.edges


def test_span_of_someone_else_separates(trail):
    """
    A server's span per request is a border: nothing is joined across it, and nothing remembered.
    """
    trail.call("A")
    for request in (1, 2):
        for name in ("B", "C"):
            with trail.block(name, anchor=request):
                pass
    trail.call("D")

    assert Counter({("B", "C", SEQUENTIAL): 2}) == trail.edges


def test_no_span_has_two_names(trail):
    """
    OpenTelemetry writes "no span" as 0, Python as None.
    """
    for name, anchor in (("A", None), ("B", 0), ("C", None)):
        with trail.block(name, anchor=anchor):
            pass

    assert sequential("A", "B", "C") == trail.edges


def test_thread_starts_afresh_unless_it_was_given_a_context(trail):
    """
    A plain thread may serve anybody; one with a copied context works for whoever copied it.
    """
    trail.call("A")
    plain = threading.Thread(target=trail.call, args=("X", "Y"))
    given = threading.Thread(target=contextvars.copy_context().run, args=(trail.call, "B", "C"))
    for thread in (plain, given):
        thread.start()
        thread.join()
    trail.call("D")

    assert parallel(("A", "B"), ("C", "D")) + sequential("B", "C") == trail.edges


@pytest.mark.parametrize("found", [{}, {"asyncio": ModuleType("asyncio")}], ids=["not at all", "half-way"])
def test_asyncio_is_not_imported(trail, found, monkeypatch):
    """
    A script without asyncio need not pay for it, and a thread that is just importing it breaks nobody.
    """
    monkeypatch.setattr(sys, "modules", found)
    trail.call("A", "B")
    monkeypatch.undo()

    assert sequential("A", "B") == trail.edges


def serve_tasks(trail, serve):
    async def main():
        tasks = set()
        for _ in range(1000):
            tasks.add(asyncio.create_task(serve(trail)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(main())


def serve_threads(trail, serve):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(1000):
            pool.submit(serve_here, trail, serve)


def serve_here(trail, serve):
    """Run a coroutine that waits for nothing without a loop, so the thread has no task."""
    with pytest.raises(StopIteration):
        serve(trail).send(None)


async def handle(trail):
    trail.call("B", "C")


async def handle_in_workflow(trail):
    with trail.workflow():
        trail.call("B", "C")


@pytest.mark.parametrize("serve_all", [serve_tasks, serve_threads])
def test_requests_are_not_joined(trail, serve_all):
    """
    A server runs one request after the other; its map shows one request.
    """
    before = live_strands()
    serve_all(trail, handle)

    threads_remember_nothing = Counter() if serve_all is serve_threads else Counter({("B", "C", SEQUENTIAL): 1000})
    assert threads_remember_nothing == trail.edges
    assert before == live_strands()


@pytest.mark.parametrize("serve_all", [serve_tasks, serve_threads])
def test_requests_in_workflows_are_not_joined(trail, serve_all):
    """
    With a workflow per request the steps are joined in every kind of server, the requests in none.
    """
    before = live_strands()
    serve_all(trail, handle_in_workflow)

    assert {("W", "B", NESTED): 1000, ("B", "C", SEQUENTIAL): 1000} == trail.edges
    assert before == live_strands()


# Bounds.


def test_nothing_is_left_for_the_garbage_collector(trail):
    """
    A cycle per call would make the collector run for us.
    """
    with trail.workflow():
        trail.call("A")
    gc.collect()
    gc.disable()
    try:
        serve_tasks(Trail(), handle_in_workflow)
        left = sum(isinstance(found, _connections.Strand) for found in gc.get_objects())
    finally:
        gc.enable()

    assert left <= 10


def test_endless_loop_leaves_nothing(trail):
    """
    An agent may run for weeks.
    """

    def run(times):
        for _ in range(times):
            _connections.leave(_connections.enter("A", is_workflow=False, anchor=None))

    with trail.workflow():
        assert grown_by(run) < 5_000


def test_accept_loop_leaves_nothing(trail):
    """
    A server inside a workflow forks for ever; ended branches are numbers, and a join of them is one line.
    """

    async def serve(times, *, accept):
        for _ in range(times):
            if accept:
                trail.call("accept")
            await asyncio.create_task(handle(trail))

    with trail.workflow():
        trail.call("A")
        assert grown_by(lambda times: asyncio.run(serve(times // 40, accept=False))) < 5_000
        assert grown_by(lambda times: asyncio.run(serve(times // 40, accept=True))) < 5_000
        trail.call("D")

    assert trail.edges["B", "C", SEQUENTIAL] == trail.edges["C", "accept", PARALLEL] + trail.edges["C", "D", PARALLEL]


def test_task_that_starts_its_successor_leaves_nothing(trail):
    """
    A timer that sets itself again is a chain of forks without end.
    """

    async def tick(left, done, *, inside):
        with trail.block("tick"):
            if left and inside:
                asyncio.create_task(tick(left - 1, done, inside=inside))  # noqa: RUF006 - nobody waits
            await asyncio.sleep(0)
        if left and not inside:
            asyncio.create_task(tick(left - 1, done, inside=inside))  # noqa: RUF006 - nobody waits
        if not left:
            done.set()

    async def main(times, *, inside):
        done = asyncio.Event()
        await tick(times, done, inside=inside)
        await done.wait()

    with trail.workflow():
        for inside in (False, True):
            before = live_strands()
            asyncio.run(main(1000, inside=inside))
            assert live_strands() - before <= _connections._MAX_DEPTH
        trail.call("D")

    assert not {edge for edge in trail.edges if edge[:2] not in {("W", "tick"), ("tick", "tick"), ("tick", "D")}}


def test_many_names_are_folded(trail):
    """
    Names are bounded elsewhere; should that fail, this does not grow.
    """

    async def main():
        for number in range(3 * _connections._MAX_ENDS):
            await asyncio.create_task(trail.acall(f"B{number}"))

    with trail.workflow():
        trail.call("A")
        asyncio.run(main())
        trail.edges.clear()
        trail.call("D")

    assert 2 * _connections._MAX_ENDS + 1 == len(trail.edges)
    assert 3 * _connections._MAX_ENDS == trail.edges.total()
    assert _connections._MAX_ENDS == trail.edges[OTHER, "D", PARALLEL]


def test_many_fork_points_are_folded(trail):
    """
    Tasks of many rounds that end in one moment are still one line on the map.
    """
    many = 2 * _connections._MAX_ENDS + 1

    async def main():
        gate, tasks = asyncio.Event(), []
        with trail.workflow():
            for _ in range(many):
                trail.call("A")
                tasks.append(asyncio.create_task(trail.acall("B", until=gate)))
            await pause()
            with trail.block("C"):
                gate.set()
                await asyncio.gather(*tasks)
            trail.call("D")

    asyncio.run(main())

    ends = nested("W", "A") + sequential("A", "C", "D")
    loops = Counter({("A", "A", SEQUENTIAL): many - 1, ("A", "B", PARALLEL): many, ("B", "D", PARALLEL): many})
    assert ends + loops == trail.edges


def test_finished_task_is_not_kept(trail):
    """
    A task holds its result; a task that it started, and that runs for ever, must not hold both.
    """

    async def start(gate, background):
        await trail.acall("B")
        background.append(asyncio.create_task(trail.acall("C", until=gate)))

    async def main():
        gate, background = asyncio.Event(), []
        with trail.workflow():
            task = asyncio.create_task(start(gate, background))
            await task
            await pause(2)
            kept = weakref.ref(task)
            del task
            gc.collect()
            assert kept() is None
            gate.set()
            await background[0]

    asyncio.run(main())


def grown_by(run):
    """Bytes that two hundred thousand repetitions leave behind."""
    run(1000)
    gc.collect()
    tracemalloc.start()
    try:
        run(100)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        run(200_000)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_process_does_not_wait_for_a_thread_that_it_does_not_have(trail):
    """
    A lock held at the moment of a fork is held for ever in the child.
    """
    entered, gate = threading.Event(), threading.Event()

    def hold():
        with _connections._lock:
            entered.set()
            gate.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    child = os.fork()
    if not child:
        trail.call("A")
        asyncio.run(trail.acall("B"))
        os._exit(12 if trail.edges else 1)
    ended = wait_for(child)
    gate.set()
    holder.join()

    assert 12 == ended


def wait_for(child, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


# Random programs. The definition of the edges is written from the design, not from the code.


def expected_edges(program):
    """The edges of *program* inside workflow W, with their types."""
    edges = Counter()

    def walk(part, parent, strand, tails):
        """Return the (name, strand) pairs that a program after *part* follows."""
        if isinstance(part, Call):
            for source, where in tails or {(parent, None)}:
                kind = NESTED if where is None else SEQUENTIAL if where is strand else PARALLEL
                edges[source, part.name, kind] += 1
            if part.body is not None:
                walk(part.body, part.name, object(), [])
            return [(part.name, strand)]
        if isinstance(part, Sequence):
            for inner in part.parts:
                tails = walk(inner, parent, strand, tails)
            return tails
        return [tail for inner in part.parts for tail in walk(inner, parent, object(), tails)]

    walk(program, "W", object(), [])
    return edges


def is_decidable(program, *, forked=False):
    """False where two forks follow each other, or a branch forks before its first call and then goes on."""
    if isinstance(program, Call):
        return program.body is None or is_decidable(program.body)
    if isinstance(program, Fork):
        return all(is_decidable(part, forked=True) for part in program.parts)
    flat = list(flatten(program))
    for position, (part, following) in enumerate(itertools.pairwise(flat)):
        if isinstance(part, Fork) and (isinstance(following, Fork) or (forked and position == 0)):
            return False
    return all(is_decidable(part, forked=forked and position == 0) for position, part in enumerate(flat))


def flatten(program):
    """The calls and forks of one strand, in order."""
    if isinstance(program, Sequence):
        for part in program.parts:
            yield from flatten(part)
    else:
        yield program


def ordered_pairs(program):
    """The names that *program* runs itself, and the pairs of them of which one must end before the other starts."""
    if isinstance(program, Call):
        return [program.name], set()
    inner = [ordered_pairs(part) for part in program.parts]
    pairs = set().union(*(found for _, found in inner))
    if isinstance(program, Sequence):
        for (earlier, _), (later, _) in itertools.combinations(inner, 2):
            pairs |= set(itertools.product(earlier, later))
    return [name for names, _ in inner for name in names], pairs


def all_ordered_pairs(program):
    """:func:`ordered_pairs`, also inside each call."""
    if isinstance(program, Call):
        return set() if program.body is None else all_ordered_pairs(program.body)
    return ordered_pairs(program)[1].union(*(all_ordered_pairs(part) for part in program.parts))


async def run_tasks(trail, program):
    if isinstance(program, Call):
        with trail.block(program.name):
            await pause(program.pauses)
            if program.body is not None:
                await run_tasks(trail, program.body)
    elif isinstance(program, Sequence):
        for part in program.parts:
            await run_tasks(trail, part)
    else:
        await asyncio.gather(*(run_tasks(trail, part) for part in program.parts))


def run_threads(trail, program):
    if isinstance(program, Call):
        with trail.block(program.name):
            time.sleep(program.pauses * 1e-5)
            if program.body is not None:
                run_threads(trail, program.body)
    elif isinstance(program, Sequence):
        for part in program.parts:
            run_threads(trail, part)
    else:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(run_threads, trail, part))
            for part in program.parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def trail_of(program, *, threads):
    trail = Trail()

    async def main():
        with trail.workflow():
            await run_tasks(trail, program)

    if threads:
        with trail.workflow():
            run_threads(trail, program)
    else:
        asyncio.run(main())
    return trail


@pytest.mark.parametrize("threads", [False, True], ids=["tasks", "threads"])
@given(program=programs())
@settings(deadline=None, max_examples=PROGRAMS)
def test_random_program_gives_exactly_its_edges(threads, program):
    """
    The order of the program decides, whatever the order of time was.
    """
    trail = trail_of(program, threads=threads)

    if is_decidable(program):
        assert expected_edges(program) == trail.edges


def with_names_of_their_own(program):
    """*program* with a different name for each call."""
    number = itertools.count()

    def rename(part):
        if isinstance(part, Call):
            return Call(f"p{next(number)}", part.pauses, part.body and rename(part.body))
        return type(part)(tuple(rename(inner) for inner in part.parts))

    return rename(program)


TWICE = Sequence((Call("A"), Fork((Call("B"), Call("C"))), Fork((Call("D"), Call("E"))), Call("F")))
EARLY = Sequence((Call("A"), Fork((Sequence((Fork((Call("B"), Call("C"))), Call("D"))), Call("E"))), Call("F")))


@pytest.mark.parametrize("threads", [False, True], ids=["tasks", "threads"])
@pytest.mark.parametrize("program", [TWICE, EARLY], ids=["two forks in a row", "fork before its first call"])
def test_undecidable_shape_joins_only_what_ran_in_order(threads, program):
    """
    Where a copied context cannot tell, the map may lack an edge; it never shows one that is not true.
    """
    trail = trail_of(program, threads=threads)

    assert not is_decidable(program)
    assert {edge[:2] for edge in trail.edges if edge[2] != NESTED} <= all_ordered_pairs(program)
    assert set("ABCDEF") == {target for _, target, _ in trail.edges}
    assert not trail.unordered()


@pytest.mark.parametrize("threads", [False, True], ids=["tasks", "threads"])
@given(program=programs().map(with_names_of_their_own))
@settings(deadline=None, max_examples=PROGRAMS // 2)
def test_random_program_never_joins_what_is_not_ordered(threads, program):
    """
    A wrong arrow is worse than a missing one, so this holds for every shape.
    """
    trail = trail_of(program, threads=threads)

    assert {edge[:2] for edge in trail.edges if edge[2] != NESTED} <= all_ordered_pairs(program)
    assert not trail.unordered()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=40))
@settings(deadline=None, max_examples=300)
def test_blocks_left_in_any_order(steps):
    """
    Whatever is opened and closed by hand: no exception, no untrue edge, and the context is back in the end.
    """
    trail, running, names = Trail(), [], itertools.count()
    with trail.workflow():
        start = POSITION.get().strand
        for opens, which in steps:
            if opens:
                running.append(trail.enter(str(next(names))))
            elif running:
                trail.leave(running.pop(which % len(running)))
        for visit in running:
            trail.leave(visit)

        assert start is POSITION.get().strand
    assert not trail.unordered()


@given(st.lists(st.sampled_from(["step 0", "step 1", "step 2", "call"]), max_size=40))
@settings(deadline=None, max_examples=300)
def test_generators_consumed_in_any_order(steps):
    """
    Streams started, read and ended in whatever order: no untrue edge, and the last call follows all that ended.
    """
    trail, names, running = Trail(), itertools.count(), {}
    with trail.workflow():
        for step in steps:
            if step == "call":
                trail.call(f"call {next(names)}")
            else:
                running.setdefault(step, trail.generator(f"G{next(names)}", items=2, inside=("X",)))
                if next(running[step], None) is None:
                    del running[step]
        running.clear()
        trail.call("last")
    left = {name for name in trail.ended if name[0] in "Gc"} - {source for source, _, _ in trail.edges}

    assert not left
    assert not {edge for edge in trail.unordered() if edge[0] != "X"}


def test_each_end_is_joined_once_while_threads_race(trail, impatient_threads):
    """
    Branches hand over their ends while the forking thread joins others; none is lost and none doubled.
    """
    branches, width = 500, 4

    def run(contexts):
        for context in contexts:
            context.run(trail.call, "B")

    with trail.workflow():
        threads = [
            threading.Thread(target=run, args=([contextvars.copy_context() for _ in range(branches)],))
            for _ in range(width)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            trail.call("A")
        trail.call("A")

    assert branches * width == trail.edges["B", "A", PARALLEL]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="bare variables set while collecting crash CPython 3.11")
def test_garbage_collection_at_every_allocation(trail):
    """
    The collector closes streams wherever it likes, also while ends are counted, and nothing fails.
    """

    async def branch():
        for _ in range(20):
            cycle = [trail.generator("G")]
            cycle.append(cycle)
            next(cycle[0])
            del cycle
            await trail.acall("B")

    async def main():
        with trail.workflow():
            for _ in range(10):
                await asyncio.gather(branch(), branch())
                await trail.acall("C")
            gc.collect()
            await trail.acall("C")

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        asyncio.run(main())
    finally:
        gc.set_threshold(*before)

    assert sum(count for (source, _, _), count in trail.edges.items() if source == "G") > 300
