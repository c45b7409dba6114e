"""Arguments and results as text: bounded, without secrets, and without running anybody's code."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from enum import Enum

import pytest
from hostile import KINDS, RAN
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from tta_observe._capture import written
from tta_observe._scalars import MARKED, MAX_BYTES


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    label: str = "here"
    hidden: str = field(default="canary", repr=False)
    _own: str = "canary"


@dataclass(slots=True)
class Slotted:
    x: int


class Order(BaseModel):
    item: str
    point: Point
    api_key: str = "canary"
    pin: SecretStr = SecretStr("canary")
    note: str = Field("canary", repr=False)


class Client:
    def __init__(self):
        self.url = "canary"

    def __repr__(self):
        raise AssertionError("nobody may call this")

    __str__ = __repr__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"a": [1, 2.5, True, None]}, {"a": [1, 2.5, True, None]}),
        (("x", {"y"}), ["x", ["y"]]),
        (float("nan"), "nan"),
        (10**30, hex(10**30)),
        (Color.RED, "red"),
        (b"\x89PNG", "<bytes>"),
        (Point(1), {"x": 1, "label": "here"}),
        (Slotted(2), {"x": 2}),
        ({1: "one"}, {"1": "one"}),
        ("\ud800", "?"),
        (Client(), f"<{Client.__module__}.Client>"),
        ([Client], ["<type>"]),
    ],
)
def test_values_as_json(value, expected):
    """
    What a reader of the trace would write down himself.
    """
    assert expected == json.loads(written(value))


def test_models_are_written_by_their_fields():
    """
    The arguments of agents are models as a rule; what they keep to themselves stays there.
    """
    shown = json.loads(written(Order(item="tea", point=Point(1))))

    assert {
        "item": "tea",
        "point": {"x": 1, "label": "here"},
        "api_key": "[redacted]",
        "pin": "<pydantic.types.SecretStr>",
    } == shown


@pytest.mark.parametrize(
    "name", ["password", "token", "api_key", "apiKey", "Authorization", "client_secret", "session", "DB_PASSWORD"]
)
def test_what_is_named_like_a_secret_is_one(name):
    """
    Nobody looks at the value: whoever named the argument knew.
    """
    assert "canary" not in written({"outer": [{name: {"deep": "canary"}}]})


@pytest.mark.parametrize(
    "value",
    [
        "x" * 50_000_000,
        "\n" * 20_000,
        "\x00" * 20_000,
        "界" * 20_000,
        '"' * 20_000,
        ["y" * 3000] * 10,
        {f"k{i}": "z" * 100 for i in range(5000)},
        [[[i] * 64] * 64 for i in range(64)],
        list(range(1_000_000)),
        {"k" * 100_000: "v"},
    ],
    ids=["text", "lines", "zeros", "wide", "quotes", "texts", "mapping", "nested", "list", "key"],
)
def test_size_and_time_are_bounded_and_it_stays_json(value):
    """
    A document of 50 MB in an argument must not hold up the call, and its beginning can still be read by a machine.
    """
    before = sum(MARKED.values())
    started = time.perf_counter()
    text = written(value)
    elapsed = time.perf_counter() - started

    assert MAX_BYTES >= len(text.encode())
    assert json.loads(text)
    assert before < sum(MARKED.values())
    assert 0.5 > elapsed


def test_what_was_cut_says_so():
    """
    Half an answer that looks whole is a lie.
    """
    assert json.loads(written("x" * 10_000)).endswith("…[cut]")
    assert json.loads(written({"a": "y" * 10_000}))["a"].endswith("…[cut]")


def test_a_circle_ends():
    """
    Graphs of objects have circles.
    """
    circle = []
    circle.append(circle)

    assert written(circle).startswith("[[[[")


def test_a_mapping_that_changes_while_it_is_read():
    """
    Another thread may put something in at any moment: what was read is what was there.
    """
    shared, stop = {}, threading.Event()

    def change():
        while not stop.is_set():
            shared[object()] = 1
            if len(shared) > 100:
                shared.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            written(shared)
    finally:
        stop.set()
        thread.join(30)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_values_run_nothing(kind):
    """
    An argument is never asked what it is: neither its ``__repr__`` nor its properties nor its iterator.
    """
    RAN.clear()
    json.loads(written({"a": KINDS[kind], "b": [KINDS[kind]]}))

    assert [] == list(RAN)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=50,
    ),
    st.integers(64, 4096),
)
def test_whatever_is_written_is_json_that_fits(value, limit):
    """
    Backends parse it: a text that ends in the middle of a string is shown as nothing.
    """
    text = written(value, limit)
    json.loads(text)

    assert limit >= len(text.encode())


def test_nothing_is_awaited_or_iterated():
    """
    A stream that is passed as an argument belongs to the function that reads it.
    """

    async def later():
        """Never awaited here."""

    generator, coroutine = (i for i in range(3)), later()
    shown = json.loads(written([generator, coroutine]))
    coroutine.close()

    assert ["<generator>", "<coroutine>"] == shown
    assert [0, 1, 2] == list(generator)
    assert asyncio.iscoroutine(coroutine)
