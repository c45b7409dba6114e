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
import threading
from typing import Any, Final, TypeAlias
from weakref import ref

from tta_observe._owners import current_owner
from tta_observe.context import POSITION, carried_position
from tta_observe.semconv import NESTED, OTHER, PARALLEL, REMOTE, SEQUENTIAL

Nodes: TypeAlias = "tuple[Visit, ...]"
Edge: TypeAlias = tuple[str, str, int]
"""Name of the source, connection type, how many times: a join of a thousand branches is one edge."""

End: TypeAlias = tuple[Nodes, str]
"""After which nodes a branch was forked, and the name that it ended in."""

_MAX_ENDS: Final = 1000
_MAX_DEPTH: Final = 32  # of forks in forks: a task that starts its successor would make an endless chain

_get, _set, _reset = POSITION.get_raw, POSITION.set, POSITION.reset
_lock = threading.RLock()  # reentrant: the garbage collector may end a generator while it is held


class Strand:
    """
    What one task or thread runs inside one parent, one after the other.

    *name* is the parent's; at top level there is none, and *anchor* tells which span was current. *ended* counts the
    ends of branches that are not joined yet. *kind* is that of edges from the parent.
    """

    __slots__ = ("anchor", "ended", "name", "owner")
    kind: str = NESTED
    up: Strand | None = None
    depth: int = 0

    def __init__(self, name: str | None, owner: object, anchor: object) -> None:
        self.name = name
        self.owner = owner
        self.anchor = anchor
        self.ended: dict[End, int] = {}


class Caller(Strand):
    """What one task or thread runs for the node *name* of another service."""

    __slots__ = ()
    kind = REMOTE


class Branch(Strand):
    """A strand that was forked from another one, *up*, after the nodes *fork*. To be used with the lock held."""

    __slots__ = ("busy", "depth", "fork", "handed", "kind", "tails", "up")

    def __init__(self, up: Strand, fork: Nodes, owner: object) -> None:
        super().__init__(up.name, owner, up.anchor)
        self.kind = up.kind
        if up.depth == _MAX_DEPTH:
            up = Strand(up.name, None, None)  # which nobody joins
        self.up: Strand = up
        self.depth = up.depth + 1
        self.fork = fork
        self.tails: Nodes = ()
        self.busy = 0
        self.handed: tuple[dict[End, int], list[tuple[End, int]]] = {}, []

    def count(self, change: int) -> None:
        """Note that one node more or less runs on this branch or on one forked from it."""
        was_busy, self.busy = self.busy, self.busy + change
        if was_busy and self.busy:
            return
        (self._hand_over if was_busy else self._take_back)()
        if isinstance(self.up, Branch):
            self.up.count(change)

    def _hand_over(self) -> None:
        if isinstance(self.up, Visit) and self.up.token is None:
            return  # the parent has ended: nothing will be joined there
        ends = self.up.ended
        tails, joined = _open_ends(self.tails, self.ended)
        names = [*[(node.name, 1) for node in tails], *joined]
        self.handed = ends, [(_add_end(ends, (self.fork, name), count), count) for name, count in names]

    def _take_back(self) -> None:
        (ends, given), self.handed = self.handed, ({}, [])
        if ends is not self.up.ended:  # joined meanwhile; an end is joined once
            self.tails, self.ended = (), {}
            return
        for end, count in given:
            left = ends.pop(end, 0) - count
            if left > 0:
                ends[end] = left


class Visit(Strand):
    """One observed node that is running, the *edges* into it, and the strand of what the same task runs inside it."""

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
        self.token: Any = None  # of the context variable, while the node runs


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
    owner = current_owner()
    visit = Visit(name, owner, here)
    if here is None or here.strand.name is None:
        here = _handed() or _top_level(here, owner, is_workflow=is_workflow, anchor=anchor or None)
    if here is not None:
        visit.outer, visit.edges = _follow(here.strand, here.tails, owner)
    visit.token = _set(Position(visit, ()))
    return visit


def leave(visit: Visit) -> None:
    """
    End *visit*, wherever that happens; the second time does nothing.

    A context that is inside goes on after it. The consumer of a generator may have gone on meanwhile: then both
    count as last. Anywhere else the node is left to be joined, as a branch is.
    """
    if visit.token is None:
        return
    here: Position | None = _get()
    if here is None or here.strand is not visit:
        _end_elsewhere(visit, here)
    elif _is_made_here(visit.token) and visit.outer is not None and not _was_handed(visit):
        _go_on(visit.outer, visit.outer, (visit,))
    else:  # a copy of the context, or a node that nothing follows here
        _leave_behind(visit)
        _set(visit.before)
    visit.token = visit.outer = visit.before = None
    visit.ended = {}


def _handed() -> Position | None:
    """Where the parent is, in a thread that was handed an OpenTelemetry Context alone."""
    position = carried_position()
    return position if position is not None and position.strand.name is not None else None


def _was_handed(visit: Visit) -> bool:
    """Whether *visit* found its parent in that way. Nothing follows it: the thread may serve somebody else next."""
    outer, before = visit.outer, visit.before
    return outer is not None and outer.name is not None and (before is None or before.strand.name is None)


def _top_level(here: Position | None, owner: object, *, is_workflow: bool, anchor: object) -> Position | None:
    """Where a node without a parent starts; None when it neither follows nor precedes anything."""
    if is_workflow:
        return None
    if here is not None and here.strand.anchor == anchor:
        return here
    if isinstance(owner, ref) or threading.get_ident() == threading.main_thread().ident:
        return Position(Strand(None, owner, anchor), ())
    return None  # a thread that may serve somebody else next


def _follow(strand: Strand, tails: Nodes, owner: object) -> tuple[Strand, tuple[Edge, ...]]:
    """The strand on which a node starts, and the edges into it."""
    kind = SEQUENTIAL if strand.owner is owner else PARALLEL
    joined: list[tuple[str, int]] = []
    if kind is PARALLEL or strand.ended or strand.up is not None:
        with _lock:
            if kind is PARALLEL:  # the context is a copy
                strand = Branch(strand, tails, owner)
            ended, strand.ended = strand.ended, {}
            if isinstance(strand, Branch):
                strand.count(1)
        tails, joined = _open_ends(tails, ended)
    if len(tails) == 1 and not joined:  # nearly always
        return strand, ((tails[0].name, kind, 1),)
    edges = (*[(node.name, kind, 1) for node in tails], *[(name, PARALLEL, count) for name, count in joined])
    if not edges and strand.name is not None:
        edges = ((strand.name, strand.kind, 1),)
    return strand, edges


def _is_made_here(token: Any) -> bool:
    try:
        _reset(token)
    except ValueError:  # this context is a copy of the one that it was made in
        return False
    return True


def _end_elsewhere(visit: Visit, here: Position | None) -> None:
    outer, before = visit.outer, visit.before
    inner = here.strand if here is not None else None
    while isinstance(inner, Visit) and inner.outer is not visit:
        inner = inner.outer
    if isinstance(inner, Visit):  # blocks that overlap: the inner one goes on outside
        _leave_behind(visit, replaced=True)
        inner.outer, inner.before = outer, before
        return
    if here is before and outer is not None:
        here = Position(outer, ())
    if here is not None and outer is not None and not _was_handed(visit) and _is_beside(here.strand, outer):
        followed = before.tails if before is not None else ()
        others = [node for node in here.tails if node not in followed]
        _go_on(outer, here.strand, (*others[1 - _MAX_ENDS :], visit))
    else:
        _leave_behind(visit)


def _go_on(outer: Strand, strand: Strand, tails: Nodes) -> None:
    """Put this context after *tails* on *strand*; *outer* is where the node that ended was started."""
    _set(Position(strand, tails))
    if isinstance(strand, Branch) and isinstance(outer, Branch):
        with _lock:
            if strand is not outer:
                strand.count(1)
                outer.count(-1)
            strand.tails = tails
            strand.count(-1)


def _leave_behind(visit: Visit, *, replaced: bool = False) -> None:
    """Leave the end of *visit* to be joined; *replaced* when another node keeps its branch busy."""
    outer, before = visit.outer, visit.before
    if outer is not None:
        with _lock:
            _add_end(outer.ended, (before.tails if before is not None else (), visit.name), 1)
            if isinstance(outer, Branch) and not replaced:
                outer.count(-1)


def _is_beside(one: Strand, other: Strand) -> bool:
    """Whether both run here and are one, or twins: a generator that is first makes a strand unknown to its consumer."""
    if other.owner is not current_owner():
        return False
    if one is other or isinstance(one, Visit) or isinstance(other, Visit):
        return one is other
    return (one.owner, one.up, one.name, one.anchor) == (other.owner, other.up, other.name, other.anchor)


def _open_ends(tails: Nodes, ended: dict[End, int]) -> tuple[Nodes, list[tuple[str, int]]]:
    """*tails* that no ended branch was forked after, and the names in which those branches ended."""
    counts: dict[str, int] = {}
    for (fork, name), count in ended.copy().items():  # the garbage collector may add to it
        counts[name] = counts.get(name, 0) + count
        tails = tuple([node for node in tails if node not in fork])
    return tails, list(counts.items())


def _add_end(ends: dict[End, int], end: End, count: int) -> End:
    """Count *end*, or a less exact one: past the limit fork points are given up, past twice the limit names."""
    if end not in ends and len(ends) >= _MAX_ENDS:
        end = (), end[1]
    if end not in ends and len(ends) >= 2 * _MAX_ENDS:
        end = (), OTHER
    ends[end] = ends.get(end, 0) + count
    return end


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child lacks the thread that may have held it
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
