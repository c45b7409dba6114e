import threading

import pytest
from local_store import App

from tta_observe.local.errors import StoreError, StoreMissing
from tta_observe.local.reader import StoreReader

COUNT = "SELECT count(*) FROM spans"


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(name="app")
def _app(path):
    app = App(path)
    yield app
    app.exporter.close()


def test_sees_what_was_committed(app):
    """
    A report that is typed while the program runs shows what ran so far.
    """
    app.span("a", {}, start_ns=app.now_ns)
    app.tick()
    with app.reader() as reader:
        assert [(1,)] == reader.rows(COUNT)


def test_one_look_is_one_moment(app):
    """
    The total of one panel and the parts of the next must add up.
    """
    app.tick()
    with app.reader() as reader:
        app.span("a", {}, start_ns=app.now_ns)
        app.tick()

        assert [(0,)] == reader.rows(COUNT)
    with app.reader() as reader:
        assert [(1,)] == reader.rows(COUNT)


def test_reading_while_writing_disturbs_nobody(app):
    """
    Neither the program nor the page that refreshes every second may wait for the other.
    """
    app.tick()
    done = threading.Event()
    seen = []

    def look():
        while not done.is_set():
            with app.reader() as reader:
                seen.append(reader.rows(COUNT)[0][0])

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(100):
        app.span("a", {}, start_ns=app.now_ns)
        app.tick()
    done.set()
    thread.join()

    assert sorted(seen) == seen
    with app.reader() as reader:
        assert [(100,)] == reader.rows(COUNT)


def test_nothing_is_there_yet(path):
    """
    The first thing a new user types is ``tta-observe report``.
    """
    with pytest.raises(StoreMissing):
        StoreReader(path)


def test_damaged_file_is_an_error_that_names_it(app, path):
    """
    A disk that lies is no reason for a traceback.
    """
    for _ in range(300):
        app.span("a", {"text": "x" * 500}, start_ns=app.now_ns)
    app.tick()
    app.exporter.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 200_000)
    with pytest.raises(StoreError, match=f"{path} cannot be read"), StoreReader(path) as reader:
        reader.rows("SELECT max(attributes) FROM spans")


def test_closing_twice_is_fine(app):
    """
    A page may close what its request has closed already.
    """
    app.tick()
    reader = app.reader()
    reader.close()
    reader.close()
