"""Set-up under every circumstance: twice, by many, beside others, with nonsense in the environment."""

from __future__ import annotations

import json

from findings import Findings
from scorecard import row

BAD_VARIABLES = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": "abc",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon",
    "OTEL_EXPORTER_OTLP_HEADERS": "no equals sign",
    "OTEL_BSP_MAX_QUEUE_SIZE": "0",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9999",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1",
    "OTEL_METRIC_EXPORT_INTERVAL": "0",
    "OTEL_METRICS_EXEMPLAR_FILTER": "sometimes",
    "OTEL_TRACES_SAMPLER": "coin",
    "OTEL_RESOURCE_ATTRIBUTES": "no equals sign",
    "OTEL_TRACES_EXPORTER": "stone-tablet",
    "TTA_OBSERVE_EXPORTER": "nowhere",
}

FAULTS = ("fd limit", "thread", "read-only home", "closed stderr", "broken handler", "clock")


@row(
    "R27",
    "configure() by 8 threads, twice, beside a foreign provider, after decorating",
    "1 pipeline, 0 warnings, foreign untouched",
)
def many_setups(bench):
    findings = Findings()
    for way in ("racing", "twice", "foreign", "early"):
        with bench.collecting() as collector:
            ended = bench.run("setups", way, endpoint=collector.endpoint, deadline_s=40)
            ids = collector.span_ids()
        findings.ended_well(ended)
        findings.same(f"{way}: what went wrong", [], ended.said.get("problems", "it did not finish"))
        findings.same(f"{way}: spans", ended.said.get("spans"), len(ids))
    return findings


@row(
    "R28",
    "Faults: 13 bad variables, no descriptors, no threads, read-only home, closed stderr, clock set back 5 s, proxy",
    "0 raises, ≤ 1 line each, duration ≥ 0",
)
def faults(bench):
    findings = Findings()
    for variable, value in BAD_VARIABLES.items():
        with bench.collecting() as collector:
            ended = bench.run("faulty", "none", endpoint=collector.endpoint, env={variable: value})
        _judge(findings, variable, ended)
    for fault in FAULTS:
        with bench.collecting() as collector:
            ended = bench.run("faulty", fault, endpoint=None if fault == "read-only home" else collector.endpoint)
            spans = [span for _, span in collector.spans()]
        _judge(findings, fault, ended)
        backwards = [span.name for span in spans if span.end_time_unix_nano < span.start_time_unix_nano]
        findings.same(f"{fault}: negative durations", [], backwards)
    _behind_a_proxy(findings, bench)
    return findings


def _judge(findings, what, ended):
    findings.holds(f"{what}: no hang", not ended.hung)
    findings.same(f"{what}: exit code", 0, ended.code)
    findings.same(f"{what}: result", "42", json.dumps(ended.said.get("result")))
    lines = len(ended.err.splitlines())
    if lines > 1:
        findings.same(f"{what}: lines", "at most 1", ended.err)
    findings.same(f"{what}: tracebacks", 0, ended.err.count("Traceback"))


def _behind_a_proxy(findings, bench):
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"), "http://127.0.0.1:9")
    with bench.collecting() as collector:
        ended = bench.run("faulty", "none", endpoint=collector.endpoint, env=proxies)
        findings.same("behind a proxy: spans", ended.said.get("spans"), len(collector.span_ids()))
    _judge(findings, "behind a proxy", ended)
