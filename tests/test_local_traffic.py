import pytest
from local_store import SECOND, App

from tta_observe.instruments import ACTIVE_WORKFLOWS
from tta_observe.local.rows import Window
from tta_observe.local.traffic import traffic_seconds


@pytest.fixture(name="app")
def _app(tmp_path):
    app = App(tmp_path / "store.db")
    app.tick(0)
    yield app
    app.exporter.close()


def busy(app, start_s=-3600.0, end_s=7200.0):
    """How many seconds saw traffic between these two, counted from the start of the program."""
    with app.reader() as reader:
        return traffic_seconds(reader, Window(app.start_ns + int(start_s * SECOND), app.start_ns + int(end_s * SECOND)))


def ran(app, seconds, step_s=1):
    """Execute something every *step_s* seconds."""
    for _ in range(seconds // step_s):
        app.run()
        app.tick(step_s)


def test_demo_lasts_as_long_as_it_runs(app):
    """
    Forty executions in eight seconds are five a second, not forty an hour.
    """
    ran(app, 8)

    assert 8 == busy(app)


def test_idle_minutes_do_not_count(app):
    """
    A service that ran for five minutes of the hour is as fast as it was in these five.
    """
    ran(app, 300)
    app.tick(3300)
    app.run()
    app.tick()

    assert 310 == busy(app)


def test_short_pauses_count(app):
    """
    A request every minute is a sixtieth a second, however short each of them is.
    """
    ran(app, 1200, 60)

    assert 1200 == busy(app)


def test_service_that_ran_before_the_window(app):
    """
    In the middle of steady traffic the whole window is traffic.
    """
    ran(app, 100)

    assert 50 == busy(app, 40, 90)


def test_single_execution_after_a_long_pause_takes_ten_seconds(app):
    """
    One call within an hour must not be reported as one a second, nor its cost as so much a second.
    """
    ran(app, 5)
    app.tick(3000)
    app.run()
    app.tick()

    assert 10 == busy(app, 100, 4000)


def test_long_execution_counts_from_its_start(app):
    """
    A workflow of a minute says nothing while it runs but that it runs.
    """
    app.tick(1000)
    app.record(ACTIVE_WORKFLOWS, 1, {})
    app.tick()
    app.tick(60)
    app.run("research", "workflow")
    app.record(ACTIVE_WORKFLOWS, -1, {})
    app.tick()

    assert 10 + 61 == busy(app)


def test_instant_counts_as_a_second(app):
    """
    Nothing is divided by zero, and a test of a millisecond is not a thousand a second.
    """
    app.run()
    app.tick(0.01)

    assert 1 == busy(app)


def test_nothing_ran(app):
    """
    A service that only waits has no traffic.
    """
    app.tick(60)

    assert 0 == busy(app)
