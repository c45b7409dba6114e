"""``traced_cache``: lookups of caches that other libraries put around functions."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Final, Never, overload

from tta_observe import _arguments, _cache, _primitive, _shells, _sites, semconv
from tta_observe._observed import Observed
from tta_observe._values import clean_label
from tta_observe.context import FRAME
from tta_observe.errors import ConfigurationError, unknown_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tta_observe._call import Live
    from tta_observe._shells import F

_OPTIONS: Final = ("name", "cache_type", "ttl_seconds")

_SHAPE: Final = ("cache_info", "cache_clear", "cache", "__cache_key__")
"""What caches hang on the functions that they are around: functools, async_lru, cachetools, aiocache, diskcache."""

_DEPTH: Final = 3
"""Functions in functions that are searched for the one under a cache."""


@overload
def traced_cache(function: F, /) -> F: ...
@overload
def traced_cache(
    *, name: str | None = ..., cache_type: str | None = ..., ttl_seconds: float | None = ...
) -> Callable[[F], F]: ...
def traced_cache(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    cache_type: str | None = None,
    ttl_seconds: float | None = None,
    **unknown: Never,
) -> Any:
    """
    Make every call of a cached function a primitive of type ``cache``, which is a hit or a miss.

    To be written directly above ``functools.lru_cache`` or ``cache``, or a decorator of cachetools, async_lru, aiocache
    or diskcache. A call is a miss when the function under the cache ran in it, so threads and tasks are told apart. The
    LLM calls inside a miss are what a hit saves. Everything else stays what it is, ``cache_info()`` included.

    Args:
        name: what it is called in metrics and on the service map; default: the function's qualified name.
        cache_type: what kind of cache, e.g. ``"redis"``; a label. Default: ``"disk"`` for diskcache, else ``"memory"``.
        ttl_seconds: how long an entry is valid.

    Raises:
        ConfigurationError: there is no cache under it, or one that was used before; an option is unknown or wrong.
    """
    if unknown:
        raise unknown_option("traced_cache", unknown, _OPTIONS)
    name = None if name is None else _arguments.text("name", name)

    def decorate(target: Any) -> Any:
        if isinstance(target, (classmethod, staticmethod)):
            return type(target)(decorate(target.__func__))
        _shells.refuse_class(target, "traced_cache")
        cached = _Cached(clean_label(cache_type) or _type_of(target), ttl_seconds)
        target = cached.watch(target)
        return _primitive.traced_primitive(type=semconv.CACHE, action="lookup", name=name)(target)

    return decorate if function is None else decorate(function)


class _Cached:
    """A function that is traced, with the cache that is around it."""

    def __init__(self, cache_type: str, ttl_seconds: object) -> None:
        self.cache_type = cache_type
        self.ttl_seconds = ttl_seconds
        self.target: Any = None

    def watch(self, target: Any) -> Any:
        """
        *target*, which tells from now on when the function under it runs.

        Raises:
            ConfigurationError: there is none, or the cache was used before.
        """
        inner: Any = getattr(target, "__wrapped__", None)
        if type(target) is functools._lru_cache_wrapper:  # noqa: SLF001 - the only way to tell it
            target = _made_anew(target, self._telling(inner))
        elif inner is None or not _is_cache(target) or not _put_under(target, inner, self._telling(inner)):
            raise ConfigurationError(
                f"traced_cache finds no cache directly under it, but {target!r}. Write @traced_cache above "
                "@functools.lru_cache or the like; for a cache of your own call record_cache_operation(hit=...)."
            )
        self.target = target
        target.__dict__[_CACHED] = self
        return target

    def _telling(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(inner)
        def telling(*args: Any, **kwargs: Any) -> Any:
            frame = FRAME.get()
            if frame is not None and frame.lookup is not None:
                frame.lookup.computed = (*frame.lookup.computed, self)
            return inner(*args, **kwargs)

        return telling


class _Lookup(_sites.Watch):
    """One call of a cached function."""

    __slots__ = ("_cached",)

    def __init__(self, cached: _Cached) -> None:
        self._cached = cached

    def left(self, live: Live, error: BaseException | None) -> None:
        frame, cached = live.frame, self._cached
        is_miss = frame.lookup is not None and cached in frame.lookup.computed
        if error is not None and not is_miss:  # arguments that have no hash: nothing was looked up
            return
        cache = live.name, cached.cache_type
        saved_usd = _cache.count(live.slot, frame, cache, hit=not is_miss, computed=True)
        found = _cache.attributes(cached.cache_type, None, cached.ttl_seconds, saved_usd, hit=not is_miss)
        live.span.set_attributes(found)


_CACHED: Final = "__tta_cached__"


def _watcher(function: Any) -> _sites.Watcher | None:
    cached = getattr(function, _CACHED, None)
    if not isinstance(cached, _Cached) or cached.target is not function:  # a decorator copied what hung on it
        return None
    return lambda _slot, _args, _kwargs: _Lookup(cached)


_sites.WATCHERS[semconv.CACHE] = _watcher


def _type_of(target: Any) -> str:
    return "disk" if hasattr(target, "__cache_key__") else "memory"


def _is_cache(target: Any) -> bool:
    if isinstance(target, Observed):  # shows what is under it: its own cache is not *directly* under us
        return False
    # The methods of cachetools 7 and later get theirs only when they are bound to an object.
    return type(target).__module__.startswith("cachetools.") or any(hasattr(target, name) for name in _SHAPE)


def _made_anew(target: Any, telling: Callable[..., Any]) -> Any:
    """
    The same ``lru_cache`` around *telling*: the one that is there lets nobody see what it calls.

    Raises:
        ConfigurationError: it has been used, and what it holds would be lost.
    """
    if target.cache_info()[:2] != (0, 0):
        raise ConfigurationError(
            f"{target.__qualname__} was called before it was traced, and its cache would be lost. "
            "Write @traced_cache directly above @lru_cache."
        )
    made = functools.lru_cache(**target.cache_parameters())(telling)
    made.__dict__.update({key: value for key, value in vars(target).items() if key != "__wrapped__"})
    return made


def _put_under(target: Any, inner: Any, telling: Any) -> bool:
    """Have the cache *target* call *telling* where it calls *inner*; False when it is not seen to."""
    if type(target).__module__ == "async_lru":  # calls it by the name by which others only show it
        target.__wrapped__ = telling
        return True
    found = list(_places(target, inner, _DEPTH))
    for put in found:
        put(telling)
    return bool(found)


def _places(holder: Any, inner: Any, depth: int) -> Iterator[Callable[[Any], None]]:
    """Where *inner* is held by a function, in its closure, or by an object; each as a function that puts in another."""
    cells = holder.__closure__ or () if isinstance(holder, types.FunctionType) else ()
    held = [(cell.cell_contents, functools.partial(setattr, cell, "cell_contents")) for cell in cells if _is_full(cell)]
    own = getattr(holder, "__dict__", {})
    held += [(value, functools.partial(own.__setitem__, key)) for key, value in own.items() if key != "__wrapped__"]
    for value, put in held:
        if value is inner:
            yield put
        elif depth and value is not holder and isinstance(value, types.FunctionType):
            yield from _places(value, inner, depth - 1)


def _is_full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asked whether it is there
    except ValueError:
        return False
    return True
