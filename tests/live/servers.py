"""Prometheus and the OpenTelemetry Collector as the tests need them, and questions to Prometheus."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
from live.processes import free_port, listening, running, wait_for

ROOT = Path(__file__).parents[2]

RANGE = "1h"
"""What Grafana puts in the place of ``$__range`` when the last hour is shown."""

_BUILT_BY = "built by .ci/servers where Go is"
_STEP_S = 15


@dataclass(frozen=True)
class Programs:
    """One version of Prometheus."""

    prometheus: str
    promtool: str
    takes_otlp: bool


@cache
def _built():
    lines = subprocess.check_output([ROOT / ".ci" / "servers", "where"], text=True).splitlines()
    return {name: Path(place) for name, place in (line.split(" ", 1) for line in lines)}


def debian():
    """Prometheus from PATH, the oldest that is supported: 2.42 where Debian 12 is."""
    found = shutil.which("prometheus"), shutil.which("promtool")
    if None in found:
        pytest.skip("needs prometheus")
    return Programs(*found, takes_otlp=False)


def newer():
    """A Prometheus that can translate OTLP without suffixes."""
    place = _built()["prometheus"]
    if not place.is_dir():
        pytest.skip(f"needs Prometheus 3.6 or newer ({_BUILT_BY})")
    return Programs(str(place / "prometheus"), str(place / "promtool"), takes_otlp=True)


def otelcol():
    """The OpenTelemetry Collector."""
    place = _built()["otelcol"]
    if not place.is_dir():
        pytest.skip(f"needs the OpenTelemetry Collector ({_BUILT_BY})")
    return str(place / "otelcol")


class Prometheus:
    """A server that runs, and what can be asked of it. Times are seconds since the epoch."""

    def __init__(self, url, program):
        self.url = url
        self.program = program
        self._client = httpx.Client(base_url=f"{url}/api/v1/", timeout=30, trust_env=False)

    def close(self):
        """Close the connections to it."""
        self._client.close()

    def get(self, path, **parameters):
        """What the HTTP API answers; a query that is refused fails with the server's own words."""
        answer = self._client.get(path, params=parameters).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}\n{parameters}")
        return answer["data"]

    def query(self, promql, at):
        """Value of each series by its labels, at one moment."""
        found = self.get("query", query=in_range(promql), time=f"{at:.3f}")["result"]
        return {labels_of(series["metric"]): float(series["value"][1]) for series in found}

    def at_the_end(self, promql, at):
        """The same, read off the last step of a time series that ends at *at*, as a graph shows it."""
        span = {"start": f"{at - 10 * _STEP_S:.3f}", "end": f"{at:.3f}", "step": _STEP_S}
        found = self.get("query_range", query=in_range(promql), **span)["result"]
        last = [(series["metric"], *series["values"][-1]) for series in found]
        return {labels_of(labels): float(value) for labels, time, value in last if math.isclose(time, at, abs_tol=0.01)}

    def names(self):
        """Names of all series of the last hours."""
        return set(self.get("label/__name__/values"))

    def wait_until(self, promql):
        """Wait until *promql* has an answer now, and return it."""
        return wait_for(lambda: self.query(promql, time.time()), promql)

    def newest(self, name):
        """When the newest sample of the series *name* was taken, or None."""
        found = self.query(f"max(timestamp({name}))", time.time())
        return found.get(())


def in_range(promql):
    """*promql* as Grafana sends it."""
    return promql.replace("$__range", RANGE)


def labels_of(labels):
    """Labels as something to look up by."""
    return tuple(sorted(labels.items()))


def labelled(**labels):
    """The same, written down."""
    return labels_of(labels)


@contextmanager
def serving(programs, config, directory, *flags):
    """A Prometheus with *config*, a text, while the block runs; its data is in *directory*."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "prometheus.yml"
    file.write_text(config, encoding="utf-8")
    with listening(lambda port: _prometheus(programs, file, port, flags)) as server:
        yield server


@contextmanager
def _prometheus(programs, file, port, flags):
    command = [
        programs.prometheus,
        f"--config.file={file}",
        f"--storage.tsdb.path={file.parent / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--web.enable-otlp-receiver" if programs.takes_otlp else "--web.enable-remote-write-receiver",
        *flags,
    ]
    with running("prometheus", command, file.parent) as program:
        program.line_with("Server is ready to receive web requests")
        server = Prometheus(f"http://127.0.0.1:{port}", program)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def collecting(config, directory, environment):
    """A collector with *config*, a text, while the block runs; yields where it takes OTLP over gRPC."""
    program = otelcol()
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "otel-collector.yaml"
    file.write_text(config, encoding="utf-8")
    with listening(lambda port: _collector(program, file, port, environment)) as endpoint:
        yield endpoint


@contextmanager
def _collector(program, file, port, environment):
    variables = {
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{port}",
        "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{free_port()}",
        "HEALTH_ENDPOINT": f"127.0.0.1:{free_port()}",
        **environment,
    }
    with running("otelcol", [program, f"--config={file}"], file.parent, variables) as collector:
        collector.line_with("Everything is ready")
        yield f"http://127.0.0.1:{port}"
