"""
Blocks: ``with`` and decorator in one, for everything that can be opened.

A block used as a decorator opens a new one at each call, for all shapes of functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from tta_observe import _otel_context, _shells
from tta_observe._garbage import COLLECTING, safely
from tta_observe.context import WORKFLOW, Bound, WorkflowContext, bound_here, carry, drop_ended, restore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tta_observe._call import Live
    from tta_observe._shells import F
    from tta_observe._spans import Step

V = TypeVar("V")


class Binding(Bound):
    """A :class:`WorkflowContext` that was made current, and how to undo that."""

    __slots__ = ("value",)

    def __init__(self, value: WorkflowContext, *, alone: bool = False) -> None:
        """*alone*: no span follows that would take it along inside the OpenTelemetry Context."""
        self.value = value
        before, otel_before = WORKFLOW.get_raw(), _otel_context.current()
        carrying = carry(value) if alone else (None, None)  # first, because it needs the most of the stack
        super().__init__((WORKFLOW.set(value), before, *carrying, otel_before))

    @property
    def bound(self) -> Bound:
        """Itself."""
        return self

    def put_back(self, undo: tuple[Any, ...], *, late: bool) -> None:
        """Make the outer value current again, where ours still is."""
        token, before, carrying, attached, otel_before = undo
        same = restore(WORKFLOW, token, self.value, before)
        _otel_context.detach(carrying, attached, otel_before, same_context=same)

    def finish(self, error: BaseException | None) -> None:
        """Nothing to record."""


class OpenBlock(Generic[V]):
    """One run of a block: what it bound, what it observes, and what ``with`` yields."""

    __slots__ = ("_parts", "value")
    watches = ()
    """A block has no result; what it observes tells its own followers of its end."""
    is_llm = False
    outside = None

    def __init__(self, value: V, *parts: Binding | Live | Step | None) -> None:
        self.value = value
        self._parts = tuple(part for part in reversed(parts) if part is not None)

    @property
    def bound(self) -> Bound | None:
        """By what it is found again in its context; None when there is no telemetry and so nothing is bound."""
        return self._parts[0].bound if self._parts else None

    def unbind(self) -> None:
        """Make the context what it was before."""
        for part in self._parts:
            part.unbind()

    def finish(self, error: BaseException | None) -> None:
        """Record how the run ended."""
        for part in self._parts:
            part.finish(error)

    def returned(self, result: object) -> None:
        """Nobody to tell."""

    def streamed(self) -> None:
        """Nobody to tell."""

    def yielded(self, item: object) -> None:
        """Nobody to tell."""


class Block(Generic[V]):
    """What every block has in common; subclasses say what to open."""

    def __init__(self) -> None:
        self._runs: dict[object, OpenBlock[V]] = {}

    def open(self) -> OpenBlock[V]:
        """Open a new run in the current context. Never raises."""
        raise NotImplementedError

    def __enter__(self) -> V:
        run = safely(self._open) if COLLECTING else self._open()
        self._runs[run.bound or run] = run
        return run.value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._take()
        if run is not None:
            _shells.close(run, error)

    def __call__(self, function: F) -> F:
        """
        Decorate *function*: each call runs in a new run of this block.

        Raises:
            ConfigurationError: *function* is a class, or cannot be called.
        """
        _shells.refuse_class(function, type(self).__name__)
        return cast("F", _shells.observe(function, self._open, self))

    def __copy__(self) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runs": {}}

    def _open(self, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> OpenBlock[V]:
        drop_ended()
        return self.open()

    def _take(self) -> OpenBlock[V] | None:
        # One block may be open several times at once, in several tasks: close the run of this context.
        for bound in bound_here():
            run = self._runs.pop(bound, None)
            if run is not None:
                return run
        try:  # left in another context than it was entered in
            return self._runs.popitem()[1]
        except KeyError:
            return None
