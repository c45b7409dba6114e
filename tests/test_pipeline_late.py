"""An exporter that is made by the worker."""

from __future__ import annotations

import tempfile
import threading
import time

import pytest
from programs import clean

import tta_observe
from tta_observe import configure
from tta_observe._export import Batch, ExportFailed
from tta_observe._pipeline.late import Late
from tta_observe.local import paths
from tta_observe.local.exporters import LocalExporter


def test_store_on_a_disk_that_hangs_holds_nobody_up(monkeypatch, tmp_path):
    """
    Home directories lie on file servers: while one is away a program must start, run and end.
    """
    clean(monkeypatch, tmp_path)
    there = threading.Event()
    monkeypatch.setattr(paths, "prepare", lambda path: there.wait(5))
    begun = time.monotonic()
    configure(exporter="local")
    with tta_observe.primitive("fetch"):
        pass
    started = time.monotonic() - begun
    flushed = tta_observe.flush(0.2)
    ended = tta_observe.shutdown(0.3)
    took = time.monotonic() - begun
    there.set()

    assert (False, False) == (flushed, ended)
    assert started < 0.1
    assert took < 1.0


def test_trouble_is_told_of_the_place_that_is_written_to(monkeypatch, tmp_path, caplog):
    """
    Whoever makes room on the wrong disk has been sent there by us.
    """
    clean(monkeypatch, tmp_path)
    asked = tmp_path / "file" / "store.db"
    asked.parent.touch()

    def full(*_):
        raise ExportFailed("no room", retryable=True)

    monkeypatch.setattr(LocalExporter, "send", full)
    configure(exporter="local", store=asked)
    tta_observe.flush(1.0)
    tta_observe.shutdown(0.1)
    trouble = next(record.getMessage() for record in caplog.records if "no room" in record.message)

    assert str(asked) not in trouble
    assert trouble.startswith("telemetry does not reach " + tempfile.gettempdir())


def test_exporter_is_made_once_and_says_where_it_goes(tmp_path):
    """
    What was asked for may not be what was found: a store that cannot be written lies elsewhere.
    """
    made = []

    def make():
        made.append(LocalExporter(tmp_path / "found.db"))
        return made[-1]

    late = Late("local", "asked.db", make)
    before = late.target, late.dropped, late.close()
    for _ in range(2):
        late.send(late.encode(Batch()), 1.0)
    late.close()

    assert ("asked.db", 0, None) == before
    assert (1, str(tmp_path / "found.db")) == (len(made), late.target)


def test_exporter_that_cannot_be_made_refuses_and_is_tried_again(tmp_path):
    """
    Nothing can be written at the moment: that is a failure to export, counted as any other.
    """
    fates = [OSError("no room"), LocalExporter(tmp_path / "store.db")]

    def make():
        fate = fates.pop(0)
        if isinstance(fate, OSError):
            raise fate
        return fate

    late = Late("local", "store.db", make)
    with pytest.raises(ExportFailed, match="no room"):
        late.encode(Batch())

    assert late.encode(Batch()) is None
    late.close()
