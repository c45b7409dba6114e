import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tta_observe.local.records import COUNTER, PointRecord, ProcessRecord, Records, SeriesRecord, SpanRecord
from tta_observe.local.store import HEARTBEAT_NS, Store
from tta_observe.local.transactions import Patience
from tta_observe.local.upkeep import Limits

NOW = 1_800_000_000_000_000_000
OURS = ProcessRecord("ours", 1, NOW, "shop", None, None, "{}")
SERIES = SeriesRecord("tta_observe", "cache.hits", COUNTER, "{hit}", NOW, "", "{}")


def span(number):
    """A span that can be told from others by *number*."""
    return SpanRecord(
        f"{number:032x}", f"{number:016x}", None, "s", "INTERNAL", NOW, 1, "UNSET", None, None, "", "{}", "[]", "[]"
    )


def point(value, at_s=0, series=SERIES):
    """What *series* stands at after *at_s* seconds."""
    return PointRecord(series, NOW + at_s * 1_000_000_000, value)


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(name="store")
def _store(path):
    store = Store(path, Patience(5))
    yield store
    store.close()


def rows(path, sql):
    """What another process would see."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return connection.execute(sql).fetchall()


def write(store, *, spans=(), points=(), at_ns=NOW, process=OURS):
    """Commit."""
    store.write(Records(process, tuple(spans), tuple(points)), at_ns, Patience(5))


def test_span_that_is_there_already_is_left_as_it_is(store, path):
    """
    A batch whose acknowledgement was lost is sent again.
    """
    write(store, spans=[span(1), span(2)])
    write(store, spans=[span(2)._replace(name="again"), span(3)])

    assert [("s",)] * 3 == rows(path, "SELECT name FROM spans")


def test_point_is_written_when_it_changed(store, path):
    """
    A program with a thousand series of which two move writes two rows a second.
    """
    for second, value in enumerate([0, 5, 5, 5, 6]):
        write(store, points=[point(value, second)])

    assert [(0,), (5,), (6,)] == rows(path, "SELECT value FROM points ORDER BY time_ns")


def test_whole_numbers_stay_whole(store, path):
    """
    12 tokens, not 12.0; but a cost keeps its fraction.
    """
    write(store, points=[point(12), point(0.25, 1)])

    assert [("integer",), ("real",)] == rows(path, "SELECT typeof(value) FROM points ORDER BY time_ns")


def test_nothing_new_is_not_written(store, path):
    """
    An idle program must not wake the disk every second.
    """
    write(store, points=[point(1)])
    before = path.with_name("store.db-wal").stat().st_mtime_ns, path.with_name("store.db-wal").stat().st_size
    write(store, points=[point(1, 4)], at_ns=NOW + 4_000_000_000)

    assert before == (path.with_name("store.db-wal").stat().st_mtime_ns, path.with_name("store.db-wal").stat().st_size)


def test_heartbeat_comes_without_news(store, path):
    """
    A program that waits for its user is alive.
    """
    write(store)
    write(store, at_ns=NOW + HEARTBEAT_NS - 1)
    assert [(NOW,)] == rows(path, "SELECT heartbeat_ns FROM processes")
    write(store, at_ns=NOW + HEARTBEAT_NS)

    assert [(NOW + HEARTBEAT_NS,)] == rows(path, "SELECT heartbeat_ns FROM processes")


def test_heartbeat_survives_a_clock_that_is_set_back(store, path):
    """
    Clocks are: otherwise the process would be silent for as long as the clock was wrong.
    """
    write(store)
    write(store, at_ns=NOW - 3600 * HEARTBEAT_NS, points=[point(1)])

    assert [(NOW,)] == rows(path, "SELECT heartbeat_ns FROM processes")
    assert [(1,)] == rows(path, "SELECT value FROM points")


def test_failed_write_is_made_good_by_the_next(store, path):
    """
    What the exporter believes to be written decides what it leaves out: nothing is believed before the commit.
    """
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.write(Records(OURS, (span(1),), (point(7),)), NOW, Patience(0.05))
    other.execute("COMMIT")
    other.close()
    write(store, spans=[span(1)], points=[point(7)])

    assert [(7,)] == rows(path, "SELECT value FROM points")
    assert [(1,)] == rows(path, "SELECT count(*) FROM spans")


def test_failure_half_way_leaves_nothing(store, path):
    """
    Half a batch would be counted twice when it is sent again.
    """
    with pytest.raises(sqlite3.Error):
        write(store, spans=[span(1)], points=[point(1), point(object())])

    assert [(0,)] == rows(path, "SELECT count(*) FROM spans")
    write(store, points=[point(1)])
    assert [(1,)] == rows(path, "SELECT value FROM points")


def test_restarted_process_begins_new_series(store, path):
    """
    Its counters start again at 0; in one series that would look like a fall.
    """
    write(store, points=[point(9)])
    write(store, points=[point(2, 60)], process=OURS._replace(started_ns=NOW + 1))

    assert [(2,)] == rows(path, "SELECT count(*) FROM series")


def test_process_that_was_forgotten_introduces_itself_again(store, path):
    """
    A laptop that slept for a week wakes up after another program's retention.
    """
    write(store, points=[point(9)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for table in ("points", "series", "processes"):
            other.execute(f"DELETE FROM {table}")
        other.execute("INSERT INTO processes VALUES (NULL, 'theirs', 1, 1, 'x', NULL, NULL, '{}', 1, 1, NULL)")
    write(store, points=[point(9, 1)], at_ns=NOW + HEARTBEAT_NS)

    assert [("ours", 9)] == rows(
        path,
        "SELECT instance_id, value FROM points JOIN series ON series.id = series"
        " JOIN processes ON processes.id = series.process",
    )


def test_end_is_written_and_taken_back_by_the_next_sign_of_life(store, path):
    """
    After a clean exit nobody waits 15 s; an exporter that is used on after all is alive.
    """
    write(store)
    store.end(OURS, NOW + 1, Patience(1))
    assert [(NOW + 1,)] == rows(path, "SELECT ended_ns FROM processes")
    write(store, spans=[span(1)])

    assert [(None,)] == rows(path, "SELECT ended_ns FROM processes")


def test_deleted_file_is_noticed(store, path):
    """
    Otherwise everything would go to a file that nobody can open any more.
    """
    assert not store.moved
    path.unlink()

    assert store.moved


def test_replaced_file_is_noticed(store, path):
    """
    The same, when another process was faster to make a new one.
    """
    path.rename(path.with_name("old.db"))
    path.touch()

    assert store.moved


def test_full_store_makes_room_while_it_is_written_to(path):
    """
    A runaway loop must not fill the disk before somebody looks.
    """
    store = Store(path, Patience(5), Limits(max_bytes=400_000))
    for batch in range(60):
        spans = [
            span(batch * 50 + i)._replace(start_ns=NOW + batch, attributes='"' + "x" * 300 + '"') for i in range(50)
        ]
        write(store, spans=spans, at_ns=NOW + batch + 1)
    store.close()

    assert 500_000 > path.stat().st_size
    assert [(59 * 50 + 49,)] == [(int(rows(path, "SELECT max(span_id) FROM spans")[0][0], 16),)]


_WRITER = """
import itertools, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from test_local_store import NOW, OURS, Patience, Records, Store, point, span, SERIES
store = Store(Path(sys.argv[1]), Patience(20))
mine = int(sys.argv[2])
series = SERIES._replace(labels='{"writer":%d}' % mine)
for batch in itertools.count() if len(sys.argv) < 5 else range(int(sys.argv[4])):
    spans = tuple(span(mine * 10**9 + batch * 10 + i) for i in range(10))
    records = Records(OURS._replace(instance_id=str(mine)), spans, (point(batch + 1, batch, series),))
    store.write(records, NOW + batch, Patience(20))
    print(batch, flush=True)
store.close()
"""


def writer(path, number, *batches):
    """A process that writes ten spans and a point at a time, and says so after each commit."""
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), str(number), str(here), *map(str, batches)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_was_acknowledged_survives_kill(path):
    """
    The out-of-memory killer asks nobody. What was committed before is what explains it.
    """
    process = writer(path, 1)
    acknowledged = [int(process.stdout.readline()) for _ in range(40)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += map(int, process.communicate()[0].splitlines())
    Store(path, Patience(5)).close()

    batches = len(acknowledged)
    assert list(range(batches)) == acknowledged
    assert [("ok",)] == rows(path, "PRAGMA integrity_check")
    ((spans, distinct),) = rows(path, "SELECT count(*), count(DISTINCT span_id) FROM spans")
    assert spans == distinct
    assert batches * 10 <= spans <= (batches + 1) * 10
    assert [(spans // 10,)] == rows(path, "SELECT max(value) FROM points")


def test_four_processes_write_at_once(path):
    """
    A web server has workers, and a terminal next to it has a script: all of it is one store.
    """
    writers = [writer(path, number, 60) for number in range(4)]

    assert [0] * 4 == [each.wait(60) for each in writers]
    for each in writers:
        each.stdout.close()
    assert [(4 * 600, 4 * 600)] == rows(path, "SELECT count(*), count(DISTINCT trace_id || span_id) FROM spans")
    assert [(60, 60)] * 4 == rows(path, "SELECT max(value), count(*) FROM points GROUP BY series")
    assert [("ok",)] == rows(path, "PRAGMA integrity_check")
