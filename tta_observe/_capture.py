"""
Arguments and results as JSON text: bounded in size and time, without what is named like a secret.

No code of unknown classes runs here. Builtins, dataclasses and pydantic models are written out, by what they hold;
everything else is replaced by a marker that names its class: what a client or a session holds is nobody's business.
"""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tta_observe._responses.fields import fields_of, get
from tta_observe._scalars import MARKED, MAX_BYTES, clean_text, counted, is_a, marker, scalar
from tta_observe._secrets import is_secret_name
from tta_observe.semconv import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 256
"""Of one value, over all its levels; 64 at most of one mapping or sequence."""

_AT_ONCE: Final = 64
_MAX_KEY_BYTES: Final = 256
_SMALLEST: Final = 16
"""Bytes for which it is worth to begin another item."""

_SEQUENCES: Final = (list, tuple, set, frozenset)
_BYTES: Final = (bytes, bytearray, memoryview)
_DECLARED: Final = ("__dataclass_fields__", "__pydantic_fields__", "model_fields")


def written(value: object, limit: int = MAX_BYTES) -> str:
    """
    Write *value* as JSON of at most *limit* bytes.

    What does not fit is left out, or cut with a marker in it, and counted; the JSON stays valid.
    """
    room = limit
    while room > 0:
        text = json.dumps(plain(value, Room(room)), ensure_ascii=False)
        over = len(text.encode()) - limit
        if over <= 0:
            return text
        room -= max(over, _SMALLEST)  # brackets and escapes are only estimated
    return json.dumps(marker(value))


class Room:
    """What may still be written, in bytes of JSON and in items."""

    __slots__ = ("bytes", "items")

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self.bytes, self.items = limit, _MAX_ITEMS

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken."""
        return self.bytes < _SMALLEST or self.items <= 0

    def text(self, text: str) -> str:
        """Take *text*, cut to what is left."""
        limit = max(self.bytes, _SMALLEST)
        found = clean_text(text, limit)
        if (cost := _cost(found)) > limit:
            found = clean_text(found, max(2 * limit - cost, limit // 6, _SMALLEST))  # six bytes are the longest escape
        self.bytes -= _cost(found) + 2
        return found

    def taken(self, items: Iterable[Any]) -> list[Any]:
        """The first *items*, while there is room, for a mapping or sequence of its own."""
        self.bytes -= 4
        found: list[Any] = []
        for item in islice(_while_unchanged(items), _AT_ONCE + 1):
            if self.is_full or len(found) == _AT_ONCE:
                MARKED["too_many_items"] += 1
                break
            self.items -= 1
            found.append(item)
        return found


def plain(value: object, room: Room, depth: int = _MAX_DEPTH) -> object:
    """*value* as JSON types, within *room*."""
    if is_a(value, dict):
        return _mapping(dict.items(value), room, depth, value)  # type: ignore[arg-type]
    if is_a(value, _SEQUENCES):
        return _sequence(value, room, depth)
    held = None if _is_scalar(value) else _declared(value)
    return _scalar(value, room) if held is None else _mapping(held.items(), room, depth, value)


def _mapping(pairs: Iterable[tuple[Any, Any]], room: Room, depth: int, value: object) -> object:
    if not depth:
        return room.text(counted("too_deep", value))
    found: dict[str, object] = {}
    for key, item in room.taken(pairs):
        name = room.text(clean_text(str(scalar(key)), _MAX_KEY_BYTES))
        found[name] = room.text(REDACTED) if is_secret_name(name) else plain(item, room, depth - 1)
    return found


def _sequence(value: Any, room: Room, depth: int) -> object:
    if not depth:
        return room.text(counted("too_deep", value))
    base: Any = next(kind for kind in _SEQUENCES if is_a(value, kind))
    return [plain(item, room, depth - 1) for item in room.taken(base.__iter__(value))]


def _scalar(value: object, room: Room) -> object:
    if value is None or type(value) is bool:
        room.bytes -= 7
        return value
    found = marker(value) if is_a(value, _BYTES) else scalar(value)  # an image is no text
    if isinstance(found, float) and not math.isfinite(found):
        found = str(found)
    if isinstance(found, str):
        return room.text(found)
    room.bytes -= 26
    return found


def _is_scalar(value: object) -> bool:
    return value is None or is_a(value, (str, int, float, *_BYTES))


def _declared(value: object) -> dict[str, Any] | None:
    """The public fields of a dataclass or pydantic model that may be shown; None for anything else."""
    declared = _class_attribute(type(value), _DECLARED)
    held = fields_of(value) if declared is not None else None
    if declared is None or held is None:
        return None
    shown = [name for name, field in islice(declared.items(), _AT_ONCE) if _is_shown(name, field)]
    return {name: get(held, name) for name in shown if dict.__contains__(held, name)}


def _is_shown(name: object, field: object) -> bool:
    # ``field(repr=False)`` is how both of them are told to keep something to themselves.
    return type(name) is str and not name.startswith("_") and get(fields_of(field) or {}, "repr") is not False


def _class_attribute(kind: type, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    for base in type.__dict__["__mro__"].__get__(kind):
        vars_ = type.__dict__["__dict__"].__get__(base)
        for name in names:
            found = vars_.get(name)
            if type(found) is dict:
                return found
    return None


def _while_unchanged(items: Iterable[Any]) -> Iterable[Any]:
    try:
        yield from items
    except RuntimeError:  # another thread puts something in: what was read is what was there
        return


def _cost(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
