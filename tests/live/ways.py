"""The ways from a program into Prometheus, each made of the files that users get."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from live.processes import running, substituted, wait_for
from live.script import Execution
from live.servers import ROOT, Prometheus, collecting, debian, newer, serving
from programs import environment
from receiver import Receiver, receiving

EXECUTIONS = "primitive_execution_count"

_RULES = "prometheus/rules"
_LATER_S = 2
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    """A program under test that has done its work, and waits to be told to end."""

    said: dict
    """What it has to say of itself: where it is scraped, and its traces."""
    done_at: float
    """When its work was done, in seconds since the epoch."""


@dataclass(frozen=True)
class World:
    """A program, the Prometheus that its metrics arrive in, and what its traces arrive at: a stand-in for Jaeger."""

    server: Prometheus
    program: Program
    traces: Receiver

    def trace_ids(self):
        """Identifiers of the traces that have arrived."""
        return {span.trace_id.hex() for _, _, span in self.traces.spans()}

    def complete(self, events):
        """
        Wait until all *events* of the script have arrived; returns when the first samples were taken that know it all.

        The series of one moment may come in several requests, so some later samples have to be there, too.
        """
        executions = sum(event.times for event in events if isinstance(event, Execution))

        def arrived():
            at = self.server.newest(EXECUTIONS)
            complete = at is not None and at > self.program.done_at
            return complete and self.server.query(f"sum({EXECUTIONS})", at) == {(): executions} and at

        at = wait_for(arrived, f"{executions} executions")
        wait_for(lambda: self.server.newest(EXECUTIONS) > at + _LATER_S, "later samples")
        return at


@contextmanager
def scraped(programs, name, directory):
    """Metrics by our ``/metrics`` and prometheus/prometheus.yml; traces by OTLP, with no collector between."""
    with ExitStack() as stack:
        traces = stack.enter_context(receiving())
        exporters = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_TRACES_EXPORTER": "otlp"}
        variables = {**exporters, "OTEL_EXPORTER_PROMETHEUS_PORT": "0", **_over_otlp(traces.endpoint)}
        program = stack.enter_context(started(name, directory, variables))
        config = scraping(text("prometheus/prometheus.yml"), _address(program.said["scraped"][0]), directory)
        yield World(stack.enter_context(serving(programs, config, directory)), program, traces)


def scraping(config, address, directory):
    """*config*, the text of prometheus.yml, for the program at *address*, with everything once a second."""
    faster = {"scrape_interval: 15s": "scrape_interval: 1s", "rules/*.yml": _rules(directory)}
    return substituted(config, {"127.0.0.1:9464": address, **faster})


def pushed(name, directory, config=None):
    """OTLP to the collector of examples/stack, from there by OTLP to its Prometheus, or to one with *config*."""
    return _collected(newer, config or _receiving(directory), _collector(), name, directory)


def rewritten(name, directory):
    """OTLP to the collector of examples/stack, from there by its alternative for older servers, remote write."""
    rules = f"rule_files: [{_rules(directory)}]\n"
    return _collected(debian, rules, collector_by_remote_write(), name, directory)


@contextmanager
def _collected(programs, config, collector, name, directory):
    with ExitStack() as stack:
        server = stack.enter_context(serving(programs(), config, directory))
        traces = stack.enter_context(receiving())
        targets = {"PROMETHEUS_URL": server.url, "TRACES_ENDPOINT": _address(traces.endpoint)}
        endpoint = stack.enter_context(collecting(collector, directory, targets))
        yield World(server, stack.enter_context(started(name, directory, _over_otlp(endpoint))), traces)


@contextmanager
def scaled(name, directory):
    """OTLP to the two tiers of examples/stack/scale, a balancer and a gateway, and on to a Prometheus by OTLP."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(newer(), _receiving(directory), directory))
        traces = stack.enter_context(receiving())
        variables = {"METRICS_URL": f"{server.url}/api/v1/otlp", "TRACES_ENDPOINT": _address(traces.endpoint)}
        for tier in ("gateway", "balancer"):
            collector = collecting(text(f"examples/stack/scale/{tier}.yaml"), directory / tier, variables)
            endpoint = stack.enter_context(collector)
            variables["GATEWAY_HOST"], variables["GATEWAY_PORT"] = _address(endpoint).split(":")
        yield World(server, stack.enter_context(started(name, directory, _over_otlp(endpoint))), traces)


WAYS = {
    "scrape": lambda name, directory: scraped(debian(), name, directory),
    "scrape_newer": lambda name, directory: scraped(newer(), name, directory),
    "otlp": pushed,
    "remote_write": rewritten,
    "scale": scaled,
}
"""Each runs a program, a file here, with its servers in a directory, while a block runs."""


@contextmanager
def started(name, directory, variables):
    """Run the program *name*, a file here, until the block ends; its work is done when the block begins."""
    directory.mkdir(parents=True, exist_ok=True)
    found = environment(directory, PYTHONPATH=str(_HERE.parent), **variables)
    with running(name, [sys.executable, _HERE / name], directory, found) as program:
        yield Program(json.loads(program.line_with('{"scraped"')), time.time())


def _over_otlp(endpoint):
    """What the environment of a program has to say, so that its telemetry goes to *endpoint* every second."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}


def _address(url):
    return url.removeprefix("http://").partition("/")[0]


def _collector():
    return text("examples/stack/otel-collector.yaml")


def collector_by_remote_write():
    """The collector's configuration with what stands in its comments for Prometheus before 3.6."""
    config = uncommented(_collector(), "prometheus_remote_write:")
    return substituted(config, {"exporters: [otlp_http/metrics]": "exporters: [prometheus_remote_write]"})


def _receiving(directory):
    """The configuration of Prometheus in the stack, with the rules once a second."""
    return substituted(text("examples/stack/prometheus.yaml"), {f"../../{_RULES}/*.yml": _rules(directory)})


def _rules(directory):
    """A copy of the rules that are evaluated every second; as what stands under ``rule_files``."""
    copy = directory / "rules"
    copy.mkdir(parents=True, exist_ok=True)
    for file in (ROOT / _RULES).glob("*.yml"):
        faster = substituted(file.read_text(encoding="utf-8"), {"interval: 30s": "interval: 1s"})
        (copy / file.name).write_text(faster, encoding="utf-8")
    return f"{copy}/*.yml"


def text(path):
    """The file *path* of this project."""
    return (ROOT / path).read_text(encoding="utf-8")


def uncommented(config, first):
    """*config* with the commented block that begins with *first* in force."""
    lines = config.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.strip() == f"# {first}")
    block = list(takewhile(lambda line: line.strip().startswith("# "), lines[begin:]))
    lines[begin : begin + len(block)] = [line.replace("# ", "", 1) for line in block]
    return "\n".join([*lines, ""])
