"""The configuration files that users get are taken by the programs that they are for."""

from __future__ import annotations

import subprocess

import pytest
from live.servers import ROOT, debian, newer, otelcol
from live.ways import collector_by_remote_write, text, uncommented

COLLECTORS = sorted(
    str(file.relative_to(ROOT))
    for file in (ROOT / "examples" / "stack").rglob("*.yaml")
    if "\nreceivers:" in file.read_text(encoding="utf-8") and file.name != "jaeger.yaml"
)
"""Configurations of collectors. Jaeger's is one, too, but of a collector with components of its own."""


def taken(*command):
    """Run a check; returns its complaints, of which there should be none."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


@pytest.mark.parametrize("programs", [debian, newer])
def test_scrape_config_is_taken(programs):
    """
    It is promised for the oldest Prometheus that is supported as well as for the newest.
    """
    assert "" == taken(programs().promtool, "check", "config", ROOT / "prometheus" / "prometheus.yml")


@pytest.mark.parametrize("programs", [debian, newer])
def test_scrape_config_with_its_alternative_is_taken(programs, tmp_path):
    """
    What is commented out is not read by anything until somebody needs it.
    """
    config = tmp_path / "prometheus.yml"
    config.write_text(uncommented(text("prometheus/prometheus.yml"), "metric_relabel_configs:"), encoding="utf-8")

    assert "" == taken(programs().promtool, "check", "config", config)


def test_prometheus_of_the_stack_is_taken():
    """
    It is for the Prometheus in the compose file, and finds the rules by a path relative to itself.
    """
    config = ROOT / "examples" / "stack" / "prometheus.yaml"
    ended = subprocess.run([newer().promtool, "check", "config", config], capture_output=True, text=True, timeout=60)

    assert 0 == ended.returncode, ended.stderr
    assert "2 rule files found" in ended.stdout


def test_collectors_are_found():
    """
    A check of no file passes.
    """
    assert {"examples/stack/otel-collector.yaml", "examples/stack/scale/gateway.yaml"} < set(COLLECTORS)


@pytest.mark.parametrize("path", COLLECTORS)
def test_collector_config_is_taken(path):
    """
    A collector that does not start takes all telemetry with it, and names of components change between versions.
    """
    assert "" == taken(otelcol(), "validate", f"--config={ROOT / path}")


def test_collector_config_with_its_alternative_is_taken(tmp_path):
    """
    Remote write, for Prometheus before 3.6.
    """
    config = tmp_path / "otel-collector.yaml"
    config.write_text(collector_by_remote_write(), encoding="utf-8")

    assert "" == taken(otelcol(), "validate", f"--config={config}")
