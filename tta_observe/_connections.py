"""
What ran before what: the edges of the service map.

Each context has a :class:`Position`: a strand, and the nodes that ended last on it.
A task or thread that is forked copies it, so the fork point is what was copied, not what has run by the time the
branch starts. When nothing in a branch runs any more, it hands the names of its ends over to the strand that it was
forked from, and takes them back when it goes on: nobody has to hold a branch, and ends of one name are one number.

The source of an edge ended before its target started: only ended nodes get into a position or are handed over.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import ref

from tta_observe.context import POSITION
from tta_observe.semconv import NESTED, OTHER, PARALLEL, SEQUENTIAL

if TYPE_CHECKING:
    from contextvars import Token

Edge: TypeAlias = tuple[str, str, int]
"""Name of the source, connection type, how many times: a join of a thousand branches is one edge."""

Nodes: TypeAlias = "tuple[Visit, ...]"
End: TypeAlias = tuple[Nodes, str]
"""After which nodes a branch was forked, and the name that it ended in."""
Ends: TypeAlias = dict[End, int]

_MAX_ENDS: Final = 1000
_MAX_DEPTH: Final = 32
"""Forks within forks that are joined; without a limit a task that starts its successor makes an endless chain."""

_get, _set, _reset = POSITION.get_raw, POSITION.set, POSITION.reset
_lock = threading.RLock()
"""Guards what strands tell each other. Reentrant: the garbage collector may end a generator while it is held."""


class Strand:
    """
    What one task or thread runs inside one parent, one after the other.

    *name* is the parent's; at top level there is none, and *anchor* tells which span was current.
    *ended* counts the ends of its branches that are not joined yet.
    """

    __slots__ = ("anchor", "ended", "name", "owner")

    up: Strand | None = None
    depth: int = 0

    def __init__(self, name: str | None, owner: object, anchor: object) -> None:
        self.name = name
        self.owner = owner
        self.anchor = anchor
        self.ended: Ends = {}


class Branch(Strand):
    """A strand that was forked from another one, *up*, after the nodes *fork*."""

    __slots__ = ("busy", "depth", "fork", "handed", "tails", "up")

    def __init__(self, here: Position, owner: object) -> None:
        up = here.strand
        super().__init__(up.name, owner, up.anchor)
        self.up: Strand = up
        self.depth = up.depth + 1
        self.fork = here.tails
        self.tails: Nodes = ()
        self.busy = 0
        self.handed: tuple[Ends, list[tuple[End, int]]] | None = None

    def start(self) -> None:
        """A node starts on this branch or on one forked from it."""
        self.busy += 1
        if self.busy == 1:
            self._take_back()
            if isinstance(self.up, Branch):
                self.up.start()

    def stop(self) -> None:
        """A node ended on this branch or on one forked from it."""
        self.busy -= 1
        if self.busy == 0:
            self._hand_over()
            if isinstance(self.up, Branch):
                self.up.stop()

    def _hand_over(self) -> None:
        if isinstance(self.up, Visit) and self.up.token is None:
            return  # the parent has ended: nothing will be joined there
        ends = self.up.ended
        tails, joined = _open_ends(self.tails, self.ended)
        names = [*[(node.name, 1) for node in tails], *joined]
        self.handed = ends, [(_add_end(ends, (self.fork, name), count), count) for name, count in names]

    def _take_back(self) -> None:
        if self.handed is None:
            return
        (ends, given), self.handed = self.handed, None
        if ends is not self.up.ended:  # joined meanwhile; an end is joined once
            self.tails, self.ended = (), {}
            return
        for end, count in given:
            ends[end] -= count
            if not ends[end]:
                del ends[end]


class Visit(Strand):
    """
    One observed node that is running, and the strand of what the same task runs inside it.

    *edges* are to be counted when it starts. After it has ended only its name is of use.
    """

    __slots__ = ("before", "edges", "outer", "token")

    name: str

    def __init__(self, name: str, owner: object, before: Position | None) -> None:
        self.name = name
        self.owner = owner
        self.anchor = None
        self.ended = {}
        self.before = before
        self.outer: Strand | None = None
        self.edges: tuple[Edge, ...] = ()
        self.token: Token[Position | None] | None


class Position:
    """Where a context is: on *strand*, after the nodes *tails*. Never changed after it was made."""

    __slots__ = ("strand", "tails")

    def __init__(self, strand: Strand, tails: Nodes) -> None:
        self.strand = strand
        self.tails = tails


def enter(name: str, *, is_workflow: bool, anchor: object) -> Visit:
    """
    Start the node *name* in the current context, and go inside it.

    *anchor* identifies the current OpenTelemetry span, if any; it matters only where there is no parent.
    """
    here: Position | None = _get()
    owner = _owner()
    visit = Visit(name, owner, here)
    if here is None or here.strand.name is None:
        here = _top_level(here, owner, is_workflow=is_workflow, anchor=anchor or None)
    if here is not None:
        visit.outer, visit.edges = _follow(here, owner)
    visit.token = _set(Position(visit, ()))
    return visit


def leave(visit: Visit) -> None:
    """
    End *visit*, wherever that happens; the second time does nothing.

    A context that is inside goes on after it. The consumer of a generator may have gone on meanwhile: then both
    count as last. Anywhere else the node is left to be joined, as a branch is.
    """
    token = visit.token
    if token is None:
        return
    here: Position | None = _get()
    if here is None or here.strand is not visit:
        _end_elsewhere(visit, here)
    else:
        _step_out(visit, token)
    visit.token = visit.outer = visit.before = None
    visit.ended = {}


def _top_level(here: Position | None, owner: object, *, is_workflow: bool, anchor: object) -> Position | None:
    """Where a node without a parent starts; None when it neither follows nor precedes anything."""
    if is_workflow:
        return None
    if here is not None and here.strand.anchor == anchor:
        return here
    if isinstance(owner, ref) or threading.get_ident() == threading.main_thread().ident:
        return Position(Strand(None, owner, anchor), ())
    return None  # a thread that may serve somebody else next


def _follow(here: Position, owner: object) -> tuple[Strand, tuple[Edge, ...]]:
    """The strand on which a node starts after *here*, and the edges into it."""
    strand, tails = here.strand, here.tails
    if strand.owner is not owner:
        return _fork(here, owner), _edges(strand, tails, PARALLEL)
    joined: list[tuple[str, int]] = []
    if strand.ended or strand.up is not None:
        with _lock:
            ended, strand.ended = strand.ended, {}
            if isinstance(strand, Branch):
                strand.start()
        tails, joined = _open_ends(tails, ended)
    if joined:
        return strand, (*[(node.name, SEQUENTIAL, 1) for node in tails], *[(name, PARALLEL, n) for name, n in joined])
    return strand, _edges(strand, tails, SEQUENTIAL)


def _fork(here: Position, owner: object) -> Strand:
    """A strand for a context that was copied at *here*."""
    up = here.strand
    if up.depth == _MAX_DEPTH:
        return Strand(up.name, owner, up.anchor)
    branch = Branch(here, owner)
    with _lock:
        branch.start()
    return branch


def _edges(strand: Strand, tails: Nodes, kind: str) -> tuple[Edge, ...]:
    if len(tails) == 1:  # nearly always
        return ((tails[0].name, kind, 1),)
    if tails:
        return tuple([(node.name, kind, 1) for node in tails])
    return () if strand.name is None else ((strand.name, NESTED, 1),)


def _step_out(visit: Visit, token: Token[Position | None]) -> None:
    try:
        _reset(token)
    except ValueError:  # a copy of the context, made inside
        _leave_behind(visit)
        _set(visit.before)
    else:
        if visit.outer is None:
            _set(visit.before)
        else:
            _go_on(visit.outer, visit.outer, (visit,))


def _end_elsewhere(visit: Visit, here: Position | None) -> None:
    outer, before = visit.outer, visit.before
    inner = _still_open_in(visit, here)
    if inner is not None:  # blocks that overlap: the inner one goes on outside
        _leave_behind(visit, replaced=True)
        inner.outer, inner.before = outer, before
    elif outer is None or outer.owner is not _owner():
        _leave_behind(visit)
    elif here is before:
        _go_on(outer, outer, (visit,))
    elif here is not None and _is_beside(here.strand, outer):
        others = _without(here.tails, before.tails if before is not None else ())
        _go_on(outer, here.strand, (*others[1 - _MAX_ENDS :], visit))
    else:
        _leave_behind(visit)


def _go_on(outer: Strand, strand: Strand, tails: Nodes) -> None:
    """Put this context after *tails* on *strand*; *outer* is where the node that ended was started."""
    _set(Position(strand, tails))
    if isinstance(strand, Branch) and isinstance(outer, Branch):
        with _lock:
            if strand is not outer:
                strand.start()
                outer.stop()
            strand.tails = tails
            strand.stop()


def _leave_behind(visit: Visit, *, replaced: bool = False) -> None:
    """Leave the end of *visit* to be joined; *replaced* when another node keeps its branch busy."""
    outer, before = visit.outer, visit.before
    if outer is not None:
        with _lock:
            _add_end(outer.ended, (before.tails if before is not None else (), visit.name), 1)
            if isinstance(outer, Branch) and not replaced:
                outer.stop()


def _still_open_in(visit: Visit, here: Position | None) -> Visit | None:
    """The node directly inside *visit* that this context has not left."""
    strand = None if here is None else here.strand
    while isinstance(strand, Visit) and strand.outer is not visit:
        strand = strand.outer
    return strand if isinstance(strand, Visit) else None


def _is_beside(one: Strand, other: Strand) -> bool:
    """Whether they are one, or twins: a generator that is first in a context makes a strand unknown to its consumer."""
    if one is other or isinstance(one, Visit) or isinstance(other, Visit):
        return one is other
    return (one.owner, one.up, one.name, one.anchor) == (other.owner, other.up, other.name, other.anchor)


def _open_ends(tails: Nodes, ended: Ends) -> tuple[Nodes, list[tuple[str, int]]]:
    """*tails* that no ended branch was forked after, and the names in which those branches ended."""
    counts: dict[str, int] = {}
    for (fork, name), count in ended.items():
        counts[name] = counts.get(name, 0) + count
        tails = _without(tails, fork)
    return tails, list(counts.items())


def _without(nodes: Nodes, others: Nodes) -> Nodes:
    return tuple([node for node in nodes if node not in others])


def _add_end(ends: Ends, end: End, count: int) -> End:
    """Count *end*, or a less exact one: past the limit fork points are given up, past twice the limit names."""
    if end not in ends and len(ends) >= _MAX_ENDS:
        end = (), end[1]
    if end not in ends and len(ends) >= 2 * _MAX_ENDS:
        end = (), OTHER
    ends[end] = ends.get(end, 0) + count
    return end


class _Thread(threading.local):
    def __init__(self) -> None:
        self.token = object()  # not the identifier, which is used again for a later thread


_THREAD: Final = _Thread()


def _owner() -> object:
    """The running asyncio task, held weakly, or else a token of this thread."""
    asyncio = sys.modules.get("asyncio")  # a program without it need not import it
    if asyncio is not None:
        try:
            loop = asyncio._get_running_loop()  # noqa: SLF001 - the public way raises, at a fifth of the whole cost
            if loop is not None and (task := asyncio.current_task(loop)) is not None:
                return ref(task)  # the same object each time, as long as a strand holds it
        except AttributeError:  # asyncio is being imported
            pass
    return _THREAD.token


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child lacks the thread that may have held it
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
