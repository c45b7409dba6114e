"""
``propagate``: a function takes the context along to where it runs, another thread or process included.

In this process each run gets a copy of the context that was captured. To another one the parts travel that mean
something there: the current span, who and what the code works for, and where it is on the service map.
"""

from __future__ import annotations

import types
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tta_observe import _generators, _otel_context, _shells
from tta_observe._connections import Branch, Position, Strand, Visit
from tta_observe._guard import guarded
from tta_observe._observed import Observed
from tta_observe._values import shown
from tta_observe.context import (
    FRAME,
    POSITION,
    WORKFLOW,
    Frame,
    carried_position,
    carry,
    current_frame,
    current_workflow,
)
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tta_observe._shells import F
    from tta_observe.context import WorkflowContext


def propagate(function: F) -> F:
    """
    Have *function* run in the context of this very call, wherever and whenever it is called.

    For what starts with an empty context, or with one of its own: threads and timers, ``executor.submit`` and
    ``map``, ``loop.run_in_executor``, processes and process pools::

        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(propagate(ask), questions))

    ``asyncio.to_thread``, tasks and anyio take the context along by themselves; there it changes nothing. Each run has
    a copy of its own of all context variables, so that runs side by side do not see what the others set. Generators
    and coroutines have theirs at each of their steps. On the service map a run is a branch that was forked here.

    To another process travel the current span, what :func:`current_workflow` says, and the place on the service map;
    what runs there is joined by nothing here. *function* and what it belongs to have to be picklable, as without.

    Raises:
        ConfigurationError: *function* cannot be called; perhaps it was called already.
    """
    if not callable(function):
        raise ConfigurationError(
            f"propagate() takes a function, not {shown(function)}. Write pool.submit(propagate(work), 1), not work(1)."
        )
    return cast("F", _propagated(_Captured(copy_context()), function))


class _Captured:
    """A context to run in, again and again."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __reduce__(self) -> tuple[Any, ...]:
        return _Arrived, (self._context.copy().run(_travelling),)

    def fresh(self) -> Context:
        """A context for one run."""
        context = self._context.copy()
        context.run(_fork)
        return context


class _Travelling(NamedTuple):
    """What of a context means something in another process: names and numbers."""

    span: _otel_context.Parent | None
    workflow: WorkflowContext | None
    primitive: str | None
    parent: str | None
    tails: tuple[str, ...]
    anchor: Any


class _Arrived(_Captured):
    """The same in another process."""

    def __init__(self, travelling: _Travelling | None) -> None:
        self._travelling = travelling

    def __reduce__(self) -> tuple[Any, ...]:
        return _Arrived, (self._travelling,)

    def fresh(self) -> Context:
        """A context for one run: the one that is current here, with what has travelled."""
        context = copy_context()
        if self._travelling is not None:
            context.run(_arrive, self._travelling)
        return context


@guarded
def _fork() -> None:
    position = POSITION.get_raw()
    if position is not None:  # a branch of its own, even in the task or thread that it was captured in
        POSITION.set(Position(Branch(position.strand, position.tails, object()), position.tails))


@guarded
def _travelling() -> _Travelling:
    frame, position = current_frame(), POSITION.get_raw() or carried_position()
    strand, nodes = (position.strand, position.tails) if position is not None else (None, ())
    return _Travelling(
        _otel_context.parent_here(),
        current_workflow(),
        frame.primitive_name if frame is not None else None,
        strand.name if strand is not None else None,
        tuple(node.name for node in nodes),
        strand.anchor if strand is not None else None,
    )


@guarded
def _arrive(found: _Travelling) -> None:
    nowhere = object()  # so that what starts here was forked elsewhere
    strand = Strand(found.parent, nowhere, found.anchor)
    WORKFLOW.set(found.workflow)
    FRAME.set(Frame(found.primitive, None) if found.primitive is not None else None)
    POSITION.set(Position(strand, tuple(Visit(name, nowhere, None) for name in found.tails)))
    if found.span is not None:
        # The same program, though another process: a workflow that continues it serves no remote caller.
        _otel_context.attach(_otel_context.continued(found.span, is_remote=False), None)
    carry(found.workflow)


class _Propagating(Observed):
    """A function that takes a context along. It is pickled with it, if anything has that name or not."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._self_again, (self.__wrapped__,)


def _propagated(captured: _Captured, function: Any) -> Any:
    return _Propagating(function, _SHELLS[_shells.shape(function)](captured), partial(_propagated, captured))


class _Steps:
    """The steps of a generator, or of what is awaited, each in *context*."""

    def __init__(self, context: Context, steps: Iterator[Any]) -> None:
        self._run = context.run
        self._steps: Any = steps

    def send(self, value: Any) -> Any:
        """Take the next step; an iterator that is awaited may know no other way than this."""
        return self._run(next, self._steps) if value is None else self._run(self._steps.send, value)

    def throw(self, error: BaseException) -> Any:
        """Throw *error* into it."""
        if not hasattr(self._steps, "throw"):
            raise error
        return self._run(self._steps.throw, error)


class _AsyncSteps:
    """The same for an asynchronous generator."""

    def __init__(self, context: Context, generator: Any) -> None:
        self._context, self._generator = context, generator

    def asend(self, value: Any) -> Any:
        """Take the next step, when awaited."""
        return _awaited(self._context, self._generator.asend(value))

    def athrow(self, error: BaseException) -> Any:
        """Throw *error* into it, when awaited."""
        return _awaited(self._context, self._generator.athrow(error))


def _driven(context: Context, steps: Iterator[Any]) -> Any:
    return _generators.drive(cast("Any", _Steps(context, steps)), _nothing_opened)


def _driven_async(context: Context, generator: Any) -> Any:
    return _generators.drive_async(cast("Any", _AsyncSteps(context, generator)), _nothing_opened)


@types.coroutine
def _driven_awaitable(context: Context, steps: Iterator[Any]) -> Any:
    return (yield from _driven(context, steps))


def _awaited(context: Context, awaitable: Any) -> Any:
    return _driven_awaitable(context, context.run(awaitable.__await__))


async def _pending(context: Context, pending: _shells.Pending) -> Any:
    return await _awaited(context, pending.take())


def _nothing_opened() -> _generators.Inside:
    return _generators.Inside(None, None)


def _plain(captured: _Captured) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        return captured.fresh().run(wrapped, *args, **kwargs)

    return shell


def _stepwise(captured: _Captured, drive: Callable[[Context, Any], Any]) -> Any:
    def shell(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        context = captured.fresh()
        made = context.run(wrapped, *args, **kwargs)
        return _generators.named(drive(context, made), made)

    return shell


def _coroutine(context: Context, made: Any) -> Any:
    return _pending(context, _shells.Pending(made))


_SHELLS: Final[dict[_shells.Shape, Callable[[_Captured], Any]]] = {
    "plain": _plain,
    "coroutine": partial(_stepwise, drive=_coroutine),
    "generator": partial(_stepwise, drive=_driven),
    "async generator": partial(_stepwise, drive=_driven_async),
    "awaitable generator": partial(_stepwise, drive=_driven_awaitable),
}
