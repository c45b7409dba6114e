"""What callers write into headers: read where it is well formed, ignored where it is not, whatever it is."""

from __future__ import annotations

import email.message
import logging

import httpx
import pytest
from hostile import KINDS, RAN
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from tta_observe._headers import MAX_CHARACTERS, MAX_NAME_BYTES, Told, is_name, put, read, written
from tta_observe._secrets import masked

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
PARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"
TOLD = Told((TRACE, SPAN, 1, ()), "engine", "ask", "chat", "reviewer")
BAGGAGE = "tta.service=engine,tta.primitive=ask,tta.workflow=chat,tta.agent=reviewer"

NAMES = st.text(min_size=1, max_size=60).filter(is_name)
SPANS = st.tuples(
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.integers(0, 255),
    st.just(()) | st.just((("vendor", "x y"), ("t@v", "1"))),
)
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.binary(), inner),
)
OUR_NAMES = st.sampled_from(["traceparent", "Tracestate", "BAGGAGE", b"traceparent", b"baggage", "HTTP_BAGGAGE"])
OUR_VALUES = st.one_of(
    st.text(),
    st.binary(),
    st.from_regex(r"[0-9a-fA-F]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}", fullmatch=True),
    st.lists(st.sampled_from(["tta.workflow", "tta.agent", "a", ""]), max_size=300).map(
        lambda keys: ",".join(f"{key}=%ff" for key in keys)
    ),
)


class Frozen:
    """Headers that cannot be changed."""

    def items(self):
        return [("baggage", "a=1")]


def message():
    made = email.message.Message()
    made["Baggage"] = "a=1"
    return made


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": PARENT, "baggage": BAGGAGE},
        {"TraceParent": PARENT, "BAGGAGE": f" {BAGGAGE} "},
        {b"traceparent": PARENT.encode(), b"baggage": BAGGAGE.encode()},
        {"HTTP_TRACEPARENT": PARENT, "HTTP_BAGGAGE": BAGGAGE, "wsgi.input": object()},
        [("traceparent", PARENT), ("baggage", BAGGAGE)],
        [(b"traceparent", PARENT.encode()), [b"baggage", BAGGAGE.encode()]],
        (("traceparent", PARENT), ("baggage", BAGGAGE)),
        iter([("traceparent", PARENT), ("baggage", BAGGAGE)]),
        httpx.Headers({"traceparent": PARENT, "baggage": BAGGAGE}),
        Headers({"traceparent": PARENT, "baggage": BAGGAGE}),
        [("traceparent", PARENT), *[("baggage", member) for member in BAGGAGE.split(",")]],
        [("traceparent", f" {PARENT}\t"), ("baggage", f"a=1;p=2,, {BAGGAGE} ;p=2, b")],
    ],
)
def test_headers_of_every_kind_are_read(headers):
    """
    Servers, clients and queues each have a kind of their own.
    """
    assert read(headers) == TOLD


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT[:-1],
        PARENT + "0",
        PARENT + "-more",
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        PARENT.replace("4bf9", "4bg9"),
        PARENT.replace(f"{TRACE:032x}", "0" * 32),
        PARENT.replace(f"{SPAN:016x}", "0" * 16),
        PARENT + "\n",
        f"\x00{PARENT}",
        f"{PARENT}, {PARENT}",
        PARENT + " " * 1_000_000,
        "0" * 1_000_000,
        "é" * 55,
        None,
        7,
        b"\xff" * 55,
    ],
)
def test_a_malformed_parent_is_no_parent(parent, caplog):
    """
    And then the names beside it are nobody's; the log says it to whoever looks for the reason.
    """
    caplog.set_level(logging.DEBUG)

    assert Told(None) == read({"traceparent": parent, "baggage": BAGGAGE})
    assert {logging.DEBUG} >= {record.levelno for record in caplog.records}
    assert not any(str(parent)[:40] in record.getMessage() for record in caplog.records if parent)


def test_two_parents_are_none():
    """
    Which of them is the caller cannot be told; a proxy that was fooled adds one of its own.
    """
    assert Told(None) == read([("traceparent", PARENT), ("traceparent", PARENT)])


def test_a_parent_of_a_later_version_is_read_as_far_as_it_is_known():
    """
    W3C Trace Context asks for it.
    """
    assert (TRACE, SPAN, 1, ()) == read({"traceparent": PARENT.replace("00-", "cc-", 1) + "-what-comes-next"}).span


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("vendor=x, t@v=y z", (("vendor", "x"), ("t@v", "y z"))),
        ("vendor=x,,", (("vendor", "x"),)),
        ("vendor=x,vendor=y", ()),
        ("Vendor=x", ()),
        ("vendor=x\n", ()),
        ("vendor", ()),
        (",".join(f"v{i}=x" for i in range(33)), ()),
        ("v=" + "x" * 1_000_000, ()),
        ("v=" + "x" * 300, ()),
        ("," * 1_000_000, ()),
    ],
)
def test_the_trace_state_is_passed_on_or_left_out(state, expected, caplog):
    """
    OpenTelemetry would warn of a malformed one, with the stranger's text in the log.
    """
    caplog.set_level(logging.INFO)

    assert (TRACE, SPAN, 1, expected) == read({"traceparent": PARENT, "tracestate": state}).span
    assert [] == caplog.records


@pytest.mark.parametrize(
    "baggage",
    [
        "tta.workflow",
        "tta.workflow=",
        "tta.workflow=%20%20",
        "tta.workflow=a%00b",
        "tta.workflow=a%0Ab",
        "tta.workflow=a%1B%5B31m",
        "tta.workflow=%E2%80%AEtxt",
        "tta.workflow=%FF%FE",
        "tta.workflow=é",
        "tta.workflow=" + "x" * (MAX_NAME_BYTES + 1),
        "tta.workflow=%C3%A9" + "%C3%A9" * MAX_NAME_BYTES,
        "tta.workflow=a,tta.workflow=b",
        "tta.workflow=a," + "b" * 1_000_000,
        "tta.workflow=a," + ",".join(f"k{i}=1" for i in range(5000)),
        "tta.workflow=a" + "," * 200,
        "TTA.WORKFLOW=a",
    ],
)
def test_a_name_that_is_none_is_ignored(baggage, caplog):
    """
    Names become labels, lines of a terminal and rows of a table.
    """
    caplog.set_level(logging.INFO)

    assert Told((TRACE, SPAN, 1, ())) == read({"traceparent": PARENT, "baggage": baggage})
    assert [] == caplog.records


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_headers_do_no_harm(kind):
    """
    Whatever is passed in, as headers, as a name or as a value, is no reason to fail a request.
    """
    RAN.clear()
    value = KINDS[kind]
    read({"traceparent": value, "baggage": value, "tracestate": value})
    read([("traceparent", PARENT), ("baggage", value), (value, value), value])
    ran = list(RAN)
    read(value)
    put(value, {"traceparent": PARENT})

    assert [] == ran, "only what is passed as headers runs its own code"


@given(st.lists(st.tuples(OUR_NAMES | ANYTHING, OUR_VALUES | ANYTHING)) | ANYTHING)
def test_no_header_whatsoever_raises(headers):
    """
    The text of strangers arrives here first.
    """
    told = read(headers)

    assert told.span is not None or Told(None) == told
    assert all(name is None or is_name(name) for name in told[1:])


@given(SPANS, st.tuples(*[st.none() | NAMES] * 4))
def test_what_is_written_is_read(span, names):
    """
    The same identifiers and names on both sides, in any script.
    """
    told = Told(span, *names)
    headers = {}
    put(headers, written(headers, told))

    assert Told(span, *(name and masked(name) for name in names)) == read(headers)
    assert all(value.isascii() and value.isprintable() for value in headers.values())


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"Baggage": "a=1,tta.agent=old"}, dict),
        ({"X": "1", "baggage": "a=1"}, dict),
        ({b"baggage": b"a=1"}, lambda found: {k.decode(): v.decode() for k, v in found.items()}),
        ([("host", "h"), ("BAGGAGE", "a=1")], dict),
        ([(b"host", b"h"), (b"baggage", b"a=1")], lambda found: {k.decode(): v.decode() for k, v in found}),
        (httpx.Headers({"baggage": "a=1"}), dict),
        (message(), dict),
    ],
)
def test_what_is_in_the_headers_stays_beside_ours(headers, shown):
    """
    Baggage is shared: with other libraries, and with what an earlier call has written.
    """
    put(headers, written(headers, TOLD))
    put(headers, written(headers, TOLD))
    found = {name.lower(): value for name, value in shown(headers).items()}

    assert f"a=1,{BAGGAGE}" == found["baggage"]
    assert PARENT == found["traceparent"]
    assert TOLD == read(headers)
    assert len(list(headers.items() if hasattr(headers, "items") else headers)) == len(found)


@pytest.mark.parametrize("theirs", ["x" * MAX_CHARACTERS, "x=" + "1" * 1_000_000, ",".join(["k=1"] * 180)])
def test_baggage_without_room_is_left_alone(theirs):
    """
    What others have put there comes first.
    """
    headers = {"baggage": theirs}
    put(headers, written(headers, TOLD))

    assert {"baggage": theirs, "traceparent": PARENT} == headers


@pytest.mark.parametrize("headers", [None, 7, "text", (), frozenset(), Frozen(), object()])
def test_what_takes_no_headers_is_left_alone(headers, caplog):
    """
    One line says what to pass instead.
    """
    caplog.set_level(logging.DEBUG)
    put(headers, {"traceparent": PARENT})

    assert "headers ignored" in caplog.text
    assert "pass a dict, or a list of pairs" in caplog.text


def test_names_that_may_not_travel_stay_at_home():
    """
    Control characters and secrets are no business of other services; a long name is cut.
    """
    told = Told(TOLD.span, "a\nb", "key sk-proj-" + "a1B2c3D4" * 6, "é" * 500, " ")
    found = read(written({}, told))

    assert (None, None) == (found.service, found.agent)
    assert "a1B2c3D4" not in found.primitive
    assert len(found.workflow.encode()) <= MAX_NAME_BYTES
    assert found.workflow.startswith("é" * 100)


def test_nobody_is_told_of_nothing():
    """
    Without a span there is nothing to continue.
    """
    assert {} == written({}, Told(None, "engine"))
