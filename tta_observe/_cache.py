"""Recording what application caches save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

from tta_observe import _telemetry, semconv
from tta_observe._guard import guarded
from tta_observe._values import clean_label, digest, finite_number
from tta_observe.context import FRAME
from tta_observe.errors import unknown_option
from tta_observe.instruments import CACHE_HITS, CACHE_LOOKUPS, CACHE_SAVINGS

if TYPE_CHECKING:
    from tta_observe._values import AttributeValue

_OPTIONS = ("hit", "name", "cache_type", "key", "ttl_seconds", "saved_usd")


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

    Args:
        hit: whether it found something.
        name: which primitive it belongs to; default: the current one.
        cache_type: what kind of cache, e.g. ``"memory"`` or ``"redis"``; a label.
        key: what was looked up; only a digest of it leaves the process, and only for str, bytes, int and tuples of
            them.
        ttl_seconds: how long the entry is valid.
        saved_usd: what this hit saved, in USD.

    Raises:
        ConfigurationError: an option is unknown.
    """
    if unknown:
        raise unknown_option("record_cache_operation", unknown, _OPTIONS)
    _record(clean_label(name), clean_label(cache_type) or "memory", key, ttl_seconds, saved_usd, hit=hit)


@guarded
def _record(
    name: str | None, cache_type: str, key: object, ttl_seconds: object, saved_usd: object, *, hit: object
) -> None:
    slot = _telemetry.current()
    if slot is None:
        return
    hit = bool(hit)
    frame = FRAME.get()
    labels = (name or (frame.primitive_name if frame is not None else None), cache_type)
    slot.record(CACHE_LOOKUPS, 1, labels)
    if hit:
        slot.record(CACHE_HITS, 1, labels)
    if hit and saved_usd is not None:
        slot.record(CACHE_SAVINGS, saved_usd, labels)  # type: ignore[arg-type]
    span = _telemetry.current_span()
    if span is not None:
        span.set_attributes(_attributes(cache_type, key, ttl_seconds, saved_usd, hit=hit))


def _attributes(cache_type: str, key: object, ttl: object, saved: object, *, hit: bool) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue | None] = {
        semconv.CACHE_HIT: hit,
        semconv.CACHE_TYPE: cache_type,
        semconv.CACHE_KEY: digest(key),
        semconv.CACHE_TTL_SECONDS: finite_number(ttl),
        semconv.CACHE_SAVINGS_USD: finite_number(saved) if hit else None,
    }
    return {name: value for name, value in found.items() if value is not None}
