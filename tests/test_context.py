"""Context values and how they are kept: frozen, copied to tasks, put back wherever a block ends."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import pickle
import threading
import weakref
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import surroundings

from tta_observe import WorkflowContext, bound_context, current_workflow, primitive, traced_primitive, workflow
from tta_observe._totals import Totals
from tta_observe.context import (
    FRAME,
    INNERMOST,
    POSITION,
    WORKFLOW,
    Frame,
    State,
    bound_here,
    capture,
    drop_ended,
    restore,
    swap_in,
    swap_out,
)

DEADLINE = 30

CONTEXT = WorkflowContext(
    workflow_name="review", workflow_id="run-1", session_id="s-1", agent_type="coder", attributes={"team": "search"}
)


@pytest.mark.parametrize("name", [field.name for field in fields(WorkflowContext)])
def test_no_field_can_be_set(name):
    """
    A context is shared by every task that was started inside of it; whoever changed it would change it for all.
    """
    with pytest.raises(FrozenInstanceError):
        setattr(CONTEXT, name, "other")


def test_contexts_with_equal_fields_are_equal():
    """
    They are values: they can be compared, kept in sets, and used as keys.
    """
    alike = WorkflowContext(
        "review", "run-1", "s-1", agent_type="coder", attributes={"team": "search"}, totals=Totals()
    )

    assert alike == CONTEXT
    assert {CONTEXT: 1}[alike] == 1
    assert WorkflowContext("review", "run-2") != CONTEXT


@pytest.mark.parametrize("copied", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy])
def test_contexts_can_be_copied(telemetry, copied):
    """
    A job sent to another process takes along for whom it works.
    """
    assert copied(CONTEXT) == CONTEXT
    with workflow("w", session_id="s-1", attributes={"team": "search"}) as current:
        assert copied(current) == current
        assert current.to_otel_context() == copied(current).to_otel_context()


def test_what_it_gives_out_can_be_changed():
    """
    A dict that was handed out belongs to whoever has it.
    """
    CONTEXT.to_otel_context()["team"] = "other"

    assert "search" == CONTEXT.to_otel_context()["team"]


def test_its_text_shows_who_and_what():
    """
    It is printed while people look for a mistake: no locks, no caches.
    """
    assert "workflow_name='review'" in repr(CONTEXT)
    assert "totals" not in repr(CONTEXT)


def test_tasks_and_threads_given_a_context_have_a_copy(telemetry):
    """
    What a task binds stays in the task.
    """

    async def serve(name):
        with bound_context(session_id=name):
            await asyncio.sleep(0)
            return current_workflow().session_id

    async def main():
        with workflow("w", session_id="outer"):
            before = surroundings()
            sessions = await asyncio.gather(*(serve(f"s-{number}") for number in range(5)))
            sessions.append(await asyncio.to_thread(lambda: current_workflow().session_id))

            assert before == surroundings()
            return sessions

    assert ["s-0", "s-1", "s-2", "s-3", "s-4", "outer"] == asyncio.run(main())


def test_a_bare_thread_starts_with_nothing(telemetry):
    """
    A thread that was not given a context may serve somebody else: it inherits neither run nor session.
    """
    seen = []
    with workflow("w"), primitive("p"):
        thread = threading.Thread(target=lambda: seen.append((current_workflow(), capture())))
        thread.start()
        thread.join(DEADLINE)

    assert [(None, State(None, None, None, None))] == seen


def test_swapping_there_and_back_leaves_no_trace():
    """
    Generators swap at each step; a variable that was not set before is not set after.
    """

    def run():
        before = dict(contextvars.copy_context().items())
        with bound_context(session_id="s-1"):
            inside = capture()
        tokens = swap_in(inside)

        assert "s-1" == WORKFLOW.get().session_id
        assert swap_out(tokens)
        assert before == dict(contextvars.copy_context().items())

    contextvars.Context().run(run)


def test_swapping_back_elsewhere_changes_nothing():
    """
    A task that is collected unfinished ends in the middle of somebody else's context.
    """
    tokens = contextvars.copy_context().run(swap_in, State(None, CONTEXT, Frame("p", "llm"), None))
    with bound_context(session_id="here"):
        before = surroundings()

        assert not swap_out(tokens)
        assert before == surroundings()


@given(st.booleans(), st.booleans())
def test_restoring_elsewhere_only_replaces_what_is_ours(current, copied):
    """
    Left in another context, a block puts the old value back if its own is still there, and else keeps off.
    """
    variable = contextvars.ContextVar("variable", default="default")
    other = contextvars.copy_context()
    token = other.run(variable.set, "ours")

    def run():
        variable.set("ours" if current else "somebody's")
        assert not restore(variable, token, "ours", "before")
        return variable.get()

    where = other.copy() if copied else contextvars.copy_context()
    assert ("before" if current else "somebody's") == where.run(run)


def test_restoring_in_the_same_context_unsets(telemetry):
    """
    Where the token is good it is used: even a variable that was never set is that again.
    """

    def run():
        before = dict(contextvars.copy_context().items())
        with workflow("w"), primitive("p"):
            pass
        after = dict(contextvars.copy_context().items())
        after.pop(POSITION.context_var, None)

        assert before == after

    contextvars.Context().run(run)


def test_what_has_ended_elsewhere_is_dropped_where_it_was_opened():
    """
    Only there: a task that was started inside of a block stays in it for good.
    """

    def run():
        block = bound_context(session_id="s-1")
        block.__enter__()
        task = contextvars.copy_context()
        contextvars.copy_context().run(block.__exit__, None, None, None)
        assert INNERMOST.get().ended
        task.run(drop_ended)
        drop_ended()

        return WORKFLOW.get(), list(bound_here()), task.run(WORKFLOW.get).session_id

    assert (None, [], "s-1") == contextvars.Context().run(run)


def test_ended_blocks_hold_nothing(telemetry):
    """
    A long-lived task keeps a copy of the context that it was started in, but not what had led there.
    """

    class Value:
        pass

    contexts = []

    @traced_primitive(name="outer")
    def outer():
        with bound_context(session_id="s-1"):
            VARIABLE.set(values[0])
            inner()

    @traced_primitive(name="inner")
    def inner():
        VARIABLE.set(None)
        contexts.append(contextvars.copy_context())

    values = [Value()]
    contextvars.copy_context().run(outer)
    reference = weakref.ref(values.pop())
    gc.collect()

    assert reference() is None
    assert "s-1" == contexts[0].run(WORKFLOW.get).session_id


VARIABLE = contextvars.ContextVar("VARIABLE", default=None)


def test_frames_hold_names_and_no_spans(telemetry):
    """
    What outlives a call in copied contexts must stay small.
    """
    with primitive("p", type="llm"):
        frame = FRAME.get()

    assert ("p", "llm", False) == (frame.primitive_name, frame.primitive_type, frame.is_step)
    assert {field.name for field in fields(frame)} == {
        *("primitive_name", "primitive_type", "is_step", "usage", "around", "steps"),
        *("lookup", "spent", "misses"),
    }
