"""Values at our own door: whatever comes in, something that OpenTelemetry takes goes out."""

import datetime
import decimal
import enum
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe._values import (
    MAX_BYTES,
    class_name,
    clean,
    clean_attributes,
    clean_label,
    clean_text,
    digest,
    finite_number,
    whole_number,
)


class Hostile:
    """Every way of looking at it fails."""

    def __str__(self):
        raise RuntimeError("str")

    __repr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __getattr__ = __str__


class HostileText(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("str")

    def encode(self, *args):
        raise RuntimeError("encode")


class HostileList(list):
    def __iter__(self):
        raise RuntimeError("iter")


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


CYCLE = []
CYCLE.append(CYCLE)
LOOP = {}
LOOP["self"] = LOOP

CASES = [
    (None, None),
    ("text", "text"),
    (True, True),
    (3, 3),
    (2**63 - 1, 2**63 - 1),
    (2**63, "0x8000000000000000"),
    (1.5, 1.5),
    (b"\xffx", "\ufffdx"),
    ("\ud800", "?"),
    (Color.RED, "red"),
    (Level.LOW, 1),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (decimal.Decimal("1.50"), "1.50"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Path("a") / "b", "a/b"),
    (["a", "b"], ("a", "b")),
    ((1, 2), (1, 2)),
    ([1, "a"], ("1", "a")),
    ([], ()),
    ({"a": [1, None]}, '{"a": [1, null]}'),
    ({"a": {"b": {"c": {"d": {"e": 1}}}}}, '{"a": {"b": {"c": {"d": "<dict>"}}}}'),
    (object(), "<object>"),
    (HostileText("still text"), "still text"),
    (HostileList(["a"]), ("a",)),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=lambda value: type(value).__name__)
def test_clean(value, expected):
    """
    Each kind of value has one documented form; a backend that gets another drops the whole batch.
    """
    cleaned = clean(value)

    assert expected == cleaned
    assert type(expected) is type(cleaned)


@pytest.mark.parametrize("value", [Hostile(), [Hostile()], {"k": Hostile()}, CYCLE, LOOP, Hostile], ids=str.__class__)
def test_no_user_code_runs(value):
    """
    A ``__str__`` that raises or waits must not reach the host through a span attribute.
    """
    assert clean(value) is not None


def test_cleaning_takes_bounded_time():
    """
    The host's thread pays for it: a value of a million items costs no more than one of a few hundred.
    """
    wide = dict.fromkeys(range(64))
    for _ in range(4):
        wide = dict.fromkeys(range(64), wide)
    started = time.perf_counter()
    for value in (wide, [wide] * 3, list(range(1_000_000)), [[0] * 1000] * 1000):
        clean(value)

    assert time.perf_counter() - started < 0.5


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner) | st.tuples(inner),
    max_leaves=30,
)


@given(JSONISH)
def test_clean_always_gives_what_opentelemetry_takes(value):
    """
    One value of a wrong type, or one lone surrogate, costs a whole batch of 512 spans.
    """
    cleaned = clean(value)

    items = cleaned if isinstance(cleaned, tuple) else () if cleaned is None else (cleaned,)
    assert {type(item) for item in items} <= {str, bool, int, float}
    assert len({type(item) for item in items}) <= 1
    for item in items:
        if isinstance(item, str):
            assert len(item.encode("utf-8")) <= MAX_BYTES
        if type(item) is int:
            assert -(2**63) <= item < 2**63


@given(st.text(st.characters()), st.integers(32, 200))
def test_clean_text_is_valid_and_cut(text, limit):
    """
    What is cut says so, and a cut never splits a character.
    """
    cleaned = clean_text(text, limit)

    assert len(cleaned.encode("utf-8")) <= limit
    if len(text.encode("utf-8", "replace")) > limit:
        assert cleaned.endswith("…[cut]")


def test_fifty_megabytes_do_not_cost_fifty_megabytes():
    """
    The host pays for what is kept, not for what is thrown away.
    """
    assert MAX_BYTES == len(clean_text("x" * 50_000_000).encode())


def test_clean_attributes_leaves_out_what_has_no_value():
    """
    None means "not known", which is an absent attribute and not the text "None".
    """
    assert {"a": 1} == clean_attributes({"a": 1, "b": None, "": 2, 3: 4})


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("", None), ("x", "x"), (3, "3"), (Color.RED, "red"), (Hostile, "<type>")]
)
def test_clean_label(value, expected):
    """
    A label without a value is left out: to Prometheus an empty one is no label either.
    """
    assert expected == clean_label(value)


@pytest.mark.parametrize(
    ("value", "finite", "whole"),
    [
        (3, 3, 3),
        (2.5, 2.5, None),
        (2.0, 2.0, 2),
        (0, 0, 0),
        (-1, None, None),
        (True, None, None),
        ("3", None, None),
        (None, None, None),
        (float("nan"), None, None),
        (float("inf"), None, None),
        (2**70, None, None),
        (10**400, None, None),
    ],
)
def test_numbers_that_an_instrument_can_take(value, finite, whole):
    """
    One ``2**70`` stops every metric of the stock SDK for good.
    """
    assert (finite, whole) == (finite_number(value), whole_number(value))


def test_digest_tells_keys_apart_and_hides_them():
    """
    A cache key may hold a prompt: only its digest leaves, and different keys have different ones.
    """
    keys = ["a", b"a", 1, ("a", "bc"), ("ab", "c"), ("a",), (), ("a", ("b",)), (("a",), "b")]
    digests = [digest(key) for key in keys]

    assert len(keys) == len(set(digests))
    assert all(len(found) == 16 and int(found, 16) >= 0 for found in digests)


@pytest.mark.parametrize("key", [None, 1.5, ["a"], ("a", 1.5), {"a": 1}, Hostile()], ids=lambda k: type(k).__name__)
def test_keys_without_a_stable_form_have_no_digest(key):
    """
    A digest of a ``repr`` would differ from process to process.
    """
    assert digest(key) is None


def test_class_name_is_qualified_when_not_builtin():
    """
    ``error.type`` of two libraries' ``TimeoutError`` must not fall together.
    """
    assert ("ValueError", "decimal.InvalidOperation") == (class_name(ValueError), class_name(decimal.InvalidOperation))
