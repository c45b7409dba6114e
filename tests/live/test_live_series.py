"""The series that arrive: their names, their labels and their values."""

from __future__ import annotations

import signal
from contextlib import contextmanager

import pytest
from live import script
from live.processes import substituted
from live.series import totals
from live.servers import debian, labels_of, newer, serving
from live.ways import pushed, scraping, text, uncommented
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from tta_observe.dashboards.rules import suffixed_name
from tta_observe.instruments import INSTRUMENTS, OWN_INSTRUMENTS

OF_THE_TARGET = {"instance", "job", "service_name", "otel_scope_name"}
"""Labels that say where a series comes from; which of them depends on the way."""

BESIDES = {"up", "target_info", "otel_scope_info"} | {spec.prometheus_name for spec in OWN_INSTRUMENTS}
"""Series that tell of the program, not of what it did."""

EXPECTED = totals(script.BUSY, script.OPEN)
NAMES = sorted({name for name, _ in EXPECTED})
PREFIXES = ("agent_", "cache_", "llm_", "primitive_")

LOST = {
    "cache_hits",
    "primitive_connection_count",
    "primitive_execution_count",
    *(f"primitive_execution_duration_{part}" for part in ("bucket", "count", "sum")),
}
"""Names that are others where suffixes are added: four of the instruments, the histogram with its three parts."""


MEASURED = {"primitive_execution_duration_bucket", "primitive_execution_duration_sum"}
"""Series that say how long something took; of ``parse`` the script does not know."""


def known(name):
    """Values of the series *name* by their labels, as the script has them."""
    return {labels: pytest.approx(value, rel=1e-12) for (of, labels), value in EXPECTED.items() if of == name}


def arrived(server, name, at):
    """Values of the series *name* by their labels, without those that tell where it comes from."""
    found = {_own(labels): value for labels, value in server.query(name, at).items()}
    return {
        labels: value
        for labels, value in found.items()
        if not (name in MEASURED and dict(labels)["primitive_name"] == "parse")
    }


def _own(labels):
    own = {key: value for key, value in labels if key not in {"__name__", *OF_THE_TARGET}}
    if "le" in own:
        own["le"] = float(own["le"])  # Prometheus 2 writes 1000, Prometheus 3 writes 1000.0
    return labels_of(own)


@pytest.mark.parametrize("name", NAMES)
def test_every_series_arrives_as_it_was_recorded(world, played_at, name):
    """
    The dashboard, the alerts and other people's queries rely on these names and labels, and on nothing being lost.
    """
    assert known(name) == arrived(world.server, name, played_at)


def test_nothing_else_arrives(world, played_at):
    """
    Every series costs; one that nobody knows of is an accident.
    """
    found = {name for name in world.server.names() if ":" not in name and not name.startswith(("ALERTS", "scrape_"))}

    assert set(NAMES) == found - BESIDES


def test_every_instrument_is_played():
    """
    What the script leaves out would not be proven by any test here.
    """
    histogram = "primitive_execution_duration"
    played = {histogram if name.startswith(histogram) else name for name in NAMES}

    assert {spec.prometheus_name for spec in INSTRUMENTS} == played


def test_default_translation_loses_names_and_the_aliases_bring_them_back(tmp_path):
    """
    The most frequent mistake, and the remedy for those who cannot change their Prometheus: rules/optional.
    """
    directory = tmp_path / "world"
    stack = text("examples/stack/prometheus.yaml")
    config = substituted(
        stack,
        {
            "  translation_strategy: UnderscoreEscapingWithoutSuffixes\n": "",
            "../../prometheus/rules/*.yml": f"{directory}/aliases/*.yml",
        },
    )
    with pushed("workload.py", directory, config) as world:
        world.server.wait_until("primitive_execution_count_total and on () cache_total")
        names = world.server.names()

        assert set(NAMES) - LOST == set(NAMES) & names

        (directory / "aliases").mkdir()
        aliases = substituted(text("prometheus/rules/optional/tta_aliases.yml"), {"interval: 15s": "interval: 1s"})
        (directory / "aliases" / "tta_aliases.yml").write_text(aliases, encoding="utf-8")
        world.server.program.process.send_signal(signal.SIGHUP)
        at = world.complete(script.BUSY)

        assert set(NAMES) <= world.server.names()
        assert {name: known(name) for name in LOST} == {name: arrived(world.server, name, at) for name in LOST}


@pytest.mark.parametrize("programs", [debian, newer])
def test_two_rules_take_the_suffixes_of_other_exporters_away(programs, tmp_path):
    """
    OpenTelemetry's own Prometheus exporter adds them, always; the remedy stands in prometheus.yml, commented out.
    """
    config = uncommented(text("prometheus/prometheus.yml"), "metric_relabel_configs:")
    with suffixed() as address, serving(programs(), scraping(config, address, tmp_path), tmp_path) as server:
        server.wait_until("up == 1")

        found = {name for name in server.names() if name.startswith(PREFIXES) and not name.endswith("_created")}

        assert set(NAMES) == found


@contextmanager
def suffixed():
    """A page of prometheus_client, which that exporter is made of, with all instruments; yields its address."""
    registry = CollectorRegistry()
    for spec in INSTRUMENTS:
        name = suffixed_name(spec)
        {"counter": Counter, "histogram": Histogram, "up_down_counter": Gauge}[spec.kind](name, "", registry=registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
