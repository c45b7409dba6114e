"""Values that no API should be given, and every program gives one day; none of their own code may run."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
from unittest.mock import Mock

RAN = []
"""Names of methods of hostile classes that were called."""


def _method(name):
    def run(self, *args, **kwargs):
        RAN.append(name)
        raise RuntimeError(name)

    return run


_METHODS = (
    *("__str__", "__repr__", "__format__", "__bytes__", "__hash__", "__eq__", "__ne__", "__lt__"),
    *("__bool__", "__len__", "__iter__", "__next__", "__contains__", "__getitem__", "__getattr__", "__index__"),
    *("__int__", "__float__", "__round__", "__add__", "__radd__", "__mul__", "__neg__", "__abs__"),
    *("__call__", "__reduce__", "__copy__", "__deepcopy__", "keys", "items", "values", "get"),
    *("encode", "lower", "strip", "startswith", "isoformat", "utcoffset"),
)


def hostile(*bases, **members):
    """A class whose every method tells that it ran, and fails."""
    own = {name: _method(name) for name in _METHODS}
    return type("Hostile", bases or (object,), {**own, **members})


def _lying(kind):
    return type("Liar", (), {"__class__": property(lambda self: RAN.append("__class__") or kind)})()


class _Color(enum.Enum):
    RED = "red"


_Color.RED._value_ = hostile()()


def _cycle():
    found = []
    found.append(found)
    return found


def _deep():
    found = []
    for _ in range(5000):
        found = [found]
    return found


KINDS = {
    "object": hostile()(),
    "text": hostile(str)("text"),
    "int": hostile(int)(7),
    "float": hostile(float)(1.5),
    "bytes": hostile(bytes)(b"bytes"),
    "bytearray": bytearray(b"\xff\xfe"),
    "list": hostile(list)([1]),
    "tuple": hostile(tuple)((1,)),
    "dict": hostile(dict)({"a": 1}),
    "set": hostile(set, __hash__=object.__hash__)({1}),
    "ordered": collections.OrderedDict(a=hostile()()),
    "lying text": _lying(str),
    "lying number": _lying(int),
    "lying list": _lying(list),
    "mock": Mock(),
    "mock of a text": Mock(spec=str),
    "enum": _Color.RED,
    "datetime": hostile(datetime.datetime)(2026, 1, 2),
    "in a zone": datetime.datetime(2026, 1, 2, tzinfo=hostile(datetime.tzinfo)()),
    "Decimal": hostile(decimal.Decimal)("1.5"),
    "sNaN": decimal.Decimal("sNaN"),
    "surrogate": "half \ud83d of a pair",
    "NUL": "a\0b",
    "fifty megabytes": "x" * 50_000_000,
    "beyond 64 bits": 2**70,
    "beyond floats": 10**400,
    "endless": -(1 << 10_000_000),
    "NaN": float("nan"),
    "infinite": float("-inf"),
    "cycle": _cycle(),
    "deep": _deep(),
    "a million": range(1_000_000),
    "wide": [["é" * 1000] * 1000] * 1000,
    "generator": (i for i in range(3)),
    "class": hostile(),
    "unhashable inside": [{"a": {1, 2}}, b"\xff", None],
}
