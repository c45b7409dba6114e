"""Blocks: reused, nested, shared, overlapping, left elsewhere, and as decorators."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from shapes import SHAPES, silent, surroundings

from tta_observe import agent, bound_context, current_workflow, primitive, step, traced_primitive, workflow
from tta_observe._lost import SWITCH
from tta_observe._totals import Totals
from tta_observe.context import FRAME, WORKFLOW, Bound
from tta_observe.errors import ConfigurationError
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTIONS
from tta_observe.semconv import ERROR, EXECUTION_STATUS, SUCCESS, WORKFLOW_ID, WORKFLOW_NAME

DEADLINE = 30

MAKERS = {
    "workflow": lambda: workflow("w"),
    "agent": lambda: agent("a"),
    "step": lambda: step("s"),
    "primitive": lambda: primitive("p"),
    "bound_context": lambda: bound_context(session_id="b"),
}


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_block_can_be_used_again(telemetry, kind):
    """
    A block made once at the top of a module and used in every request is the natural thing to write.
    """
    block = MAKERS[kind]()
    before = surroundings()
    for _ in range(3):
        with block:
            pass

        assert before == surroundings()
    assert (0 if kind == "bound_context" else 3) == len(telemetry.spans)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_block_can_be_nested_in_itself(telemetry, kind):
    """
    A recursive function opens its block again before it has left it.
    """
    block = MAKERS[kind]()
    contexts = [surroundings()]
    with block:
        contexts.append(surroundings())
        with block:
            contexts.append(surroundings())
            with block:
                pass

            assert contexts.pop() == surroundings()
        assert contexts.pop() == surroundings()
    assert contexts.pop() == surroundings()
    assert kind == "bound_context" or 1 == len(telemetry.roots)


def test_each_run_of_a_workflow_has_an_identifier_of_its_own(telemetry):
    """
    Two runs under one identifier could not be told apart.
    """
    block = workflow("w")
    with block as first, block as second:
        pass
    with block as third:
        pass

    assert 3 == len({first.workflow_id, second.workflow_id, third.workflow_id})


def test_a_block_shared_by_tasks(telemetry):
    """
    A hundred requests at once, each of which leaves its own run of the one block there is.
    """
    block = workflow("request")

    async def serve(number):
        before = surroundings()
        with block as own:
            with primitive(f"p{number % 3}"):
                await asyncio.sleep(0.001 * (number % 7))
            assert current_workflow() is own
            if number % 10 == 0:
                raise LookupError
        assert before == surroundings()

    async def main():
        return await asyncio.gather(*(serve(number) for number in range(100)), return_exceptions=True)

    outcomes = asyncio.run(main())

    assert 10 == sum(isinstance(outcome, LookupError) for outcome in outcomes)
    assert {SUCCESS: 190, ERROR: 10} == telemetry.counts(EXECUTIONS, by=EXECUTION_STATUS)
    assert [{"request"}] == [{root.shown for root in telemetry.roots}]
    assert {1} == {len(root.children) for root in telemetry.roots}
    assert {root.attributes[WORKFLOW_ID] for root in telemetry.roots} == {
        root.children[0].attributes[WORKFLOW_ID] for root in telemetry.roots
    }


def test_a_block_shared_by_threads(telemetry):
    """
    The same in a thread pool, where nothing but the thread tells whose run it is.
    """
    block = workflow("request")

    def serve(_):
        before = surroundings()
        for _ in range(20):
            with block as own, primitive("p"):
                assert current_workflow() is own

            assert before == surroundings()
        return True

    with ThreadPoolExecutor(8) as pool:
        served = list(pool.map(serve, range(8), timeout=DEADLINE))

    assert [True] * 8 == served
    assert [{"request": ["p"]}] * 160 == telemetry.tree()


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_block_left_in_another_thread(telemetry, caplog, monkeypatch, kind):
    """
    A callback that ends what another thread began must not disturb what that thread does now.
    """
    monkeypatch.setenv(SWITCH, "off")  # a thread that was handed nothing on purpose
    with silent(caplog):
        before = surroundings()
        block = MAKERS[kind]()
        block.__enter__()

        def leave():
            with primitive("elsewhere"):
                there = surroundings()
                block.__exit__(None, None, None)

                assert there == surroundings()

        _in_thread(leave)
        with primitive("next"):
            pass

        assert before == surroundings()
    assert {"elsewhere", "next"} <= {root.shown for root in telemetry.roots}


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_block_left_in_a_copy_of_its_context(telemetry, caplog, kind):
    """
    Frameworks leave in one callback what they entered in another; each runs in a copy of the context.
    """
    with silent(caplog):
        before = surroundings()
        block = MAKERS[kind]()
        outside = contextvars.copy_context()
        outside.run(block.__enter__)
        copied = outside.run(contextvars.copy_context)
        copied.run(block.__exit__, None, None, None)

        assert (None, None, False) == copied.run(_current)
        with_next = outside.run(_inside_another)
        assert (None, None, False) == outside.run(_current)
        assert before == surroundings()
    assert with_next.parent is None


def _current():
    return WORKFLOW.get(), FRAME.get(), trace.get_current_span().is_recording()


def _inside_another():
    with primitive("next"):
        return trace.get_current_span()


@traced_primitive(name="next")
def _observed():
    assert current_workflow() is None


def _inside_a_workflow():
    with workflow("next") as context:
        assert context.session_id is None


def _inside_a_step():
    with step("next"):
        assert current_workflow() is None


@pytest.mark.parametrize("act", [_observed, _inside_a_workflow, _inside_a_step])
def test_what_comes_after_a_block_that_was_left_elsewhere_is_not_inside_of_it(telemetry, caplog, act):
    """
    The next request on this connection must not become part of the last one's trace.
    """

    async def main():
        before = surroundings()
        block = workflow("stream", session_id="s-1")
        block.__enter__()
        await asyncio.create_task(_leave(block))
        act()

        assert before == surroundings()

    async def _leave(block):
        block.__exit__(None, None, None)

    with silent(caplog):
        asyncio.run(main())

    assert ["stream", "next"] == telemetry.tree()
    assert {} == telemetry.connections()


def test_an_outer_block_cleans_up_after_an_inner_one_that_was_left_elsewhere(telemetry, caplog):
    """
    Whoever leaves the outer block gets the context from before it, whatever became of the inner ones.
    """

    async def main():
        before = surroundings()
        with workflow("outer"):
            inner = workflow("inner")
            inner.__enter__()
            await asyncio.create_task(_leave(inner))

        assert before == surroundings()

    async def _leave(block):
        block.__exit__(None, None, None)

    with silent(caplog):
        asyncio.run(main())

    assert [{"outer": ["inner"]}] == telemetry.tree()


def test_a_block_left_twice_or_never_entered(telemetry):
    """
    Sloppy clean-up code calls ``__exit__`` once too often; it must not close somebody else's block.
    """
    block = workflow("w")
    block.__exit__(None, None, None)
    with primitive("p"):
        before = surroundings()
        block.__enter__()
        block.__exit__(None, None, None)
        block.__exit__(None, None, None)

        assert before == surroundings()
    assert [{"p": ["w"]}] == telemetry.tree()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.sampled_from(["open", "close"]), st.integers(0, 9), st.sampled_from(sorted(MAKERS)))))
def test_blocks_may_end_in_any_order(telemetry, acts):
    """
    Interleaved generators and callbacks end blocks out of turn. Current is the last one opened that is still open.
    """
    contextvars.Context().run(_open_and_close, telemetry, acts)


def _open_and_close(telemetry, acts):
    telemetry._exporter.clear()
    before = surroundings()
    stack = _Stack()
    for act, which, kind in acts:
        if act == "open":
            stack.open(kind)
        elif stack.entries:
            stack.close(which % len(stack.entries))

        stack.check()
    while stack.entries:
        stack.close(0)

    assert before == surroundings()
    assert stack.parents == {span.shown: _parent(telemetry, span) for span in telemetry.spans}


class _Stack:
    """
    What ought to be current, told by a list.
    """

    def __init__(self):
        self.entries = []
        self.parents = {}
        self.open_spans = set()
        self.opened = 0

    def open(self, kind):
        self.opened += 1
        name = f"{kind}-{self.opened}"
        block = {
            "workflow": lambda: workflow(name),
            "agent": lambda: agent(name),
            "step": lambda: step(name),
            "primitive": lambda: primitive(name),
            "bound_context": lambda: bound_context(session_id=name),
        }[kind]()
        outer = self.current
        block.__enter__()
        if kind != "bound_context":
            self.parents[name] = outer["span"]
            self.open_spans.add(name)
        self.entries.append((block, {**outer, **self._sets(kind, name)}, name))

    def close(self, which):
        block, _, name = self.entries.pop(which)
        block.__exit__(None, None, None)
        self.open_spans.discard(name)

    @property
    def current(self):
        # What a block set stays with those opened inside of it, though it may end before they do.
        return self.entries[-1][1] if self.entries else {"span": None, "workflow": None, "session": None}

    def check(self):
        span = trace.get_current_span()
        context = current_workflow()
        expected = self.current

        assert (expected["span"] in self.open_spans) == span.is_recording()
        assert expected["workflow"] == (context and context.workflow_name)
        if context is not None:
            assert expected["session"] == context.session_id

    @staticmethod
    def _sets(kind, name):
        if kind == "bound_context":
            return {"session": name}
        return {"span": name, "workflow": name} if kind == "workflow" else {"span": name}


def _parent(telemetry, span):
    names = {other.span.context.span_id: other.shown for other in telemetry.spans}
    return names[span.span.parent.span_id] if span.span.parent else None


def test_exit_stacks(telemetry):
    """
    ``ExitStack`` leaves in the right order what was entered under conditions.
    """

    async def main():
        before = surroundings()
        async with AsyncExitStack() as stack:
            stack.enter_context(workflow("w"))
            stack.enter_context(primitive("p"))
            handed_over = stack.pop_all()
        assert "w" == current_workflow().workflow_name
        await handed_over.aclose()

        assert before == surroundings()

    asyncio.run(main())

    assert [{"w": ["p"]}] == telemetry.tree()


def test_a_block_closes_the_run_that_was_opened_where_it_is_left(telemetry):
    """
    One block, open in two tasks: who leaves first closes their own run, with their own failure.
    """
    block = primitive("p")

    async def main():
        entered = asyncio.Event()
        done = asyncio.Event()

        async def first():
            with workflow("first"), block:
                entered.set()
                await done.wait()

        async def second():
            with workflow("second"):
                await entered.wait()
                try:
                    with block:
                        raise LookupError
                except LookupError:
                    done.set()

        await asyncio.gather(first(), second())

    asyncio.run(main())

    found = {
        (span.attributes[WORKFLOW_NAME], span.attributes[EXECUTION_STATUS])
        for span in telemetry.spans
        if span.shown == "p"
    }
    assert {("first", SUCCESS), ("second", ERROR)} == found


@pytest.mark.parametrize("shape", SHAPES)
def test_as_a_decorator_every_call_is_a_run_of_its_own(telemetry, shape):
    """
    A new workflow_id at each call, for all shapes of functions, recursive and concurrent ones too.
    """
    seen = []

    @workflow("w", session_id="s-1")
    def plain():
        seen.append(current_workflow())

    @workflow("w", session_id="s-1")
    async def coroutine():
        await asyncio.sleep(0)
        seen.append(current_workflow())

    @workflow("w", session_id="s-1")
    def generator():
        yield seen.append(current_workflow())

    @workflow("w", session_id="s-1")
    async def async_generator():
        await asyncio.sleep(0)
        yield seen.append(current_workflow())

    async def use():
        if shape == "plain":
            plain()
        elif shape == "coroutine":
            await asyncio.gather(coroutine())
        elif shape == "generator":
            list(generator())
        else:
            [_ async for _ in async_generator()]

    async def main():
        await use()
        await asyncio.gather(use(), use())

    before = surroundings()
    asyncio.run(main())

    assert before == surroundings()
    assert 3 == len({context.workflow_id for context in seen})
    assert {("w", "s-1")} == {(context.workflow_name, context.session_id) for context in seen}
    assert {context.workflow_id for context in seen} == {span.attributes[WORKFLOW_ID] for span in telemetry.spans}


def test_as_a_decorator_on_methods_of_all_kinds(telemetry):
    """
    Agents are classes as often as functions.
    """

    class Agent:
        @workflow("method")
        def method(self):
            return current_workflow().workflow_name

        @workflow("outside")
        @classmethod
        def outside(cls):
            return current_workflow().workflow_name

        @classmethod
        @workflow("inside")
        def inside(cls):
            return current_workflow().workflow_name

        @staticmethod
        @workflow("static")
        def static():
            return current_workflow().workflow_name

    assert ["method", "outside", "inside", "static"] == [
        Agent().method(),
        Agent.outside(),
        Agent().inside(),
        Agent.static(),
    ]


def test_as_a_decorator_recursion_nests(telemetry):
    """
    Each level is a run inside the one above.
    """

    @agent("planner")
    def plan(depth):
        return plan(depth - 1) if depth else 0

    plan(2)

    assert [{"planner": [{"planner": ["planner"]}]}] == telemetry.tree()


def test_a_block_can_be_decorator_and_block_at_once(telemetry):
    """
    One object for both uses keeps its name in one place.
    """
    review = workflow("review")

    @review
    def decorated():
        with review:
            pass

    with review:
        decorated()

    assert [{"review": [{"review": ["review"]}]}] == telemetry.tree()


def test_a_class_cannot_be_decorated_with_a_block():
    """
    The class would silently become a function; its methods are what people mean.
    """

    class Agent:
        pass

    with pytest.raises(ConfigurationError, match=r"@workflow cannot decorate the class Agent\. Decorate the methods"):
        workflow("w")(Agent)
    with pytest.raises(ConfigurationError, match=r"@step decorates functions, not 'load'\."):
        step("s")("load")


def test_a_bare_block_as_a_decorator_is_refused():
    """
    ``@workflow`` without a name is the first thing that goes wrong; the message shows how to write it.
    """
    with pytest.raises(ConfigurationError, match=r"Write e\.g\. name='review'"):

        @workflow
        def review():
            pass


def test_the_active_gauge_is_lowered_however_a_block_ends(telemetry):
    """
    A gauge that only rises sets off the alert for stuck workflows.
    """
    block = workflow("w")
    with block:
        with pytest.raises(LookupError), block:
            raise LookupError
        assert 1 == telemetry.total(ACTIVE_WORKFLOWS)
    block.__enter__()
    _in_thread(lambda: block.__exit__(None, None, None))
    with primitive("next"):
        pass

    assert 0 == telemetry.total(ACTIVE_WORKFLOWS)


def test_without_telemetry_blocks_still_bind_their_context():
    """
    Code that reads ``current_workflow()`` works the same in a program that observes nothing.
    """
    block = workflow("w", session_id="s-1")
    span_block = primitive("p")
    before = surroundings()
    with block as context, span_block as span, span_block, step("s") as inner, agent("a"):
        span.set_attribute("key", object())
        inner.add_event("happened", {"what": 1})

        assert ("w", "s-1", "a") == (
            context.workflow_name,
            current_workflow().session_id,
            current_workflow().agent_type,
        )
    assert before == surroundings()


def test_blocks_can_be_copied(telemetry):
    """
    Objects that hold a block are copied along with it; what is open stays with the original.
    """
    block = workflow("w", attributes={"team": "search"})
    with block:
        for copied in (copy.copy(block), copy.deepcopy(block), copy.deepcopy({"block": block})["block"]):
            with copied as context:
                assert {"team": "search"} == context.attributes

    assert [{"w": ["w", "w", "w"]}] == telemetry.tree()


def test_tasks_that_start_their_successor_leave_nothing_behind(telemetry):
    """
    A poller that starts itself anew for ever copies a context each time: no chain of all its forerunners may grow.
    """

    @workflow("poll")
    async def poll(left, done):
        with step("look"), bound_context(session_id=f"s-{left}"):
            if left:
                done.append(asyncio.create_task(poll(left - 1, done)))
                del done[:-2]

    async def main():
        done = []
        await poll(300, done)
        for _ in range(1000):
            await asyncio.sleep(0)
        gc.collect()

        assert done[-1].done()
        return sum(isinstance(found, (Bound, Totals)) for found in gc.get_objects())

    assert asyncio.run(main()) < 20


def _in_thread(function):
    failures = []

    def run():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(DEADLINE)
    for failure in failures:
        raise failure
