import os
import sqlite3
import subprocess
import sys

import pytest

from tta_observe.local import schema
from tta_observe.local.errors import StoreError, StoreMissing, StoreRefused
from tta_observe.local.schema import APPLICATION_ID, VERSION, open_for_reading, open_for_writing
from tta_observe.local.transactions import Patience

OPENERS = [lambda path: open_for_writing(path, Patience(1)), open_for_reading]


def pragma(connection, name):
    """One setting of the file."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "store" / "store.db"


@pytest.fixture(name="made")
def _made(path):
    """
    A store that is there, and not open.
    """
    open_for_writing(path, Patience(1)).close()
    return path


def contents(path):
    """Every file of a directory, byte by byte."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_new_store_says_what_it_is(path):
    """
    A later version, and any other program, can tell it from a stranger's file.
    """
    connection = open_for_writing(path, Patience(1))
    found = {
        name: pragma(connection, name) for name in ("application_id", "user_version", "journal_mode", "auto_vacuum")
    }
    connection.close()

    assert {"application_id": APPLICATION_ID, "user_version": VERSION, "journal_mode": "wal", "auto_vacuum": 2} == found


def test_store_is_opened_again(made):
    """
    What was measured yesterday stays.
    """
    connection = open_for_writing(made, Patience(1))
    connection.execute("INSERT INTO upkeep (task) VALUES ('x')")
    connection.close()
    connection = open_for_writing(made, Patience(1))

    assert [("x",)] == connection.execute("SELECT task FROM upkeep").fetchall()
    connection.close()


def test_files_beside_it_are_private_too(path):
    """
    The newest data are in the WAL.
    """
    before = os.umask(0o022)
    connection = open_for_writing(path, Patience(1))
    os.umask(before)
    connection.execute("INSERT INTO upkeep (task) VALUES ('x')")

    assert {"store.db", "store.db-wal", "store.db-shm"} == {file.name for file in path.parent.iterdir()}
    assert {0o600} == {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    connection.close()


def test_file_of_an_older_version_is_brought_up_to_date(made, monkeypatch):
    """
    An upgrade of the package must not cost the data of last week.
    """
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE notes (note)",)))
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    connection = open_for_writing(made, Patience(1))

    assert [] == connection.execute("SELECT note FROM notes").fetchall()
    assert VERSION + 1 == pragma(connection, "user_version")
    connection.close()


@pytest.mark.parametrize("opened", OPENERS)
def test_newer_version_is_refused(made, opened):
    """
    Two virtual environments on one machine may have two versions of the package.
    """
    connection = sqlite3.connect(made)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = contents(made)
    with pytest.raises(StoreRefused, match=f"has version {VERSION + 1} of the store, this package knows {VERSION}"):
        opened(made)

    assert before == contents(made)


@pytest.mark.parametrize("garbage", [b"x", b"hello\n" * 1000, b"SQLite format 3\0", os.urandom(8192)])
@pytest.mark.parametrize("opened", OPENERS)
def test_garbage_is_refused_and_kept(tmp_path, garbage, opened):
    """
    ``--store thesis.docx`` must not be the end of a thesis.
    """
    path = tmp_path / "thesis.docx"
    path.write_bytes(garbage)
    with pytest.raises(StoreError, match=r"thesis.docx"):
        opened(path)

    assert {"thesis.docx": garbage} == contents(path)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
@pytest.mark.parametrize("opened", OPENERS)
def test_database_of_another_program_is_refused_and_kept(tmp_path, journal, opened):
    """
    A browser's history is a SQLite file as well.
    """
    path = tmp_path / "places.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("CREATE TABLE places (url)")
    connection.close()
    before = contents(path)
    with pytest.raises(StoreRefused, match=r"of another program\. It was left as it is"):
        opened(path)

    assert before == contents(path)


def test_database_of_another_program_that_runs_is_refused(tmp_path):
    """
    The same while its owner writes to it: his WAL is not ours to tidy up.
    """
    path = tmp_path / "places.sqlite"
    owner = sqlite3.connect(path)
    owner.execute("PRAGMA journal_mode = WAL")
    owner.execute("CREATE TABLE places (url)")
    for opened in OPENERS:
        with pytest.raises(StoreRefused, match="of another program"):
            opened(path)

    assert [] == owner.execute("SELECT * FROM places").fetchall()
    owner.close()


def test_reading_what_is_not_there_makes_nothing(path):
    """
    A report that is asked first must not leave an empty store behind.
    """
    with pytest.raises(StoreMissing, match=r"There is no store at .* Run a program"):
        open_for_reading(path)

    assert not path.parent.exists()


def test_reading_an_empty_file_is_the_same(tmp_path):
    """
    Between the making of the file and its first table another process may look.
    """
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreMissing, match="Nothing was written"):
        open_for_reading(tmp_path / "store.db")


def test_reading_adds_no_file(made):
    """
    Whoever may only read a directory can still read the store in it, and a copy stays one file.
    """
    before = contents(made)
    open_for_reading(made).close()

    assert before == contents(made)


def test_reader_cannot_write(made):
    """
    A question never changes the answer.
    """
    connection = open_for_reading(made)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM spans")
    connection.close()


def test_path_that_cannot_be_looked_at_is_an_error(tmp_path):
    """
    A file in place of a directory, or a directory of somebody else, is no empty store.
    """
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be read") as caught:
        open_for_reading(tmp_path / "file" / "store.db")

    assert not isinstance(caught.value, StoreMissing)


def test_directory_is_no_store(tmp_path):
    """
    ``--store .`` gets an answer, not a traceback.
    """
    with pytest.raises(StoreError, match="cannot be read: "):
        open_for_reading(tmp_path)


def test_network_file_system_gets_no_wal(path, monkeypatch):
    """
    The shared memory of a WAL is not shared between machines.
    """
    monkeypatch.setattr(schema, "on_network", lambda _: True)
    connection = open_for_writing(path, Patience(1))
    connection.execute("INSERT INTO upkeep (task) VALUES ('x')")

    assert "truncate" == pragma(connection, "journal_mode")
    assert {"store.db", "store.db-journal"} == {file.name for file in path.parent.iterdir()}
    reader = open_for_reading(path)
    assert [("x",)] == reader.execute("SELECT task FROM upkeep").fetchall()
    reader.close()
    connection.close()


def test_reader_gives_up_in_time_as_well(path, monkeypatch):
    """
    Without a WAL a stuck writer blocks readers; a report says so instead of hanging.
    """
    monkeypatch.setattr(schema, "on_network", lambda _: True)
    monkeypatch.setattr(schema, "_READING_S", 0.05)
    writer = open_for_writing(path, Patience(1))
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="cannot be read: database is locked"):
        open_for_reading(path)
    writer.close()


def test_locked_file_is_given_up_in_time(path):
    """
    A stuck process must not hold up the start of all others.
    """
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        open_for_writing(path, Patience(0.1))
    other.close()


def test_percent_and_question_mark_are_part_of_a_name(tmp_path):
    """
    SQLite takes the path as a URI.
    """
    path = tmp_path / "100% sure? #1" / "store.db"
    open_for_writing(path, Patience(1)).close()

    assert path.stat().st_size


_OPEN = """
import sys
from pathlib import Path
from tta_observe.local.schema import open_for_writing
from tta_observe.local.transactions import Patience, patiently
sys.stdin.readline()
for name in sys.argv[1:]:
    connection = open_for_writing(Path(name), Patience(20))
    patiently(connection, "SELECT * FROM spans", Patience(20)).fetchall()
    connection.close()
"""


def test_processes_that_start_at_once_make_one_store(tmp_path):
    """
    A web server starts its workers in the same millisecond.
    """
    paths = [str(tmp_path / f"{i}" / "store.db") for i in range(10)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, *paths], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()

    assert [("", 0)] * 4 == [(worker.communicate()[1], worker.returncode) for worker in workers]
