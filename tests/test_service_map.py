"""The service map through the public API: what the counter says is what the program did."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from strategies import Call, Fork, Sequence, programs

from tta_observe import _connections, agent, primitive, step, traced_primitive, workflow
from tta_observe.testing import captured_telemetry


def named(name):
    """An observed coroutine function that lets others run for a while."""

    @traced_primitive(name=name)
    async def run(pauses=0, body=None):
        for _ in range(pauses):
            await asyncio.sleep(0)
        if body is not None:
            await body()

    return run


A, B, C, D, E, F, P, Q, X, Y = (named(name) for name in "ABCDEFPQXY")


async def seq(*calls):
    for call in calls:
        await call()


async def fork_and_go_on():
    await A()
    task = asyncio.create_task(B())
    await C()
    await task
    await D()


async def background():
    await A()
    task = asyncio.create_task(B(20))
    await asyncio.sleep(0)
    await D()
    await task
    await E()


async def repeated():
    for _ in range(5):
        await A()


async def fan_out():
    await A()
    await asyncio.gather(B(), C())
    await D()


async def fan_out_of_chains():
    await A()
    await asyncio.gather(seq(B, E), seq(C, F))
    await D()


async def nested():
    await P(body=lambda: seq(X, Y))
    await Q()


async def task_group():
    await A()
    async with asyncio.TaskGroup() as group:
        group.create_task(B())
        group.create_task(C())
    await D()


ROWS = {
    "A; B": (lambda: seq(A, B), {"WA nested", "AB sequential"}),
    "A; gather(B, C); D": (fan_out, {"WA nested", "AB parallel", "AC parallel", "BD parallel", "CD parallel"}),
    "A; gather(seq(B, E), seq(C, F)); D": (
        fan_out_of_chains,
        {"WA nested", "AB parallel", "BE sequential", "AC parallel", "CF sequential", "ED parallel", "FD parallel"},
    ),
    "for _ in range(5): A": (repeated, {"WA nested", "AA sequential"}),
    "P(X; Y); Q": (nested, {"WP nested", "PX nested", "XY sequential", "PQ sequential"}),
    "A; create_task(B); C; await; D": (
        fork_and_go_on,
        {"WA nested", "AB parallel", "AC sequential", "BD parallel", "CD sequential"},
    ),
    "A; create_task(B); D while B runs; E": (
        background,
        {"WA nested", "AB parallel", "AD sequential", "DE sequential", "BE parallel"},
    ),
    "TaskGroup": (task_group, {"WA nested", "AB parallel", "AC parallel", "BD parallel", "CD parallel"}),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(telemetry, row):
    """
    The table of the design, on the metric that dashboards read.
    """
    program, expected = ROWS[row]

    async def main():
        with workflow("W"):
            await program()

    asyncio.run(main())

    assert expected == {f"{source}{target} {kind}" for source, target, kind in telemetry.connections()}


def test_loop_counts_each_round(telemetry):
    """
    The width of an arc is how often it was taken.
    """

    async def main():
        with workflow("W"):
            await repeated()

    asyncio.run(main())

    assert {("W", "A", "nested"): 1, ("A", "A", "sequential"): 4} == telemetry.connections()


def test_steps_are_transparent_and_agents_are_nodes(telemetry):
    """
    The map shows what runs, not how it was cut.
    """
    with workflow("W"), step("one"):
        with primitive("a"):
            pass
        with step("two"), agent("writer"), primitive("b"):
            pass

    assert {
        ("W", "a", "nested"): 1,
        ("a", "writer", "sequential"): 1,
        ("writer", "b", "nested"): 1,
    } == telemetry.connections()


def test_failures_still_ran(telemetry):
    """
    What comes after a failed attempt follows it.
    """
    with workflow("W"):
        with pytest.raises(ValueError, match="x"), primitive("attempt"):
            raise ValueError("x")
        with primitive("fallback"):
            pass

    assert {("W", "attempt", "nested"): 1, ("attempt", "fallback", "sequential"): 1} == telemetry.connections()


def test_to_thread_is_fork_and_join(telemetry):
    """
    A blocking call moved to a thread stays where it was on the map.
    """

    @traced_primitive(name="blocking")
    def blocking():
        """Run in a thread."""

    async def main():
        with workflow("W"):
            await A()
            await asyncio.to_thread(blocking)
            await B()

    asyncio.run(main())

    assert {
        ("W", "A", "nested"): 1,
        ("A", "blocking", "parallel"): 1,
        ("blocking", "B", "parallel"): 1,
    } == telemetry.connections()


@pytest.mark.parametrize("with_workflow", [True, False])
def test_requests_on_reused_threads_are_not_joined(telemetry, with_workflow):
    """
    1,000 requests on 4 threads: an edge from one customer's request to another's is a lie.
    """

    def request(_):
        if with_workflow:
            with workflow("W"), primitive("only"):
                pass
        else:
            with primitive("only"):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(request, range(1000)))

    assert ({("W", "only", "nested"): 1000} if with_workflow else {}) == telemetry.connections()


def expected_edges(program):
    """The edges by the design's definition, walked over the program's own structure."""
    edges = Counter()

    def walk(node, before, parent):
        match node:
            case Call(name, _, body):
                edges.update((source, name) for source in before or [parent])
                if body is not None:
                    walk(body, [], name)
                return [name]
            case Sequence(parts):
                for part in parts:
                    before = walk(part, before, parent)
                return before
            case Fork(parts):
                return list(itertools.chain(*(walk(part, before, parent) for part in parts)))

    walk(program, [], "W")
    return edges


def strand(node):
    """What one task runs, sequences within sequences laid flat."""
    return [inner for part in node.parts for inner in strand(part)] if isinstance(node, Sequence) else [node]


def decidable(node, *, forked=False):
    """False for the two shapes in which a copied context hides a join."""
    flat = strand(node)
    for first, then in itertools.pairwise(flat):
        if isinstance(first, Fork) and (isinstance(then, Fork) or (forked and first is flat[0])):
            return False
    return all(
        all(decidable(part, forked=True) for part in part_of.parts)
        if isinstance(part_of, Fork)
        else part_of.body is None or decidable(part_of.body)
        for part_of in flat
    )


async def execute(node):
    match node:
        case Call(name, pauses, body):
            await named(name)(pauses, (lambda: execute(body)) if body is not None else None)
        case Sequence(parts):
            for part in parts:
                await execute(part)
        case Fork(parts):
            await asyncio.gather(*(execute(part) for part in parts))


@settings(max_examples=150)
@given(programs().filter(decidable))
def test_random_programs(program):
    """
    Through decorators, spans and metrics the edges are the same as by definition.
    """

    async def main():
        with workflow("W"):
            await execute(program)

    with captured_telemetry() as telemetry:
        asyncio.run(main())
        found = Counter()
        for (source, target, _), count in telemetry.connections().items():
            found[source, target] += count

    assert expected_edges(program) == found


def test_state_does_not_grow(telemetry):
    """
    A server that forks a task per request for ever leaves nothing behind.
    """

    def strands():
        gc.collect()
        return sum(isinstance(found, _connections.Strand) for found in gc.get_objects())

    async def request():
        with workflow("W"):
            await A()

    async def main():
        with workflow("server"):
            await asyncio.gather(request())
            await asyncio.sleep(0)  # the loop lets go of tasks that have ended
            before = strands()
            for _ in range(50):
                await asyncio.gather(*(request() for _ in range(20)))
            await asyncio.sleep(0)
            return strands() - before

    assert 0 == asyncio.run(main())
