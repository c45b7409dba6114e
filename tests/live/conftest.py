"""Servers that many tests share, and their logs when one fails."""

from __future__ import annotations

import pytest
from live import history, processes, script
from live.servers import debian, newer, serving
from live.ways import WAYS

VERSIONS = {"debian": debian, "newer": newer}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Put the end of each running program's log into the report of a test that failed."""
    report = yield
    if report.failed:
        report.sections += [(name, program.last_words()) for name, program in processes.RUNNING.items()]
    return report


@pytest.fixture(scope="session", params=["scrape", "scrape_newer", "otlp", "remote_write"])
def world(request, tmp_path_factory):
    """The workload has been played, and its figures have arrived by one of the ways."""
    with WAYS[request.param]("workload.py", tmp_path_factory.mktemp(request.param) / "world") as found:
        yield found


@pytest.fixture(scope="session", params=VERSIONS)
def past_server(request, tmp_path_factory):
    """A Prometheus that was there while hours went by; with it, when they ended."""
    programs, directory = VERSIONS[request.param](), tmp_path_factory.mktemp(request.param) / "history"
    ended = history.some_hours_ago()
    history.written(programs.promtool, ended, directory)
    with serving(programs, "", directory, "--storage.tsdb.retention.time=30d") as server:
        yield server, ended


@pytest.fixture(scope="session")
def played_at(world):
    """When everything that was played had arrived."""
    return world.complete(script.BUSY)
