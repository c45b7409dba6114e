"""
Every value at our own door: cut to size, valid UTF-8, one of the types that OpenTelemetry takes.

No code of unknown classes runs here: a value of such a class is replaced by a marker that names the class.
"""

from __future__ import annotations

import json
import math
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import quietly
from tta_observe._scalars import (
    MARKED,
    MAX_BYTES,
    Scalar,
    class_name,
    clean_text,
    counted,
    finite_number,
    forget_marked,
    is_a,
    marked,
    marker,
    scalar,
    whole_number,
)
from tta_observe._secrets import is_secret_name
from tta_observe.semconv import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "MARKED",
    "MAX_BYTES",
    "AttributeValue",
    "Scalar",
    "class_name",
    "clean",
    "clean_attributes",
    "clean_key",
    "clean_label",
    "clean_pairs",
    "clean_text",
    "digest",
    "finite_number",
    "forget_marked",
    "is_a",
    "kept",
    "marked",
    "marker",
    "shown",
    "whole_number",
]

AttributeValue = Scalar | tuple[Scalar, ...]

MAX_ITEMS: Final = 64
"""Longest sequence or mapping; the rest is cut."""

MAX_DEPTH: Final = 4
"""Deepest nesting; below it stands a marker."""

MAX_NESTED: Final = 256
"""Most items of one value, over all its levels."""

MAX_KEY_BYTES: Final = 256
"""Longest key of an attribute, in bytes of UTF-8."""

MAX_CHARACTERS: Final = 64 * 1024
"""Most text of one value, over all its items."""

MAX_KEPT_ITEMS: Final = 4096
"""The same as :data:`MAX_NESTED` for what others recorded: an embedding is one value."""

MAX_KEPT_CHARACTERS: Final = 512 * 1024
"""The same as :data:`MAX_CHARACTERS` for what others recorded."""

_INT32: Final = 2**31
_MAX_KEY_TO_DIGEST: Final = 256 * 1024
_SEQUENCES: Final = (list, tuple, set, frozenset)
_CONTAINERS: Final = (*_SEQUENCES, dict)


def clean(value: object) -> AttributeValue | None:
    """
    Turn any *value* into what a span attribute can hold; None stays None and is left out.

    Mappings become JSON, mixed sequences become strings, integers beyond 64 bits become strings.
    """
    if value is None:
        return None
    if is_a(value, _SEQUENCES):
        return _sequence(value)
    return _json(value) if is_a(value, dict) else scalar(value)


def clean_attributes(attributes: Mapping[Any, Any]) -> dict[str, AttributeValue]:
    """Clean every key and value of *attributes*; those without a value are left out."""
    return clean_pairs(_pairs(attributes))


def clean_pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, AttributeValue]:
    """The same for keys and values that need not be in a mapping, where a key that cannot be hashed is an error."""
    found = {}
    for key, value in pairs:
        cleaned = clean(value)
        if cleaned is not None and (name := clean_key(key)) is not None:
            found[name] = cleaned
    return found


def clean_key(key: object) -> str | None:
    """*key* as the key of an attribute; None, and counted, when it is empty or no text."""
    if is_a(key, str) and (name := clean_text(key, MAX_KEY_BYTES)):  # type: ignore[arg-type]
        return name
    MARKED["wrong_key"] += 1
    return None


def clean_label(value: object) -> str | None:
    """Turn *value* into a label value: text, or None for nothing, which leaves the label out."""
    return None if value is None else str(scalar(value)) or None


def kept(value: object) -> Any:
    """
    Make *value* safe to encode and keep its structure: bytes, mappings and nested sequences stay what they are.

    For what others recorded.
    """
    return _kept(value, MAX_DEPTH, _Room(MAX_KEPT_CHARACTERS, MAX_KEPT_ITEMS, MAX_KEPT_ITEMS))


def _kept(value: Any, depth: int, room: _Room) -> Any:
    if value is None or type(value) is bool or type(value) is float or (type(value) is int and -1 < value < _INT32):
        return value
    if is_a(value, bytes):
        return bytes.__getitem__(value, slice(MAX_BYTES))
    if not is_a(value, _CONTAINERS):
        return room.scalar(value)
    if not depth:
        return counted("too_deep", value)
    items = room.items(value)
    if not is_a(value, dict):
        return tuple(_kept(item, depth - 1, room) for item in items)
    named = [(str(scalar(key)), item) for key, item in items]
    return {key: REDACTED if is_secret_name(key) else _kept(item, depth - 1, room) for key, item in named}


def shown(value: object) -> str:
    """*value* for an error message: short, and without running code of its class."""
    if is_a(value, str):
        return repr(clean_text(str(scalar(value)), 100))
    if type(value) is bytes:
        return repr(value[:100])
    return "None" if value is None else clean_text(str(clean(value)), 100)


def digest(key: object) -> str | None:
    """
    First 16 hexadecimal digits of blake2b over a cache key.

    None for types without one stable form, and for keys of more than 256 KiB, which would hold up the caller.
    """
    encoded = _key_bytes(key, MAX_DEPTH)
    return None if encoded is None else blake2b(encoded).hexdigest()[:16]


def _key_bytes(key: object, depth: int) -> bytes | None:
    if type(key) is tuple:
        return _tuple_bytes(key, depth)
    if type(key) is int:
        return b"i%x" % key if key.bit_length() <= _MAX_KEY_TO_DIGEST else None
    if (type(key) is not str and type(key) is not bytes) or len(key) > _MAX_KEY_TO_DIGEST:
        return None
    return b"s" + key.encode("utf-8", "surrogatepass") if type(key) is str else b"b" + key  # type: ignore[operator]


def _tuple_bytes(key: tuple[object, ...], depth: int) -> bytes | None:
    if not depth or len(key) > MAX_ITEMS:
        return None
    parts = [_key_bytes(part, depth - 1) for part in key]
    if None in parts or sum(len(part) for part in parts if part) > _MAX_KEY_TO_DIGEST:
        return None
    # Lengths in front, or ("a", "bc") and ("ab", "c") would share a digest.
    return b"t" + b"".join(b"%d:%b" % (len(part), part) for part in parts if part)


def _sequence(values: Any) -> tuple[Scalar, ...]:
    room = _Room()
    items = [_item(value, room) for value in room.items(values)]
    kinds = {type(item) for item in items}
    if len(kinds) <= 1:
        return tuple(items)
    return tuple(item if isinstance(item, str) else repr(item) for item in items)


def _item(value: object, room: _Room) -> Scalar:
    if is_a(value, _CONTAINERS):
        return _json(value, room)
    return "None" if value is None else room.scalar(value)


def _own_items(values: Any, most: int) -> Iterator[Any]:
    # The builtin's own iterator, not one that a subclass brings along.
    base: Any = next(kind for kind in _CONTAINERS if is_a(values, kind))
    if base.__len__(values) > most:
        MARKED["too_many_items"] += 1
    items = iter(dict.items(values)) if base is dict else base.__iter__(values)
    return islice(_while_unchanged(items), most)


def _while_unchanged(items: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from items
    except RuntimeError:  # another thread puts something in: what was read is what was there
        return


def _pairs(attributes: object) -> Iterable[tuple[Any, Any]]:
    """Keys and values of what the caller says is a mapping; its ``items()`` is all of its code that runs."""
    if is_a(attributes, dict):
        return islice(dict.items(attributes), 2 * MAX_ITEMS)  # type: ignore[arg-type]
    found = quietly(_foreign_pairs, attributes)
    if found is None:
        counted("unknown_type", attributes)
    return found or ()


def _foreign_pairs(attributes: Any) -> list[tuple[Any, Any]]:
    return [(key, value) for key, value in islice(attributes.items(), 2 * MAX_ITEMS)]


class _Room:
    """What one value may still take, over all its levels: 64 items in each of 4 levels would be 16 million."""

    def __init__(self, characters: int = MAX_CHARACTERS, items: int = MAX_NESTED, at_once: int = MAX_ITEMS) -> None:
        self._characters = characters
        self._items = items
        self._at_once = at_once

    def items(self, values: Any) -> list[Any]:
        found = []
        for item in _own_items(values, self._at_once):
            if self._items <= 0 or self._characters <= 0:
                MARKED["too_many_items"] += 1
                break
            self._items -= 1
            found.append(item)
        return found

    def scalar(self, value: object) -> Scalar:
        found = scalar(value) if self._characters > 0 else counted("too_many_items", value)
        self._characters -= len(found) if isinstance(found, str) else 8
        return found


def _json(value: object, room: _Room | None = None) -> str:
    plain = _plain(value, MAX_DEPTH, room or _Room(MAX_BYTES))
    return clean_text(json.dumps(plain, ensure_ascii=False))


def _plain(value: object, depth: int, room: _Room) -> object:
    """*value* as JSON types, at most *depth* levels deep."""
    if not is_a(value, _CONTAINERS):
        found = None if value is None else room.scalar(value)
        return str(found) if isinstance(found, float) and not math.isfinite(found) else found
    if not depth:
        return counted("too_deep", value)
    items = room.items(value)
    if not is_a(value, dict):
        return [_plain(item, depth - 1, room) for item in items]
    named = [(str(scalar(key)), item) for key, item in items]
    return {key: REDACTED if is_secret_name(key) else _plain(item, depth - 1, room) for key, item in named}
