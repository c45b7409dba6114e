import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_store import MORNING, SECOND, App

from tta_observe import semconv
from tta_observe.instruments import CACHE_HITS, EXECUTION_DURATION, LLM_COST
from tta_observe.local.increases import distributions, increases
from tta_observe.local.records import COUNTER, HISTOGRAM, PointRecord, ProcessRecord, Records, SeriesRecord
from tta_observe.local.rows import Window
from tta_observe.local.store import Store
from tta_observe.local.transactions import Patience

MEMORY = {semconv.CACHE_TYPE: "memory"}
REDIS = {semconv.CACHE_TYPE: "redis"}


def by_type(labels):
    """Add up by type of cache."""
    return labels.get(semconv.CACHE_TYPE)


def risen(app, start_s, end_s, spec=CACHE_HITS):
    """What the counter rose by after *start_s* of the program, up to *end_s*."""
    window = Window(app.start_ns + int(start_s * SECOND), app.start_ns + int(end_s * SECOND))
    with app.reader() as reader:
        return increases(reader, spec, window, by_type)


@pytest.fixture(name="app")
def _app(tmp_path):
    app = App(tmp_path / "store.db")
    yield app
    app.exporter.close()


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from([MEMORY, REDIS]), st.integers(0, 5), st.booleans()), max_size=30),
    st.integers(1, 5),
)
def test_increase_is_the_sum_of_what_was_added(adds, seconds):
    """
    However the measurements fall into exports, the report says what the program did.
    """
    with tempfile.TemporaryDirectory() as directory:
        app = App(Path(directory) / "store.db")
        for labels, value, tick in adds:
            app.record(CACHE_HITS, value, labels)
            if tick:
                app.tick(seconds)
        app.tick(seconds)
        expected = {
            labels[semconv.CACHE_TYPE]: sum(value for other, value, _ in adds if other is labels)
            for labels in (MEMORY, REDIS)
            if any(other is labels for other, _, _ in adds)
        }

        assert expected == risen(app, 0, 1000)
        app.exporter.close()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 25))
def test_two_windows_side_by_side_add_up(adds, middle):
    """
    What ran in the first half hour and in the second is what ran in the hour.
    """
    with tempfile.TemporaryDirectory() as directory:
        app = App(Path(directory) / "store.db")
        for value in adds:
            app.record(CACHE_HITS, value, MEMORY)
            app.tick()
        halves = [risen(app, 0, middle), risen(app, middle, 25)]

        assert sum(adds) == sum(half.get("memory", 0) for half in halves)
        app.exporter.close()


def test_first_measurement_counts(app):
    """
    A script that runs one workflow has one run, not none.
    """
    app.record(CACHE_HITS, 1, MEMORY)
    app.tick()

    assert {"memory": 1} == risen(app, 0, 1)


def test_label_set_that_appears_late_counts_from_zero(app):
    """
    The first error of the day, an hour after the start, is an error.
    """
    app.record(CACHE_HITS, 1, MEMORY)
    app.tick(3600)
    app.record(CACHE_HITS, 4, REDIS)
    app.tick()

    assert {"memory": 0, "redis": 4} == risen(app, 3600, 3601)


def test_window_begins_with_what_was_counted_before(app):
    """
    "The last hour" of a service that runs for a week is an hour.
    """
    app.record(CACHE_HITS, 1000, MEMORY)
    app.tick(60)
    app.record(CACHE_HITS, 2, MEMORY)
    app.tick(60)

    assert {"memory": 2} == risen(app, 60, 120)


def test_restart_is_not_a_fall(tmp_path):
    """
    A deployment in the middle of the window adds to what ran before it.
    """
    first = App(tmp_path / "store.db")
    first.record(CACHE_HITS, 5, MEMORY)
    first.tick()
    first.exporter.close()
    second = App(tmp_path / "store.db", start_ns=MORNING + 60 * SECOND)
    second.record(CACHE_HITS, 2, MEMORY)
    second.tick()

    assert {"memory": 7} == risen(first, 0, 100)
    second.exporter.close()


def test_series_of_which_the_beginning_is_unknown_rises_from_what_is_known(tmp_path):
    """
    A service that ran for a month before the viewer received from it did not do a month's work in that minute.
    """
    store = Store(tmp_path / "store.db", Patience(5))
    process = ProcessRecord("theirs", 0, MORNING, "shop", None, None, "{}")
    series = SeriesRecord(semconv.SCOPE, CACHE_HITS.name, COUNTER, "{hit}", MORNING, "", '{"cache.type":"memory"}')
    points = [PointRecord(series, MORNING + at_s * SECOND, value) for at_s, value in ((100, 5000), (110, 5003))]
    store.write(Records(process, (), tuple(points)), MORNING + 110 * SECOND, Patience(5))
    store.close()
    app = App(tmp_path / "store.db")

    assert {"memory": 3} == risen(app, 50, 200)
    assert {"memory": 5003} == risen(app, -50, 200)


def test_same_instrument_of_another_scope_is_not_ours(app):
    """
    Any library may call a counter cache.hits.
    """
    meter = app.meters.get_meter("theirs")
    meter.create_counter(CACHE_HITS.name).add(99, MEMORY)
    app.record(CACHE_HITS, 1, MEMORY)
    app.tick()

    assert {"memory": 1} == risen(app, 0, 1)


def test_series_without_a_key_is_left_out(app):
    """
    A question about workflows is not about all the rest.
    """
    app.record(CACHE_HITS, 1, {})
    app.tick()

    assert {} == risen(app, 0, 1)


def test_fractions_are_kept(app):
    """
    Most calls cost less than a cent.
    """
    for _ in range(3):
        app.record(LLM_COST, 0.001, MEMORY)
        app.tick()

    assert {"memory": pytest.approx(0.003)} == risen(app, 0, 10, LLM_COST)


def test_histogram_counts_what_was_recorded_within_the_window(app):
    """
    The P95 of the last hour is not that of the last week.
    """
    app.record(EXECUTION_DURATION, 9000, MEMORY)
    app.tick(60)
    for value in (3, 4, 40):
        app.record(EXECUTION_DURATION, value, MEMORY)
    app.tick(60)
    with app.reader() as reader:
        window = Window(app.start_ns + 60 * SECOND, app.now_ns)
        found = distributions(reader, EXECUTION_DURATION, window, by_type)["memory"]
        late = distributions(reader, EXECUTION_DURATION, Window(app.now_ns, app.now_ns + 1), by_type)
        unnamed = distributions(reader, EXECUTION_DURATION, window, lambda _: None)

    assert EXECUTION_DURATION.buckets == found.bounds
    assert (0, 0, 2, 0, 0, 1) == found.counts[:6]
    assert (3, 47) == (found.recorded, found.total)
    assert {} == late
    assert {} == unnamed


def test_histogram_that_was_sent_without_a_zero_counts_from_zero(tmp_path):
    """
    Another pipeline than ours sends none; the start of its series says the same.
    """
    store = Store(tmp_path / "store.db", Patience(5))
    process = ProcessRecord("theirs", 0, MORNING, "shop", None, None, "{}")
    series = SeriesRecord(semconv.SCOPE, EXECUTION_DURATION.name, HISTOGRAM, "ms", MORNING, "[1,2]", "{}")
    point = PointRecord(series, MORNING + SECOND, 4.5, 3, "[1,1,1]")
    store.write(Records(process, (), (point,)), MORNING + SECOND, Patience(5))
    store.close()
    app = App(tmp_path / "store.db")
    window = Window(MORNING - SECOND, MORNING + SECOND)
    with app.reader() as reader:
        found = distributions(reader, EXECUTION_DURATION, window, lambda _: "all")["all"]

    assert (1, 1, 1) == found.counts


def test_histograms_of_several_series_are_one(app):
    """
    The P95 of a workflow is that of its successes and failures together.
    """
    app.record(EXECUTION_DURATION, 3, MEMORY)
    app.record(EXECUTION_DURATION, 3, REDIS)
    app.tick()
    with app.reader() as reader:
        found = distributions(reader, EXECUTION_DURATION, app.window(), lambda _: "all")["all"]

    assert 2 == found.recorded
