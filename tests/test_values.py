"""Values at our own door: whatever comes in, something that OpenTelemetry takes goes out."""

import datetime
import decimal
import enum
import json
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from hostile import KINDS, RAN
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest as PB2ExportTraceServiceRequest,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from tta_observe._values import (
    MAX_BYTES,
    class_name,
    clean,
    clean_attributes,
    clean_label,
    clean_text,
    digest,
    finite_number,
    forget_marked,
    kept,
    marked,
    shown,
    whole_number,
)
from tta_observe.local.records import to_json


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


class Overridden(np.int64):
    """Somebody's own, which has to be read without asking it."""

    def item(self):
        raise AssertionError("its code ran")

    __index__ = __int__ = __float__ = __str__ = item


@pytest.mark.parametrize(
    ("value", "finite", "whole", "cleaned"),
    [
        (np.int64(5), 5, 5, 5),
        (np.uint8(3), 3, 3, 3),
        (np.float32(0.5), 0.5, None, 0.5),
        (np.float64(2.0), 2.0, 2, 2.0),
        (Overridden(4), 4, 4, 4),
        (np.bool_(True), None, None, True),  # noqa: FBT003 - of numpy
        (np.int64(-1), None, None, -1),
        (np.float32("nan"), None, None, "nan"),
        (np.uint64(2**64 - 1), None, None, "0xffffffffffffffff"),
        (np.longdouble(1), None, None, "<numpy.longdouble>"),
        (np.array(5), None, None, "<numpy.ndarray>"),
    ],
    ids=repr,
)
def test_numbers_of_numpy_are_numbers(value, finite, whole, cleaned):
    """
    Tokens are counted with arrays, and their sum is no ``int``; to drop it would be to under-report the cost.
    """
    found = clean(value)

    assert (finite, whole) == (finite_number(value), whole_number(value))
    assert cleaned == (str(found) if found != found else found)  # noqa: PLR0124 - NaN


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


@pytest.mark.parametrize("function", [clean, kept, clean_label, shown, digest, finite_number, whole_number])
@pytest.mark.parametrize("kind", KINDS)
def test_no_code_of_any_value_runs(function, kind):
    """
    A method that waits, raises or calls back would do so in the middle of the application.
    """
    RAN.clear()
    began = time.thread_time()
    function(KINDS[kind])
    took_s = time.thread_time() - began

    assert [] == RAN
    assert took_s < 0.02  # measured below 0.001 on an idle machine


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_can_be_encoded(kind):
    """
    Spans of other libraries hold what the SDK let through, and their batch holds ours.
    """
    assert PB2ExportTraceServiceRequest is type(encode_spans([_span({"k": kept(KINDS[kind])})]))
    assert "k" in json.loads(to_json({"k": kept(KINDS[kind])}))


def _span(attributes):
    context = SpanContext(1, 2, is_remote=False)
    return ReadableSpan("s", context, resource=Resource({}), attributes=attributes, start_time=1, end_time=2)


def test_kept_keeps_structure():
    """
    A backend shows a mapping as one; making text of it would be our doing.
    """
    given = {"a": [1, "b", {"c": b"\xff"}], "n": None, "vector": [0.5] * 1000}

    assert {"a": (1, "b", {"c": b"\xff"}), "n": None, "vector": (0.5,) * 1000} == kept(given)


def test_secrets_inside_are_known_by_their_names():
    """
    Once it is a JSON text nobody can tell how deep the name of a secret reached.
    """
    found = {"headers": {"authorization": {"scheme": ["x"]}, "n": 1}}

    assert '{"headers": {"authorization": "[redacted]", "n": 1}}' == clean(found)
    assert {"headers": {"authorization": "[redacted]", "n": 1}} == kept(found)


def test_what_is_lost_is_counted_by_reason():
    """
    ``stats()`` says why a value looks odd, before anybody searches for it.
    """
    forget_marked()
    clean_attributes({"a": "x" * 10_000, "b": object(), "c": [[[[[[1]]]]]], "d": list(range(100)), 5: 1})

    assert {"cut": 1, "unknown_type": 1, "too_deep": 1, "too_many_items": 1, "wrong_key": 1} == marked()


def test_keys_too_large_to_hash_have_no_digest():
    """
    Hashing a prompt of megabytes would hold up the caller for longer than the cache saves.
    """
    deep = ()
    for _ in range(10_000):
        deep = (deep,)

    assert [None] * 5 == [digest(key) for key in ("x" * 10**6, (b"x" * 10**6,), 1 << 10**7, ("a",) * 10**6, deep)]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (decimal.Decimal("0.25"), 0.25),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("1e400"), None),
        (KINDS["sNaN"], None),
        (KINDS["int"], 7),
        (KINDS["lying number"], None),
    ],
    ids=["Decimal", "NaN", "too large", "sNaN", "subclass", "lying"],
)
def test_numbers_of_other_types_are_taken_as_plain_ones(value, number):
    """
    Prices come as Decimal; and a subclass would bring its arithmetic under the SDK's locks.
    """
    found = finite_number(value)

    assert number == found
    assert type(found) in (int, float, type(None))
