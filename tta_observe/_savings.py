"""What misses of a cache cost, and so what its hits save: sums and means, and no telemetry."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final, TypeAlias

from tta_observe._guard import SharedLock
from tta_observe.semconv import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

Cache: TypeAlias = "tuple[str | None, str]"
"""``primitive.name`` and ``cache.type``: what makes one cache."""

Misses: TypeAlias = "dict[Spent, Callable[[Spent], None]]"
"""Those that own what is spent in one block until it ends, and what to do then."""

_SUMS: Final = SharedLock()
"""Of all sums, held for an addition: a fork must not inherit one that is held."""


class Spent:
    """
    What LLM calls cost while something is open that a miss owns: a cache primitive, or the rest of a block.

    Calls are counted when they are made; what they cost may be known later. Safe from any thread.
    """

    __slots__ = ("calls", "computed", "cost_usd", "misses", "open", "outside", "owner", "unknown")

    def __init__(self, owner: object = None, outside: Misses | None = None) -> None:
        self.open = True
        """False after it ended: what still runs is its own."""
        self.owner = owner
        """The task or thread that opened it."""
        self.outside = outside
        """Of a cache primitive: what misses own in the block around it."""
        self.computed: tuple[object, ...] = ()
        """The cached functions that ran inside, as ``traced_cache`` knows them."""
        self.misses: dict[Cache, int] = {}
        """How many of each cache share the cost."""
        self.calls = 0
        self.cost_usd = 0.0
        self.unknown = 0
        """Calls whose cost is not known."""

    def is_left_to(self, owner: object) -> bool:
        """Whether a task that is done, or another thread, opened it and spent nothing: *owner* went on instead."""
        if self.owner is None or self.owner is owner or self.calls or not self.open:
            return False
        task = self.owner() if isinstance(self.owner, weakref.ref) else None
        return task is None or task.done()

    def close(self) -> bool:
        """End it; False when it has ended before."""
        with _SUMS.lock:
            was_open, self.open = self.open, False
            return was_open

    def count_miss(self, cache: Cache, times: int = 1) -> int:
        """Have *times* more misses of *cache* own it; returns how many that makes."""
        with _SUMS.lock:
            self.misses[cache] = self.misses.get(cache, 0) + times
            return self.misses[cache]


def spent_inside(around: tuple[Spent, ...], own: Spent | None) -> tuple[Spent, ...]:
    """What LLM calls count in that are made inside *own*, which is inside *around*: a miss in each cache pays."""
    return around if own is None else (*[spent for spent in around if spent.open], own)


def count_call(around: tuple[Spent, ...]) -> tuple[Spent, ...]:
    """Count one LLM call in those that are open; returns them, for :func:`add_cost`."""
    found = tuple([spent for spent in around if spent.open])
    if not found:
        return ()
    with _SUMS.lock:
        for spent in found:
            spent.calls += 1
    return found


def add_cost(spents: tuple[Spent, ...], cost_usd: float | None, *, is_new: bool = True) -> None:
    """
    Add what a call cost that was counted before, in USD; None when nobody knows.

    It is not *new* when the call was added before, as one whose cost is not known.
    """
    if not spents:
        return
    with _SUMS.lock:
        for spent in spents:
            spent.unknown += (cost_usd is None) - (not is_new)
            spent.cost_usd += cost_usd or 0


class _Known:
    """What is known of one cache."""

    __slots__ = ("cost_usd", "hits_waiting", "misses", "paid")

    def __init__(self) -> None:
        self.cost_usd = 0.0
        self.misses = self.hits_waiting = 0
        self.paid = False
        """Whether any miss made an LLM call; until one did, nothing tells what a hit saves."""

    def mean_usd(self) -> float | None:
        return self.cost_usd / self.misses if self.paid else None


class MissCosts:
    """
    The mean cost of a miss in each cache, and how many hits wait until it is known.

    Only misses whose whole cost is known are in the mean. One that made no LLM call did cost nothing, as its hits do.
    """

    def __init__(self, most: int = 1500) -> None:
        self._most = most
        self._caches: dict[Cache, _Known] = {}

    def hit(self, cache: Cache) -> float | None:
        """What a hit in *cache* saves, in USD; None while nobody knows: then it is counted and waits."""
        with _SUMS.lock:
            known = self._of(cache)
            saved = known.mean_usd()
            known.hits_waiting += saved is None
            return saved

    def miss(self, cache: Cache, spent: Spent) -> float | None:
        """Take in the misses of *cache* that own *spent*; returns what hits that have waited saved, in USD."""
        with _SUMS.lock:
            times = spent.misses.get(cache, 0)
            if spent.unknown > 0 or not times:
                return None
            known = self._of(cache)
            known.misses += times
            known.cost_usd += spent.cost_usd
            known.paid = known.paid or spent.calls > 0
            return self._waited(known)

    def _waited(self, known: _Known) -> float | None:
        mean = known.mean_usd()
        if mean is None or not known.hits_waiting:
            return None
        waited, known.hits_waiting = known.hits_waiting, 0
        return waited * mean

    def _of(self, cache: Cache) -> _Known:
        known = self._caches.get(cache)
        if known is None:
            if len(self._caches) >= self._most:
                cache = (OTHER, OTHER)
            known = self._caches.setdefault(cache, _Known())
        return known
