"""Copies tell of what was left out before they were made."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext
from programs import clean
from receiver import receiving

from tta_observe import configure, flush, shutdown
from tta_observe._pipeline.sizing import MAX_SPAN_BYTES, measured

LIMITS = SpanLimits(max_attributes=4, max_events=2, max_links=2, max_event_attributes=2, max_link_attributes=2)
MANY = {f"key{number}": "value" for number in range(5)}


@pytest.fixture(name="tracer_provider")
def _tracer_provider(monkeypatch, tmp_path):
    """A provider whose limits leave something out everywhere."""
    clean(monkeypatch, tmp_path)
    yield TracerProvider(resource=Resource({}), span_limits=LIMITS, shutdown_on_exit=False)
    shutdown(0.1)


def ended(provider, **attributes):
    """A span that has lost attributes, events, links, and attributes of those."""
    links = [Link(SpanContext(1, 2, is_remote=False), MANY | {"password": "x"}) for _ in range(3)]
    span = provider.get_tracer("theirs").start_span("op", attributes=MANY | attributes, links=links)
    for _ in range(3):
        span.add_event("e", MANY | {"password": "x"})
    span.end()
    return span


def test_redacted_copy_on_the_wire_still_counts_what_the_sdk_left_out(tracer_provider):
    """
    A backend that shows "2 attributes dropped" must not fall silent because a secret stood beside them.
    """
    with receiving() as receiver:
        configure(endpoint=receiver.endpoint, tracer_provider=tracer_provider)
        ended(tracer_provider, password="x")
        flush(5)
        ((_, _, span),) = receiver.spans()

    counts = span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count
    assert (2, 1, 1) == counts
    assert [4, 4] == [event.dropped_attributes_count for event in span.events]
    assert [4, 4] == [link.dropped_attributes_count for link in span.links]


def test_span_that_is_cut_counts_both_what_was_missing_and_what_is_missing_now(tracer_provider):
    """
    The two reasons add up, or one of them would be forgotten.
    """
    span = ended(tracer_provider, large=tuple("x" * 100 for _ in range(MAX_SPAN_BYTES // 100)))
    cut, _, is_cut = measured(span)

    assert (True, 2, 1, 1) == (is_cut, cut.dropped_attributes, cut.dropped_events, cut.dropped_links)
    assert [4, 4] == [event.dropped_attributes for event in cut.events]
    assert [4, 4] == [link.dropped_attributes for link in cut.links]
    assert (span.name, span.context, span.start_time, span.end_time) == (
        cut.name,
        cut.context,
        cut.start_time,
        cut.end_time,
    )
