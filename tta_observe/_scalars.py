"""
One value without parts as text or number: of the builtin types, their subclasses, and a few of the standard library.

No code of unknown classes runs here, not even ``__class__``: such a value is replaced by a marker that names the
class. What was cut or replaced is counted by reason, see :data:`MARKED`.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import sys
import uuid
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import quietly

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = str | bool | int | float

MAX_BYTES: Final = 8 * 1024
"""Longest string that leaves the process, in bytes of UTF-8."""

MARKED: Final[dict[str, int]] = dict.fromkeys(
    ("cut", "too_many_items", "too_deep", "unknown_type", "wrong_key", "redacted", "redact_failed"), 0
)
"""
How many values were cut or replaced in this process, by reason.

No lock: an interpreter never switches threads within ``dict[key] += 1`` of a key that is there.
"""

CUT: Final = "…[cut]"
"""Ends what was cut."""
_INT64: Final = 2**63
_BIG_BITS: Final = 240


def clean_text(text: str, limit: int = MAX_BYTES) -> str:
    """Make *text* valid UTF-8 of at most *limit* bytes; what was cut ends in a marker."""
    if type(text) is not str:
        text = str.__str__(text)
    if len(text) <= limit // 4 and text.isascii():
        return text
    # Cut before encoding: encoding 50 MB to keep 8 KiB would cost the caller 50 MB.
    encoded = text[: limit + 1].encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode("utf-8")
    MARKED["cut"] += 1
    return encoded[: limit - len(CUT.encode())].decode("utf-8", "ignore") + CUT


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """Like :func:`isinstance`, which would ask a lying object for its ``__class__``."""
    return issubclass(type(value), kinds)


def scalar(value: Any) -> Scalar:
    """*value* as something without parts: text when it is no number."""
    if is_a(value, enum.Enum):
        value = enum.Enum.__dict__["__dict__"].__get__(value).get("_value_")
    if is_a(value, str):
        return clean_text(value)
    if type(value) is bool:
        return value
    if is_a(value, int):
        number = int.__index__(value)
        return number if -_INT64 <= number < _INT64 else _big(number)
    if is_a(value, float):
        return float.__float__(value)
    found = _of_numpy(value)
    return _as_text(value) if found is None else scalar(found)


def finite_number(value: Any) -> float | int | None:
    """*value* when it is a number that an instrument can take: finite, not negative, within 64 bits; else None."""
    if type(value) is decimal.Decimal:
        number: Any = quietly(float, value)  # a signalling NaN raises
    elif is_a(value, (int, float)) and type(value) is not bool:
        number = int.__index__(value) if is_a(value, int) else float.__float__(value)
    else:
        number = _of_numpy(value)
    if type(number) is bool:
        return None
    return number if number is not None and 0 <= number < _INT64 else None


def _of_numpy(value: Any) -> bool | int | float | None:
    """
    A number of numpy as Python's own, None for everything else: counts are often sums of an array.

    It is read by numpy's C code, whatever a subclass overrides.
    """
    numpy = sys.modules.get("numpy")
    generic = numpy.__dict__.get("generic") if type(numpy) is ModuleType else None
    if type(generic) is not type or not is_a(value, generic):
        return None
    number = quietly(generic.__dict__["item"], value)
    return number if type(number) in (bool, int, float) else None


def whole_number(value: object) -> int | None:
    """*value* as a count: a :func:`finite_number` without a fraction, else None."""
    number = finite_number(value)
    return int(number) if number is not None and number == int(number) else None


def class_name(kind: type) -> str:
    """Name of a class as ``error.type`` wants it: qualified when it is not a builtin."""
    name = clean_text(type.__dict__["__qualname__"].__get__(kind), 256)
    module = type.__dict__["__module__"].__get__(kind)
    return name if not is_a(module, str) or module == "builtins" else f"{clean_text(module, 256)}.{name}"


def marked() -> dict[str, int]:
    """How many values were cut or replaced in this process, by reason; those that happened."""
    return {reason: count for reason, count in MARKED.items() if count}


def forget_marked() -> None:
    """Begin to count anew, in a process that was forked."""
    MARKED.update(dict.fromkeys(MARKED, 0))


def marker(value: object) -> str:
    """What stands for a value that has no safe text."""
    return f"<{class_name(type(value))}>"


def counted(reason: str, value: object) -> str:
    """The marker for *value*, counted under *reason*."""
    MARKED[reason] += 1
    return marker(value)


def _big(number: int) -> str:
    beyond = max(0, number.bit_length() - _BIG_BITS)  # writing out all digits takes time without bound
    return f"{number >> beyond:#x}" if not beyond else f"{number >> beyond:#x}{CUT}"


def _as_text(value: Any) -> str:
    kinds: tuple[Any, ...] = (bytes, bytearray)
    for kind in kinds:
        if is_a(value, kind):
            return clean_text(bytes(kind.__getitem__(value, slice(MAX_BYTES))).decode("utf-8", "replace"))
    written = next((write for kind, write in _WRITTEN if is_a(value, kind)), None) or _WRITTEN_EXACTLY.get(type(value))
    text = quietly(written, value) if written is not None else None
    return clean_text(text) if type(text) is str else counted("unknown_type", value)


def _datetime(value: datetime.datetime) -> str:
    zone: Any = datetime.datetime.__dict__["tzinfo"].__get__(value)
    zoneinfo: Any = sys.modules.get("zoneinfo")
    known = zone is None or type(zone) is datetime.timezone
    if known or (zoneinfo and type(zone) is zoneinfo.ZoneInfo and type(value) is datetime.datetime):
        return datetime.datetime.isoformat(value, " ")
    # Another zone is asked for its offset, which is code of its class.
    return f"{datetime.date.isoformat(value)} {datetime.time.isoformat(datetime.datetime.time(value))}"


def _time(value: datetime.time) -> str:
    return datetime.time.isoformat(value.replace(tzinfo=None))


def _decimal(value: decimal.Decimal) -> str:
    return decimal.Decimal.__str__(value) if decimal.Decimal.__sizeof__(value) < MAX_BYTES else "Decimal" + CUT


_WRITTEN: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (datetime.datetime, _datetime),
    (datetime.date, datetime.date.isoformat),
    (datetime.timedelta, datetime.timedelta.__str__),
    (decimal.Decimal, _decimal),
    (complex, complex.__repr__),
)
"""Written in C: subclasses too, without calling what they override."""

_WRITTEN_EXACTLY: Final[dict[type, Callable[[Any], str]]] = {
    datetime.time: _time,
    **dict.fromkeys((uuid.UUID, pathlib.PurePosixPath, pathlib.PureWindowsPath, type(pathlib.Path())), str),
}
