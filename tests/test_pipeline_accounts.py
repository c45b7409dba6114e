"""The ledgers as metrics: what an operator sees of what was lost."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from programs import clean
from receiver import black_hole, receiving

import tta_observe
from tta_observe import configure, semconv
from tta_observe.cli import report
from tta_observe.instruments import INSTRUMENTS, OWN_INSTRUMENTS, SPANS_EXPORTED, SPANS_WAITING


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.1)


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def told(receiver, spec):
    """The last value of each exporter and outcome."""
    return {
        (point.labels[semconv.EXPORTER], point.labels[semconv.OUTCOME]): point.value
        for point in receiver.points(spec.name)
    }


def test_receiver_is_told_what_became_of_every_span_from_the_second_collection_on():
    """
    A dashboard that is empty because spans were lost must be able to say so.
    """
    with receiving() as receiver:
        configure(endpoint=receiver.endpoint)
        for _ in range(3):
            call()
        tta_observe.flush()
        first = told(receiver, SPANS_EXPORTED)
        receiver.mode = "partial:2"
        for _ in range(5):
            call()
        tta_observe.flush()
        receiver.mode = "ok"
        tta_observe.flush()

        assert {} == first
        assert {("otlp", "delivered"): 6, ("otlp", "export_failed"): 2} == told(receiver, SPANS_EXPORTED)
        assert {("otlp", "queued"): 0, ("otlp", "in_flight"): 0} == told(receiver, SPANS_WAITING)


def test_series_of_the_accounts_are_born_at_zero():
    """
    ``rate()`` sees the first loss, or the alert about it never fires.
    """
    with receiving() as receiver:
        configure(endpoint=receiver.endpoint)
        for _ in range(3):
            call()
            tta_observe.flush()

        assert [0, 2, 3] == [point.value for point in receiver.points(SPANS_EXPORTED.name)]


def test_application_with_a_provider_of_its_own_does_not_collect_our_accounts():
    """
    Its metrics are its own; ours ride along on ours alone, and an idle pipeline sends nothing because of them.
    """
    with receiving() as receiver:
        provider = TracerProvider(shutdown_on_exit=False)
        configure(endpoint=receiver.endpoint, tracer_provider=provider)
        for _ in range(3):
            provider.get_tracer("theirs").start_span("theirs").end()
            tta_observe.flush()

        assert [] == receiver.of("metrics")
        assert 3 == len(receiver.spans())


def test_exporter_that_gets_nothing_through_is_told_of_by_the_one_beside_it(tmp_path):
    """
    What was lost on the way to a collector cannot be said on the same way: the local report says it.
    """
    with black_hole() as endpoint:
        configure(exporter=("otlp", "local"), endpoint=endpoint)
        for _ in range(2):
            call()
            tta_observe.flush(0.2)
        tta_observe.flush(0.2)
        found = report.read(tmp_path / "store.db")
        rows = {row.exporter: (row.recorded, row.delivered, row.waiting, dict(row.dropped)) for row in found.exports}

        assert {"local": (2, 2, 0, {}), "otlp": (2, 0, 2, {})} == rows


def test_report_shows_the_accounts_of_live_processes_alone(tmp_path, capsys):
    """
    The report of yesterday's run is about its work; what a running program loses is news.
    """
    configure(exporter="local")
    for _ in range(3):
        call()
        tta_observe.flush()
    live = report.read(tmp_path / "store.db")
    report.show(live, as_json=False)
    shown = capsys.readouterr().out
    tta_observe.shutdown()
    ended = report.read(tmp_path / "store.db")

    assert "Spans of live processes" in shown
    assert [("local", 3, 0)] == [(row.exporter, row.delivered, row.waiting) for row in live.exports]
    assert () == ended.exports
    assert '"exports"' in report.to_json(live)
    assert '"exports"' not in report.to_json(ended)


def test_own_instruments_are_no_part_of_the_documented_ten():
    """
    Dashboards, rules and the README are made from those; what the pipeline says of itself must not move them.
    """
    assert not {spec.name for spec in OWN_INSTRUMENTS} & {spec.name for spec in INSTRUMENTS}
    assert all(spec.name.startswith("tta.") for spec in OWN_INSTRUMENTS)
    assert all(
        set(spec.labels) == {semconv.EXPORTER, semconv.OUTCOME} for spec in OWN_INSTRUMENTS if "export" in spec.name
    )
