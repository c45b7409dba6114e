import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_store import MORNING, SECOND

from tta_observe.instruments import CACHE_HITS
from tta_observe.local.increases import increases
from tta_observe.local.reader import StoreReader
from tta_observe.local.records import COUNTER, PointRecord, ProcessRecord, Records, SeriesRecord, SpanRecord
from tta_observe.local.rows import Window
from tta_observe.local.schema import open_for_writing
from tta_observe.local.store import Store
from tta_observe.local.transactions import Patience
from tta_observe.local.upkeep import Limits, tidy, used_bytes

HOUR_S = 3600
DAY_S = 24 * HOUR_S
UNLIMITED = Limits(max_age_s=1e4 * DAY_S, max_bytes=2**40)
OURS = ProcessRecord("ours", 1, MORNING, "shop", None, None, "{}")
SERIES = SeriesRecord("tta_observe", CACHE_HITS.name, COUNTER, "{hit}", MORNING, "", "{}")


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(name="connection")
def _connection(path):
    connection = open_for_writing(path, Patience(5))
    yield connection
    connection.close()


def filled(path, points, *, spans=(), heard_s=0, process=OURS, series=SERIES):
    """Write a counter that stood at *value* after *seconds*, for each pair in *points*, and spans of these seconds."""
    store = Store(path, Patience(5), UNLIMITED)
    records = Records(
        process,
        tuple(_span(second) for second in spans),
        tuple(PointRecord(series, MORNING + int(second * SECOND), value) for second, value in points),
    )
    store._tidied_ns = MORNING + heard_s * SECOND  # nothing is tidied but what the test tidies
    store.write(records, MORNING + heard_s * SECOND, Patience(5))
    store.close()


def _span(second):
    start_ns = MORNING + int(second * SECOND)
    return SpanRecord(
        f"{start_ns:032x}", "1" * 16, None, "s", "INTERNAL", start_ns, 1, "UNSET", None, None, "", "x" * 500, "[]", "[]"
    )


def tidied(connection, now_s, limits=UNLIMITED):
    """Tidy everything that is due after *now_s* seconds."""
    assert tidy(connection, limits, MORNING + now_s * SECOND, Patience(30))


def seconds(connection):
    """When the points are that are left, in seconds."""
    return [
        (ns - MORNING) / SECOND for (ns,) in connection.execute("SELECT time_ns FROM points ORDER BY series, time_ns")
    ]


def increase(path, start_s, end_s):
    """What the counter rose by after *start_s*, up to *end_s*."""
    window = Window(MORNING + int(start_s * SECOND), MORNING + int(end_s * SECOND))
    with StoreReader(path) as reader:
        return sum(increases(reader, CACHE_HITS, window, lambda _: "all").values())


def test_last_ten_minutes_are_left_as_they_are(path, connection):
    """
    Whoever looks at a graph now sees every second of it.
    """
    filled(path, [(second, second) for second in range(600)])
    tidied(connection, 600)

    assert list(range(600)) == seconds(connection)


def test_older_points_are_thinned_out_to_ten_seconds(path, connection):
    """
    A day of 1,500 series would be 130 million points. The last of ten seconds is kept, and the first of all: the birth.
    """
    filled(path, [(second + 0.5, second) for second in range(100)])
    tidied(connection, 700)

    assert [0.5, *(second + 0.5 for second in range(9, 100, 10))] == seconds(connection)


def test_after_six_hours_one_a_minute_is_left(path, connection):
    """
    The shape of yesterday is enough.
    """
    filled(path, [(second + 0.5, second) for second in range(200)])
    tidied(connection, 6 * HOUR_S + 240)

    assert [0.5, 59.5, 119.5, 179.5, 199.5] == seconds(connection)


def test_thinning_goes_on_where_it_stopped(path, connection):
    """
    The work of a minute is done once, not again each minute for seven days.
    """
    filled(path, [(second + 0.5, second) for second in range(40)])
    tidied(connection, 600 + 20)
    assert 2 + 20 + 1 == len(seconds(connection))
    tidied(connection, 600 + 40)

    assert [0.5, 9.5, 19.5, 29.5, 39.5] == seconds(connection)


def test_step_that_is_not_over_is_left_alone(path, connection):
    """
    Its last point is not yet known.
    """
    filled(path, [(second + 0.5, second) for second in range(15)])
    tidied(connection, 600 + 15)

    assert [0.5, 9.5, 10.5, 11.5, 12.5, 13.5, 14.5] == seconds(connection)


def test_two_writers_share_the_work(path, connection):
    """
    Each takes a few series at a time and leaves the rest: nobody waits long for the lock.
    """
    for number in range(40):
        series = SERIES._replace(labels=f'{{"cache.type":"{number}"}}')
        filled(path, [(second + 0.5, second) for second in range(10)], series=series)
    other = open_for_writing(path, Patience(5))
    unfinished = [tidy(each, UNLIMITED, MORNING + 700 * SECOND, Patience(0)) for each in (connection, other)]
    left = len(seconds(connection))
    tidied(other, 700)
    other.close()

    assert [False, False] == unfinished
    assert 40 * 2 < left < 40 * 10
    assert 40 * 2 == len(seconds(connection))


def test_lock_of_another_process_is_not_broken(path, connection):
    """
    Tidying is never urgent.
    """
    filled(path, [(0.5, 1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        tidy(connection, UNLIMITED, MORNING + 700 * SECOND, Patience(0.05))
    other.close()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.integers(0, 9)), min_size=1, max_size=60),
    st.lists(st.integers(0, 40_000), max_size=4),
    st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_thinning_changes_no_increase_between_whole_minutes(steps, tidied_at, window):
    """
    The count of yesterday must not depend on when the store was tidied, nor how often.
    """
    second, value, points = 0.0, 0, [(0.0, 0)]
    for pause, rise in steps:
        second, value = second + pause, value + rise
        points.append((second, value))
    start_s, end_s = (minute * 60 for minute in sorted(window))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        filled(path, points)
        before = increase(path, start_s, end_s)
        connection = open_for_writing(path, Patience(5))
        for now_s in sorted(tidied_at):
            tidied(connection, now_s)
        connection.close()

        assert before == increase(path, start_s, end_s)
        assert value == increase(path, -1, 1e6)


def test_what_is_older_than_seven_days_is_deleted(path, connection):
    """
    Nobody asks about it, and someone may have promised that it is gone.
    """
    filled(path, [(0, 0), (1, 1)], spans=[0, 1])
    tidied(connection, 7 * DAY_S + 10, Limits())

    for table in ("spans", "points", "series", "processes"):
        assert (table, 0) == (table, *connection.execute(f"SELECT count(*) FROM {table}").fetchone())


def test_what_is_younger_is_kept(path, connection):
    """
    Seven days mean seven days.
    """
    filled(path, [(0, 0), (7 * DAY_S, 1)], spans=[0, DAY_S], heard_s=7 * DAY_S)
    tidied(connection, 7 * DAY_S + 10, Limits())

    assert [(MORNING + DAY_S * SECOND,)] == connection.execute("SELECT start_ns FROM spans").fetchall()


def test_old_points_leave_what_the_counter_stood_at(path, connection):
    """
    A service that runs for a month: without it, the first window after would count the whole month.
    """
    filled(path, [(0, 0), (DAY_S, 1000), (2 * DAY_S, 2000), (9 * DAY_S, 2005)], heard_s=9 * DAY_S)
    tidied(connection, 9 * DAY_S + 10, Limits())

    assert [2 * DAY_S, 9 * DAY_S] == seconds(connection)
    assert 5 == increase(path, 8 * DAY_S, 10 * DAY_S)
    assert 5 == increase(path, DAY_S, 10 * DAY_S)


def test_idle_process_keeps_its_counters(path, connection):
    """
    It beats, so it may count on tomorrow, from what it stood at.
    """
    filled(path, [(0, 0), (1, 500)], heard_s=9 * DAY_S)
    tidied(connection, 9 * DAY_S, Limits())

    assert [1] == seconds(connection)


def test_store_that_is_too_big_loses_its_oldest_rows(path, connection):
    """
    The disk of a laptop is not ours. What is left is the newest.
    """
    filled(path, [(second, second) for second in range(0, 2000, 10)], spans=range(2000), heard_s=2000)
    limit = used_bytes(connection) // 2
    tidied(connection, 2000, Limits(max_bytes=limit))
    kept = [start_ns for (start_ns,) in connection.execute("SELECT start_ns FROM spans ORDER BY start_ns")]

    assert used_bytes(connection) <= limit
    assert 600 < len(kept) < 1100
    assert [MORNING + second * SECOND for second in range(2000 - len(kept), 2000)] == kept
    assert 1990 == seconds(connection)[-1]


def test_burst_that_is_too_big_loses_its_oldest_rows(path, connection):
    """
    A runaway loop fills the store within a second: age alone would tell nothing.
    """
    filled(path, [], spans=[second / 4000 for second in range(2000)], heard_s=1)
    limit = used_bytes(connection) // 2
    tidied(connection, 1, Limits(max_bytes=limit))

    assert used_bytes(connection) <= limit


def test_deleted_rows_give_their_space_back(path, connection):
    """
    A limit that the file does not keep is no limit.
    """
    filled(path, [], spans=range(20_000))
    before = path.stat().st_size
    tidied(connection, 7 * DAY_S + 20_000, Limits())
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert path.stat().st_size < before / 4


def test_impatient_shrinking_goes_on_next_time(path, connection):
    """
    A write waits 0.2 s for the tidying, not for the deletion of half a gigabyte.
    """
    filled(path, [], spans=range(12_000), heard_s=12_000)
    limits = Limits(max_bytes=used_bytes(connection) // 2)
    left = 12_000
    calls = 0
    while not tidy(connection, limits, MORNING + 12_000 * SECOND, Patience(0)):
        calls += 1
        ((now_left,),) = connection.execute("SELECT count(*) FROM spans").fetchall()
        assert now_left <= left
        left = now_left
        assert 30 > calls

    assert used_bytes(connection) <= limits.max_bytes
