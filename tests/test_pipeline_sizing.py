"""How large a span is thought to be, and what is left of one that is too large."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from tta_observe import semconv
from tta_observe._pipeline.ledger import MAX_BATCH_BYTES
from tta_observe._pipeline.sizing import MAX_SPAN_BYTES, measured
from tta_observe._values import MAX_BYTES

CONTEXT = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
MS = 1_000_000


def span(attributes=None, events=(), links=(), name="s", status=None):
    return ReadableSpan(
        name,
        CONTEXT,
        attributes=attributes,
        events=events,
        links=links,
        status=status or Status(),
        resource=Resource({}),
        start_time=MS,
        end_time=2 * MS,
    )


def wire_size(found):
    return encode_spans([found]).ByteSize()


def test_span_of_usual_size_is_queued_as_it_is():
    """
    A copy of each span would double what the calling thread pays.
    """
    given_span = span({"a": "text", "b": 1, "c": (1.5, 2.5)}, [Event("e", {"x": "y"}, 5)])
    found = measured(given_span)

    assert given_span is found.span
    assert not found.is_cut


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        st.one_of(
            st.text(st.characters(codec="utf-8"), max_size=3000),
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            st.floats(),
            st.lists(st.text(st.characters(codec="utf-8"), max_size=50), max_size=20),
            st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50),
        ),
        max_size=12,
    ),
)
def test_size_is_at_least_half_of_what_the_wire_takes(attributes):
    """
    A batch that is chosen by it is then halved once at most.
    """
    made = span(attributes, [Event("an event", attributes, 5)], [Link(CONTEXT, attributes)])

    assert wire_size(made) <= 2 * measured(made).size


@pytest.mark.parametrize("letter", ["x", "é", "…", "😀"])
def test_long_string_of_another_library_is_cut_before_it_is_queued(letter):
    """
    3,000 spans with 100 kB each would take the host 300 MB while a collector is down.
    """
    found = measured(span({"page": letter * 100_000, "other": "kept"}))

    assert found.is_cut
    assert len(found.span.attributes["page"].encode()) <= MAX_BYTES
    assert ("kept", True) == (found.span.attributes["other"], found.span.attributes[semconv.TRUNCATED])


@pytest.mark.parametrize(
    "holder",
    [
        {"name": "x" * 100_000},
        {"status": Status(StatusCode.ERROR, "x" * 100_000)},
        {"attributes": {"a": ("x" * 100_000, "y")}},
        {"attributes": {"a": b"x" * 100_000}},
        {"attributes": {"a": range(100_000)}},
        {"attributes": {"a": tuple(range(100_000))}},
        {"events": [Event("x" * 100_000)]},
        {"events": [Event("e", {"message": "x" * 100_000})]},
        {"links": [Link(CONTEXT, {"why": "x" * 100_000})]},
    ],
    ids="".join,
)
def test_whatever_is_too_long_in_a_span_is_cut_wherever_it_stands(holder):
    """
    Exceptions with pages of text stand in events and in the status, three times over.
    """
    found = measured(span(**holder))

    assert found.is_cut
    assert wire_size(found.span) < 3 * MAX_BYTES


def test_embedding_of_another_library_is_kept_whole():
    """
    Three thousand numbers are a value that people look at, and no text.
    """
    vector = tuple(i / 7 for i in range(3072))
    found = measured(span({"embedding.vector": vector}))

    assert (vector, False) == (found.span.attributes["embedding.vector"], found.is_cut)


def test_span_that_is_too_large_keeps_what_fits_and_says_how_much_does_not():
    """
    A loop that adds an event a token must not cost the span, nor a message over 4 MiB.
    """
    events = [Event(f"token {i}", {"text": "x" * 8000}, i) for i in range(1000)]
    found = measured(span({"a": "kept"}, events))
    kept = found.span.events

    assert found.is_cut
    assert found.size <= MAX_SPAN_BYTES
    assert MAX_SPAN_BYTES / 2 < wire_size(found.span) <= MAX_BATCH_BYTES
    assert [event.name for event in events[: len(kept)]] == [event.name for event in kept]
    assert 1000 == len(kept) + found.span.dropped_events
    assert "kept" == found.span.attributes["a"]


def test_span_that_is_cut_keeps_what_it_is():
    """
    A trace with a span of another name or place in it would be a wrong trace.
    """
    before = span({"page": "x" * 100_000}, status=Status(StatusCode.ERROR, "no"))
    after = measured(before).span

    assert (before.name, before.context, before.kind, before.start_time, before.end_time) == (
        after.name,
        after.context,
        after.kind,
        after.start_time,
        after.end_time,
    )
    assert (StatusCode.ERROR, "no") == (after.status.status_code, after.status.description)
    assert (0, 0, 0) == (after.dropped_attributes, after.dropped_events, after.dropped_links)


def test_fifty_megabytes_are_cut_at_once():
    """
    The calling thread does it: what is not kept must not be looked at.
    """
    made = span({f"page.{i}": "é" * 5_000_000 for i in range(5)})
    begun = perf_counter()
    measured(made)

    assert perf_counter() - begun < 0.05
