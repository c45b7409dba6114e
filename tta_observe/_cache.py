"""
Recording what application caches save.

A miss owns what the LLM calls inside its cache primitive cost. When there were none, or no such primitive, it owns
those in the rest of the block, until that ends or looks up in the same cache again. A hit saves the mean.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Never

from tta_observe import _garbage, _otel_context, _telemetry, semconv
from tta_observe._guard import guarded, warn_once
from tta_observe._owners import current_owner
from tta_observe._prices import in_order
from tta_observe._savings import Spent, spent_inside
from tta_observe._values import clean_label, digest, finite_number, shown
from tta_observe.context import FRAME, spend_in
from tta_observe.errors import unknown_option
from tta_observe.instruments import CACHE_HITS, CACHE_LOOKUPS, CACHE_SAVINGS

if TYPE_CHECKING:
    from tta_observe._savings import Cache, Misses
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue
    from tta_observe.context import Frame

_OPTIONS = ("hit", "name", "cache_type", "key", "ttl_seconds", "saved_usd")

_MOST_MISSES: Final = 1000
"""Open ones of one block, in all its tasks; past it the oldest owns no more than it has."""


def record_cache_operation(
    *,
    hit: bool,
    name: str | None = None,
    cache_type: str = "memory",
    key: object = None,
    ttl_seconds: float | None = None,
    saved_usd: float | None = None,
    **unknown: Never,
) -> None:
    """
    Record one lookup in a cache of the application, on the current span and on the metrics.

    What a hit saves is the mean cost of a miss in the same cache. A miss owns the LLM calls inside the primitive of
    type ``cache`` around the lookup; when there are none, those in the rest of the block around that, until it ends or
    looks up in the same cache again. Hits before the first known cost are added when it is known.

    Args:
        hit: whether it found something: True or False.
        name: which primitive it belongs to; default: the current one.
        cache_type: what kind of cache, e.g. ``"memory"`` or ``"redis"``; a label.
        key: what was looked up; only a digest of it leaves the process, and only for str, bytes, int and tuples of
            them.
        ttl_seconds: how long the entry is valid.
        saved_usd: what this hit saved, in USD, when you know better than the mean.

    Raises:
        ConfigurationError: an option is unknown.
    """
    if unknown:
        raise unknown_option("record_cache_operation", unknown, _OPTIONS)
    found = truth_of(hit)
    if found is None:
        warn_once(
            "cache-hit",
            "record_cache_operation: hit was %s, and the lookup is not recorded. Pass True or False, "
            "e.g. hit=found is not None.",
            shown(hit),
        )
        return
    labels = clean_label(name), clean_label(cache_type) or "memory"
    _garbage.safely(_record, labels, key, ttl_seconds, saved_usd, found)


def truth_of(hit: object) -> bool | None:
    """*hit* when it is one of True, False, 1 and 0; None for all else, whose truth is code of its class."""
    return bool(hit) if type(hit) in (bool, int, float) and hit in (0, 1) else None


@guarded
def _record(labels: tuple[str | None, str], key: object, ttl: object, saved: object, hit: bool) -> None:  # noqa: FBT001 - passed on by position
    slot, frame = _telemetry.current(), FRAME.get()
    if slot is None:
        return
    name, cache_type = labels
    cache = name or (frame.primitive_name if frame is not None else None), cache_type
    saved_usd = count(slot, frame, cache, hit=hit, saved=saved)
    span = _otel_context.current_span()
    if span is not None:
        span.set_attributes(attributes(cache_type, digest(key), ttl, saved_usd, hit=hit))


def count(
    slot: Slot, frame: Frame | None, cache: Cache, *, hit: bool, saved: object = None, computed: bool = False
) -> object:
    """
    Count one lookup in *cache*, made in the block of *frame*; returns what is known to be saved, in USD.

    *computed*: a miss was computed inside that block, so that one without LLM calls did cost nothing.
    """
    slot.record(CACHE_LOOKUPS, 1, cache)
    cache = _bounded(slot, cache)
    if frame is not None:
        _end_rest(slot, frame, cache)
    if not hit:
        if frame is not None:
            _miss(slot, frame, cache, computed=computed)
        return None
    slot.record(CACHE_HITS, 1, cache)
    if saved is not None:
        slot.record(CACHE_SAVINGS, saved, cache)  # type: ignore[arg-type]
        return saved
    found = _Hit(slot, cache)
    in_order(found.look_up, needs_price=False)
    return found.saved_usd


def attributes(cache_type: str, key: str | None, ttl: object, saved: object, *, hit: bool) -> dict[str, AttributeValue]:
    """The span attributes of a lookup; *key* is a digest."""
    found: dict[str, AttributeValue | None] = {
        semconv.CACHE_HIT: hit,
        semconv.CACHE_TYPE: cache_type,
        semconv.CACHE_KEY: key,
        semconv.CACHE_TTL_SECONDS: finite_number(ttl),
        semconv.CACHE_SAVINGS_USD: finite_number(saved),
    }
    return {name: value for name, value in found.items() if value is not None}


class _Hit:
    """A hit, and what it saved when that is known by now."""

    __slots__ = ("_cache", "_slot", "saved_usd")

    def __init__(self, slot: Slot, cache: Cache) -> None:
        self._slot, self._cache = slot, cache
        self.saved_usd: float | None = None

    @guarded
    def look_up(self) -> None:
        saved = self._slot.miss_costs.hit(self._cache)
        if saved is not None:
            self._slot.record(CACHE_SAVINGS, saved, self._cache)
            self.saved_usd = saved


def _bounded(slot: Slot, cache: Cache) -> Cache:
    name, cache_type = cache
    bounds = slot.bounds
    return name and bounds.value(semconv.PRIMITIVE_NAME, name), bounds.value(semconv.CACHE_TYPE, cache_type)


def _miss(slot: Slot, frame: Frame, cache: Cache, *, computed: bool) -> None:
    own = frame.lookup
    if own is None:
        _own_rest(slot, frame, cache)
    elif own.open and own.count_miss(cache) == 1:
        frame.misses.setdefault(own, partial(_settle if computed else _inside_ended, slot))


def _inside_ended(slot: Slot, inside: Spent) -> None:
    """A cache primitive ended with misses: they own what was spent in it, else the rest of the block around it."""
    if inside.calls:
        _settle(slot, inside)
    elif (frame := FRAME.get()) is not None:
        for cache, times in inside.misses.items():
            _end_rest(slot, frame, cache)
            _own_rest(slot, frame, cache, times)


def _own_rest(slot: Slot, frame: Frame, cache: Cache, times: int = 1) -> None:
    """Have *times* misses of *cache* own what this task or thread spends in the rest of the block of *frame*."""
    rest = _open_rest(slot, frame.misses, cache, times)
    here = FRAME.get() or frame
    spend_in(spent_inside(here.spent, rest))


def _open_rest(slot: Slot, misses: Misses, cache: Cache, times: int) -> Spent:
    rest = Spent(current_owner())
    rest.count_miss(cache, times)
    if len(misses) >= _MOST_MISSES:
        oldest = next(iter(misses))
        misses[oldest](oldest)
    misses[rest] = partial(_rest_ended, slot, misses)
    return rest


def _end_rest(slot: Slot, frame: Frame, cache: Cache) -> None:
    """
    A lookup in *cache*: what an earlier miss owned in this block ends, or in the one around a cache primitive.

    That of another task, which ours was started by, goes on, but without us.
    """
    outside = frame.lookup.outside if frame.lookup is not None else None
    for rest in frame.spent:
        if rest.owner is None or cache not in rest.misses:
            continue
        if rest in frame.misses:
            _end_or_leave(slot, frame.misses, rest, cache)
        elif outside is not None and rest in outside and not _end_or_leave(slot, outside, rest, cache):
            frame.misses[Spent()] = partial(_leave, rest)  # there, too, as soon as we are back


def _end_or_leave(slot: Slot, misses: Misses, rest: Spent, cache: Cache) -> bool:
    if rest.owner is current_owner():
        _rest_ended(slot, misses, rest)
        return True
    _leave(rest)
    _open_rest(slot, misses, cache, 0)  # if ours was started for this lookup alone, it ends when the other goes on
    return False


def _leave(rest: Spent, _ended: Spent | None = None) -> None:
    frame = FRAME.get()
    if frame is not None:
        spend_in(tuple(other for other in frame.spent if other is not rest))


def _rest_ended(slot: Slot, misses: Misses, rest: Spent) -> None:
    misses.pop(rest, None)
    if rest.close():
        _settle(slot, rest)


def _settle(slot: Slot, spent: Spent) -> None:
    in_order(partial(_take_in, slot, spent), needs_price=False)


@guarded
def _take_in(slot: Slot, spent: Spent) -> None:
    for cache in spent.misses:
        saved = slot.miss_costs.miss(cache, spent)
        if saved is not None:
            slot.record(CACHE_SAVINGS, saved, cache)
