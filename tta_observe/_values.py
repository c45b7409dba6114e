"""
Every value at our own door: cut to size, valid UTF-8, one of the types that OpenTelemetry takes.

No code of unknown classes runs here: a value of such a class is replaced by a marker that names the class.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import uuid
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import quietly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Scalar = str | bool | int | float
AttributeValue = Scalar | tuple[Scalar, ...]

MAX_BYTES: Final = 8 * 1024
"""Longest string that leaves the process, in bytes of UTF-8."""

MAX_ITEMS: Final = 64
"""Longest sequence or mapping; the rest is cut."""

MAX_DEPTH: Final = 4
"""Deepest nesting; below it stands a marker."""

MAX_NESTED: Final = 256
"""Most items of one value, over all its levels."""

_CUT: Final = "…[cut]"
_INT64: Final = 2**63
_SEQUENCES: Final = (list, tuple, set, frozenset)


def clean_text(text: str, limit: int = MAX_BYTES) -> str:
    """Make *text* valid UTF-8 of at most *limit* bytes; what was cut ends in a marker."""
    text = str.__str__(text)
    if len(text) <= limit // 4 and text.isascii():
        return text
    # Cut before encoding: encoding 50 MB to keep 8 KiB would cost the caller 50 MB.
    encoded = text[: limit + 1].encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode("utf-8")
    return encoded[: limit - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def clean(value: object) -> AttributeValue | None:
    """
    Turn any *value* into what a span attribute can hold; None stays None and is left out.

    Mappings become JSON, mixed sequences become strings, integers beyond 64 bits become strings.
    """
    if value is None:
        return None
    if isinstance(value, _SEQUENCES):
        return _sequence(value)
    if isinstance(value, dict):
        return _json(value)
    return _scalar(value)


def clean_attributes(attributes: Mapping[Any, Any]) -> dict[str, AttributeValue]:
    """Clean every key and value of *attributes*; those without a value are left out."""
    found = {}
    for key, value in list(attributes.items())[: 2 * MAX_ITEMS]:
        cleaned = clean(value)
        if cleaned is not None and isinstance(key, str) and key:
            found[clean_text(key, 256)] = cleaned
    return found


def clean_label(value: object) -> str | None:
    """Turn *value* into a label value: text, or None for nothing, which leaves the label out."""
    if value is None:
        return None
    return str(_scalar(value)) or None


def finite_number(value: object) -> float | int | None:
    """*value* when it is a number that an instrument can take: finite, not negative, within 64 bits; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = int.__index__(value) if isinstance(value, int) else float.__float__(value)
    return number if 0 <= number < _INT64 else None


def whole_number(value: object) -> int | None:
    """*value* as a count: a :func:`finite_number` without a fraction, else None."""
    number = finite_number(value)
    return int(number) if number is not None and number == int(number) else None


def class_name(kind: type) -> str:
    """Name of a class as ``error.type`` wants it: qualified when it is not a builtin."""
    name = clean_text(type.__dict__["__qualname__"].__get__(kind), 256)
    module = type.__dict__["__module__"].__get__(kind)
    return name if module == "builtins" or not isinstance(module, str) else f"{clean_text(module, 256)}.{name}"


def digest(key: object) -> str | None:
    """First 16 hexadecimal digits of blake2b over a cache key; None for types without one stable form."""
    encoded = _key_bytes(key)
    return None if encoded is None else blake2b(encoded).hexdigest()[:16]


def _key_bytes(key: object) -> bytes | None:
    if type(key) is str:
        return b"s" + key.encode("utf-8", "surrogatepass")
    if type(key) is bytes:
        return b"b" + key
    if type(key) is int:
        return b"i%x" % key
    if type(key) is not tuple:
        return None
    parts = [_key_bytes(part) for part in key]
    # Lengths in front, or ("a", "bc") and ("ab", "c") would share a digest.
    return b"t" + b"".join(b"%d:%b" % (len(part), part) for part in parts if part) if None not in parts else None


def _scalar(value: object) -> Scalar:
    if isinstance(value, enum.Enum):
        value = object.__getattribute__(value, "_value_")
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -_INT64 <= number < _INT64 else _big(number)
    if isinstance(value, float):
        return float.__float__(value)
    return _as_text(value)


def _big(number: int) -> str:
    return f"{number:#x}"[:MAX_ITEMS]


def _as_text(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return clean_text(bytes(value[:MAX_BYTES]).decode("utf-8", "replace"))
    if type(value) in _WRITTEN_OUT or isinstance(value, pathlib.PurePath):
        text = quietly(str, value)
        return clean_text(text) if isinstance(text, str) else marker(value)
    return marker(value)


_WRITTEN_OUT: Final = frozenset(
    {datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID, complex}
)


def marker(value: object) -> str:
    """What stands for a value that has no safe text."""
    return f"<{class_name(type(value))}>"


def _sequence(values: Any) -> tuple[Scalar, ...]:
    items = [_item(value) for value in islice(_own_items(values), MAX_ITEMS)]
    kinds = {type(item) for item in items}
    if len(kinds) <= 1:
        return tuple(items)
    return tuple(item if isinstance(item, str) else repr(item) for item in items)


def _item(value: object) -> Scalar:
    if isinstance(value, (*_SEQUENCES, dict)):
        return _json(value)
    return "None" if value is None else _scalar(value)


def _own_items(values: Any) -> Iterator[Any]:
    # The builtin's own iterator, not one that a subclass brings along.
    base = next(kind for kind in (*_SEQUENCES, dict) if isinstance(values, kind))
    return dict.items(values).__iter__() if base is dict else base.__iter__(values)


def _json(value: object) -> str:
    budget = iter(range(MAX_NESTED))  # shared by all levels: 64 items in each of 4 levels would be 16 million
    return clean_text(json.dumps(_plain(value, MAX_DEPTH, budget), ensure_ascii=False))


def _plain(value: object, depth: int, budget: Iterator[int]) -> object:
    """*value* as JSON types, at most *depth* levels deep."""
    if not isinstance(value, (*_SEQUENCES, dict)):
        return None if value is None else _scalar(value)
    if not depth:
        return marker(value)
    items = [item for _, item in zip(budget, islice(_own_items(value), MAX_ITEMS), strict=False)]
    if isinstance(value, dict):
        return {str(_scalar(key)): _plain(item, depth - 1, budget) for key, item in items}
    return [_plain(item, depth - 1, budget) for item in items]
