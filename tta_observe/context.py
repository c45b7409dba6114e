"""
What the current call belongs to: one frozen value per concept, each in a context variable of its own.

This is the only module that knows where the values are kept.
Four cells that change hang on the frozen values: the strand of the connections, the totals of a workflow,
the number of steps opened inside a frame, and what is spent around it that cache misses own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from contextvars_extras import ContextVarExt

from tta_observe import _otel_context, semconv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import Context, Token

    from tta_observe._connections import Position
    from tta_observe._savings import Misses, Spent
    from tta_observe._totals import Totals
    from tta_observe._values import AttributeValue
    from tta_observe.usage import UsageSum

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WorkflowContext:
    """
    Who and what the current code works for; what an inner block does not set it inherits.

    Read it with :func:`tta_observe.current_workflow`.
    """

    workflow_name: str | None = None
    workflow_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    agent_type: str | None = None
    llm_provider: str | None = None
    llm_model_name: str | None = None
    llm_model_tier: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, hash=False)
    totals: Totals | None = field(default=None, repr=False, compare=False)
    span_attributes: Mapping[str, AttributeValue] = field(init=False, repr=False, compare=False)
    """The same as :meth:`to_otel_context`, made once: not to be changed."""

    def __post_init__(self) -> None:
        named = {key: value for key, name in _ATTRIBUTE_OF.items() if (value := getattr(self, name)) is not None}
        object.__setattr__(self, "span_attributes", {**self.attributes, **named})

    def to_otel_context(self) -> dict[str, AttributeValue]:
        """The attributes that every span inside carries, by their names in :mod:`tta_observe.semconv`."""
        return dict(self.span_attributes)


_ATTRIBUTE_OF: Final = {
    semconv.WORKFLOW_NAME: "workflow_name",
    semconv.WORKFLOW_ID: "workflow_id",
    semconv.SESSION_ID: "session_id",
    semconv.AGENT_ID: "agent_id",
    semconv.AGENT_TYPE: "agent_type",
    semconv.LLM_PROVIDER: "llm_provider",
    semconv.LLM_MODEL_NAME: "llm_model_name",
    semconv.LLM_MODEL_TIER: "llm_model_tier",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """
    The observed block that encloses the current code.

    Name, type and *usage* are those of the nearest primitive or workflow: a step passes them on. *around* is the usage
    of the nearest LLM call, whether or not it is this very block.
    """

    primitive_name: str | None
    primitive_type: str | None
    is_step: bool = False
    usage: UsageSum | None = None
    around: UsageSum | None = None
    steps: itertools.count[int] = field(default_factory=itertools.count)
    lookup: Spent | None = None
    """Of a cache primitive: what LLM calls inside it cost. A step passes it on, as the two below."""
    spent: tuple[Spent, ...] = ()
    """What LLM calls inside count in; some may have ended."""
    misses: Misses = field(default_factory=dict, compare=False)
    """The cache misses that own what is spent inside until it ends."""

    def end(self) -> None:
        """Do what waits for the end, once, in the context that goes on."""
        if self.lookup is not None:
            self.lookup.close()
        if self.misses:
            waiting = list(self.misses.items())
            self.misses.clear()
            for spent, settle in waiting:
                settle(spent)

    def step(self) -> Frame:
        """The frame of a step inside."""
        name, type_, usage, around = self.primitive_name, self.primitive_type, self.usage, self.around
        return Frame(name, type_, True, usage, around, itertools.count(), self.lookup, self.spent, self.misses)  # noqa: FBT003 - in their order

    def is_version_of(self, other: Frame) -> bool:
        """Whether they are of one block: see :func:`spend_in`."""
        return self.steps is other.steps


class State(NamedTuple):
    """All context variables at once, for generator shells; in the order of ``_VARIABLES``."""

    innermost: Bound | None
    workflow: WorkflowContext | None
    frame: Frame | None
    position: Position | None


WORKFLOW: Final[ContextVarExt[WorkflowContext | None]] = ContextVarExt("tta_observe.workflow", default=None)
FRAME: Final[ContextVarExt[Frame | None]] = ContextVarExt("tta_observe.frame", default=None)
POSITION: Final[ContextVarExt[Position | None]] = ContextVarExt("tta_observe.position", default=None)
INNERMOST: Final[ContextVarExt[Bound | None]] = ContextVarExt("tta_observe.innermost", default=None)

Carried: TypeAlias = "tuple[WorkflowContext | None, Frame | None, Position | None]"
"""What travels inside the OpenTelemetry Context as well, and is read where our own variables are empty."""

_VARIABLES: Final[tuple[ContextVarExt[Any], ...]] = (INNERMOST, WORKFLOW, FRAME, POSITION)


def current_workflow() -> WorkflowContext | None:
    """Who and what the current code works for; in a thread that was handed an OpenTelemetry Context, what that says."""
    found: WorkflowContext | None = WORKFLOW.get_raw()
    return found if found is not None else _carried()[0]


def current_frame() -> Frame | None:
    """The block that encloses the current code, found in the same way."""
    found: Frame | None = FRAME.get_raw()
    return found if found is not None else _carried()[1]


def carried_position() -> Position | None:
    """Where on the service map the code was that the current OpenTelemetry Context comes from."""
    return _carried()[2]


def carry(workflow: WorkflowContext | None) -> tuple[Any, Any]:
    """Have *workflow* and what else is current travel inside the OpenTelemetry Context: see ``_otel_context.carry``."""
    return _otel_context.carry((workflow, current_frame(), POSITION.get_raw() or carried_position()))


def _carried() -> Carried:
    return _otel_context.carried() or (None, None, None)


def spend_in(spent: tuple[Spent, ...]) -> None:
    """
    Have the LLM calls in the rest of the current block count in *spent*; tasks that it starts from here on, too.

    Each context has its own version of the frame, so that tasks side by side do not pay for each other.
    """
    frame = FRAME.get()
    if frame is not None and frame.spent != spent:
        FRAME.set(replace(frame, spent=spent))


def workflow_in(context: Context) -> WorkflowContext | None:
    """What code that runs in *context* works for; it may be running elsewhere."""
    found: WorkflowContext | None = context.get(WORKFLOW.context_var)
    return found


class Bound:
    """
    Something made current by a block or call, until :meth:`unbind`; each knows what it was opened over.

    Blocks may end in any order and in any context. What ends while something opened later is still open there, or
    in another context, is put back by whoever is the next to open or end something in the context it was opened in.
    """

    __slots__ = ("_token", "_under", "_undo", "ended")

    def __init__(self, undo: tuple[Any, ...]) -> None:
        """To be called when everything else is bound; *undo* is what :meth:`put_back` needs."""
        self.ended = False
        self._undo = undo
        self._under = INNERMOST.get_raw()
        self._token: Token[Bound | None] | None = INNERMOST.set(self)

    def put_back(self, undo: tuple[Any, ...], *, late: bool) -> None:
        """
        Restore in the current context what was bound before, see :func:`restore`.

        *late*: it has ended before, elsewhere or out of turn.
        """
        raise NotImplementedError

    def unbind(self) -> None:
        """Make the context what it was before, as far as nothing opened later is still open in it."""
        self.ended = True
        if INNERMOST.get_raw() is self and not self._go_back(late=False):
            INNERMOST.set(self._under)
            self.put_back(self._undo, late=False)
        drop_ended()

    def _go_back(self, *, late: bool) -> bool:
        """Put everything back, provided that the current context is the one in which this was opened."""
        if self._token is None:
            return False
        try:
            INNERMOST.reset(self._token)
        except ValueError:  # another context, perhaps a copy of ours: a task that outlives what it was started in
            return False
        except RuntimeError:  # a garbage collection runs in the middle of this very reset, and we in a copy
            return False
        # A copy of the context may keep us for ever, and would keep this context and all that we were opened over.
        undo, self._undo = self._undo, ()
        self._token = self._under = None
        self.put_back(undo, late=late)
        return True


def drop_ended() -> None:
    """Put back what was bound in this very context and has ended elsewhere or out of turn."""
    while (top := INNERMOST.get_raw()) is not None and top.ended and top._go_back(late=True):  # noqa: SLF001
        pass


def bound_here() -> Iterator[Bound]:
    """What is bound in the current context, innermost first."""
    bound = INNERMOST.get_raw()
    while bound is not None:
        yield bound
        bound = bound._under  # noqa: SLF001


def restore(variable: ContextVarExt[_T], token: Token[Any], ours: _T, before: _T) -> bool:
    """
    Put the value from *before* back; returns whether we are still in the context in which *ours* was set.

    Elsewhere the token is of no use: there *before* is put back only where *ours* is still current.
    """
    try:
        variable.reset(token)
    except ValueError:
        if _is_still(variable.get(), ours):
            variable.set(before)
        return False
    return True


def _is_still(current: object, ours: object) -> bool:
    return current is ours or (type(current) is Frame and type(ours) is Frame and current.is_version_of(ours))


def capture() -> State:
    """The values of all our variables."""
    return State(*[variable.get_raw() for variable in _VARIABLES])


def swap_in(state: State) -> list[Token[Any]]:
    """Set all our variables to *state*; returns what :func:`swap_out` needs."""
    return [variable.set(value) for variable, value in zip(_VARIABLES, state, strict=True)]


def swap_out(tokens: list[Token[Any]]) -> bool:
    """Undo :func:`swap_in`; returns False, and changes nothing, in another context than it was called in."""
    try:
        for variable, token in zip(_VARIABLES, tokens, strict=True):
            variable.reset(token)
    except ValueError:
        return False
    return True
