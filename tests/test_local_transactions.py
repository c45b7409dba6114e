import sqlite3
import threading
import time

import pytest

from tta_observe.local.transactions import Patience, patiently, primary_code, transaction


@pytest.fixture(name="connections")
def _connections(tmp_path):
    """
    Two connections to one file, in two processes as far as SQLite's locks are concerned.
    """
    made = [
        sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0, check_same_thread=False) for _ in range(2)
    ]
    made[0].execute("CREATE TABLE numbers (number)")
    yield made
    for connection in made:
        connection.close()


def numbers(connection):
    """What is committed."""
    return [number for (number,) in connection.execute("SELECT number FROM numbers")]


def test_all_is_committed(connections):
    """
    A batch is there when the exporter says so.
    """
    ours, theirs = connections
    with transaction(ours, Patience(1)):
        ours.execute("INSERT INTO numbers VALUES (1)")

    assert [1] == numbers(theirs)


def test_nothing_is_committed_of_what_failed(connections):
    """
    A batch that is sent again must not be half there already.
    """
    ours, theirs = connections

    def half_of_it():
        with transaction(ours, Patience(1)):
            ours.execute("INSERT INTO numbers VALUES (1)")
            ours.execute("INSERT INTO absent VALUES (1)")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        half_of_it()

    assert [] == numbers(theirs)
    assert not ours.in_transaction


def test_waits_for_the_lock(connections):
    """
    Several processes write to one store every second.
    """
    ours, theirs = connections
    theirs.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.1, theirs.execute, ["COMMIT"])
    release.start()
    with transaction(ours, Patience(5)):
        ours.execute("INSERT INTO numbers VALUES (1)")
    release.join()

    assert [1] == numbers(ours)


def test_gives_up_in_time(connections):
    """
    An exit waits two seconds for telemetry, not for a stuck neighbour.
    """
    ours, theirs = connections
    theirs.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked") as caught, transaction(ours, Patience(0.1)):
        pytest.fail("not reached")

    assert sqlite3.SQLITE_BUSY == primary_code(caught.value)
    assert 0.1 <= time.monotonic() - started < 2


def test_waits_for_readers_at_the_end(connections):
    """
    Without a WAL a commit needs the file for itself; a report that reads must not lose us the batch.
    """
    ours, theirs = connections
    theirs.execute("BEGIN")
    assert [] == numbers(theirs)
    release = threading.Timer(0.1, theirs.execute, ["COMMIT"])
    release.start()
    with transaction(ours, Patience(5)):
        ours.execute("INSERT INTO numbers VALUES (1)")
    release.join()

    assert [1] == numbers(theirs)


def test_hurry_ends_the_waiting(connections):
    """
    close() must not wait as long as the send that it interrupts.
    """
    ours, theirs = connections
    theirs.execute("BEGIN IMMEDIATE")
    hurry = threading.Event()
    threading.Timer(0.05, hurry.set).start()
    started = time.monotonic()
    with pytest.raises(sqlite3.OperationalError):
        patiently(ours, "BEGIN IMMEDIATE", Patience(60, hurry))

    assert 5 > time.monotonic() - started


def test_other_errors_are_not_waited_for(connections):
    """
    A wrong statement does not get better.
    """
    with pytest.raises(sqlite3.OperationalError, match="syntax error"):
        patiently(connections[0], "NONSENSE", Patience(60))


def test_error_of_the_module_has_no_code():
    """
    Python's own sqlite3 module raises some errors by itself.
    """
    assert 0 == primary_code(sqlite3.ProgrammingError("Cannot operate on a closed database."))
