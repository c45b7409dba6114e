"""Every hostile value in every position where the API takes one; each call is timed, and each has a good sibling."""

import collections
import datetime
import decimal
import enum
import time
import types
import uuid

from subject import SUBJECT, say

import tta_observe

SUBJECT.configure()


class Raises:
    def _no(self, *_):
        raise RuntimeError("hostile")

    __str__ = __repr__ = __len__ = __iter__ = __bool__ = __eq__ = __getattr__ = __getitem__ = _no
    __hash__ = object.__hash__


class Lies(collections.abc.Sequence):
    def __len__(self):
        return 10**9

    def __getitem__(self, index):
        return self


class BadString(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("hostile")

    encode = __len__ = __str__


class Exits:
    def __str__(self):
        raise SystemExit(1)

    __repr__ = __str__


class Slow:
    def __str__(self):
        time.sleep(1)
        return "slow"

    __repr__ = __str__


class Colour(enum.Enum):
    RED = object()


def cyclic_list():
    found = []
    found.append(found)
    return found


def cyclic_dict():
    found = {}
    found["me"] = found
    return found


def deep(levels=5000):
    found = []
    for _ in range(levels):
        found = [found]
    return found


VALUES = {
    "None": None,
    "bytes": b"\xff\xfe",
    "nested dict": {"a": {"b": [1, {"c": None}]}},
    "mixed list": [1, "a", None, 2.5, b"x"],
    "set": {1, 2},
    "datetime": datetime.datetime.now(datetime.UTC),
    "Decimal": decimal.Decimal("1e400"),
    "UUID": uuid.uuid4(),
    "Enum": Colour.RED,
    "object": object(),
    "2**70": 2**70,
    "10**5000": 10**5000,
    "NaN": float("nan"),
    "surrogate": "a\ud800b",
    "surrogate key": {"\udfff": 1},
    "null byte": "a\x00b",
    "raises": Raises(),
    "exits": Exits(),
    "slow": Slow(),
    "bad string": BadString("x"),
    "cyclic list": cyclic_list(),
    "cyclic dict": cyclic_dict(),
    "deep": deep(),
    "lies": Lies(),
    "range": range(10**6),
    "long list": list(range(10**6)),
    "50 MB": "x" * 50_000_000,
    "50 MB, wide": "\u20ac" * 20_000_000,
    "generator": (number for number in range(10)),
    "big dict": {number: number for number in range(100_000)},
    "mapping proxy": types.MappingProxyType({"a": 1}),
    "class": Raises,
    "module": types,
    "bytearray": bytearray(10_000_000),
    "memoryview": memoryview(b"x" * 10_000_000),
    "10 MB of bytes": b"x" * 10_000_000,
}


class HostileError(Exception):
    pass


def attribute(value):
    tta_observe.set_attributes({"value": value})


def key(value):
    try:
        mapping = {value: 1}
    except Exception:  # noqa: BLE001 - what cannot be a key is put inside of a value instead
        mapping = {"value": [value]}
    tta_observe.set_attributes({"value": mapping})


def block(value):
    with tta_observe.primitive("inner", attributes={"value": value, "sibling": 1}):
        pass


def context(value):
    with tta_observe.bound_context(session_id=value, agent_id=value, attributes={"value": value}):
        pass


def label(value):
    tta_observe.record_execution("tool", "tool", 1, "success", agent_type=value, error_type=value)


def cache(value):
    tta_observe.record_cache_operation(hit=False, name="c", key=value, cache_type=value)


def failure(value):
    error = HostileError(value)
    try:
        with tta_observe.primitive("failing", attributes={"sibling": 1}):
            raise error
    except HostileError as caught:
        if caught is not error:
            raise RuntimeError("another exception") from caught


POSITIONS = [attribute, key, block, context, label, cache, failure]
raised, longest, longest_of, cases = [], 0.0, "", 0
for name, value in VALUES.items():
    for position in POSITIONS:
        best = 9.0
        for _ in range(3):  # the best of three: what is measured is this code, not who else uses the machine
            with tta_observe.primitive("outer", attributes={"sibling": 1}):
                begun = time.perf_counter()
                try:
                    position(value)
                except BaseException as error:  # noqa: BLE001 - it is looked at
                    raised.append(f"{position.__name__}({name}): {type(error).__name__}: {error}"[:120])
                best = min(best, time.perf_counter() - begun)
        cases += 1
        if best > longest:
            longest, longest_of = best, f"{position.__name__}({name})"
tta_observe.flush(5.0)
tta_observe.shutdown(5.0)
siblings = 3 * len(VALUES) * (len(POSITIONS) + 2)
say(raised=raised, longest_ms=longest * 1000, longest_of=longest_of, cases=cases, siblings=siblings, spans=siblings)
