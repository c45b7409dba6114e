"""The queue of a lane, and what became of every span that was put into it."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from tta_observe._pipeline.ledger import MAX_BATCH, MAX_BATCH_BYTES, MAX_QUEUE_BYTES, Ledger

RESOURCE = Resource({})
PAGE = "x" * 8000


def span(name="s", pages=0):
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(name, context, resource=RESOURCE, attributes={f"page.{i}": PAGE for i in range(pages)})


def filled(count, pages=0):
    ledger = Ledger()
    for i in range(count):
        ledger.put(span(f"s{i}", pages))
    return ledger


def test_queue_is_bounded_by_bytes():
    """
    A queue that counts spans alone took 400 MB of a host when a collector was down and its spans held pages.
    """
    accounts = filled(3000, pages=1).accounts()

    assert {"queue_full": 3000 - accounts.queued} == accounts.dropped
    assert 0.95 * MAX_QUEUE_BYTES < accounts.queued * len(PAGE) <= MAX_QUEUE_BYTES


def test_room_comes_back_with_what_is_settled():
    """
    Bytes that are never given back would close the queue for good.
    """
    ledger = filled(3000, pages=1)
    full = ledger.accounts().queued
    while taken := ledger.take():
        ledger.settle(len(taken), {})
    empty = ledger.accounts().queued
    for i in range(3000):
        ledger.put(span(f"s{i}", pages=1))

    assert (0, full) == (empty, ledger.accounts().queued)


@pytest.mark.parametrize(("pages", "expected"), [(0, MAX_BATCH), (10, MAX_BATCH_BYTES // (10 * 8020))])
def test_batch_is_bounded_by_count_and_by_bytes(pages, expected):
    """
    Receivers of gRPC refuse messages over 4 MiB.
    """
    taken = filled(600 if not pages else 100, pages).take()

    assert expected - 1 <= len(taken) <= expected


def test_one_span_is_a_batch_however_large_it_is():
    """
    It would wait in front of all others for ever.
    """
    assert 1 == len(filled(1, pages=100).take())


def test_what_is_in_flight_is_told_apart_from_what_waits():
    """
    "Sent and not answered" is another question than "not sent".
    """
    ledger = filled(MAX_BATCH + 5)
    ledger.take()
    sent = ledger.accounts()
    ledger.put_back()
    back = ledger.accounts()

    assert ((5, MAX_BATCH), (MAX_BATCH + 5, 0)) == ((sent.queued, sent.in_flight), (back.queued, back.in_flight))


def test_what_comes_after_the_end_is_neither_taken_nor_counted():
    """
    Processors cannot be taken off a provider; an application may go on for days.
    """
    ledger = filled(2)
    ledger.close()
    ledger.put(span())
    taken = len(ledger.take())
    ledger.settle(1, {})
    ledger.give_up()
    ledger.settle(1, {})
    accounts = ledger.accounts()

    assert (2, 2, 1, {"shutdown": 1}) == (taken, accounts.recorded, accounts.delivered, accounts.dropped)


@pytest.mark.swallowed
def test_span_that_cannot_be_measured_is_counted_and_never_raises():
    """
    ``on_end`` runs in the application's own thread: what it raises would leave through its code.
    """
    ledger = Ledger()
    ledger.put(ReadableSpan("s", attributes=5, resource=RESOURCE))

    assert (1, {"encode": 1}) == (ledger.accounts().recorded, ledger.accounts().dropped)


class Life(RuleBasedStateMachine):
    """Anything that a lane may do with its ledger, in any order."""

    def __init__(self):
        super().__init__()
        self.ledger = Ledger()
        self.put = 0
        self.taken = []
        self.is_open = True

    @rule(pages=st.sampled_from([0, 1, 60]), count=st.integers(1, 40))
    def records(self, pages, count):
        for _ in range(count):
            self.ledger.put(span(pages=pages))
        self.put += count if self.is_open else 0

    @rule()
    def takes(self):
        self.taken = self.ledger.take()

    @rule(share=st.floats(0, 1), lost=st.floats(0, 1))
    def settles(self, share, lost):
        count = int(len(self.taken) * share)
        dropped = int(count * lost)
        self.ledger.settle(count - dropped, {"export_failed": dropped})
        self.taken = self.taken[count:]

    @rule()
    def puts_back(self):
        self.ledger.put_back()
        self.taken = []

    @rule()
    def ends(self):
        self.ledger.close()
        self.is_open = False

    @rule()
    def gives_up(self):
        self.ledger.give_up()
        self.is_open, self.taken = False, []

    @invariant()
    def balances(self):
        found = self.ledger.accounts()

        assert self.put == found.recorded
        assert found.recorded == found.delivered + sum(found.dropped.values()) + found.queued + found.in_flight
        assert len(self.taken) == found.in_flight
        assert 0 <= self.ledger._bytes <= MAX_QUEUE_BYTES
        assert (self.ledger._bytes == 0) == (found.queued + found.in_flight == 0)


TestLife = Life.TestCase
