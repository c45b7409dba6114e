"""Secrets put wherever a careless program puts them: not one byte of them leaves."""

from __future__ import annotations

from findings import Findings
from scorecard import row

CANARIES = {
    "argument": "canary-argument-5e1f",
    "result": "canary-result-77a0",
    "prompt": "canary-prompt-9c3d",
    "header": "canary-header-1b2c",
    "variable": "canary-variable-aa41",
    "exception": "sk-proj-canaryException0123456789abcdefghij",
    "keyed attribute": "canary-password-0d0d",
}
"""The exception's has the shape of a secret: its message is kept by default, so the redactor has to know it."""


@row(
    "R31",
    "Canary secrets in arguments, headers, environment, exception, prompt",
    "0 bytes in wire, logs and store",
)
def canaries(bench):
    findings = Findings()
    header = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {CANARIES['header']}",
        "API_KEY": CANARIES["variable"],
    }
    malformed = {"OTEL_EXPORTER_OTLP_HEADERS": f"{CANARIES['header']} without a name", "API_KEY": CANARIES["variable"]}
    with bench.collecting() as collector:
        for exporter, env in (("otlp", header), ("otlp", malformed), ("local", header), ("console", header)):
            ended = bench.run("careless", exporter, *CANARIES.values(), endpoint=collector.endpoint, env=env)
            findings.same(f"{exporter}: exit code", 0, ended.code)
            _search(findings, f"{exporter}: logs", (ended.out + ended.err).encode())
            _search(findings, f"{exporter}: store", b"".join(map(bytes.fromhex, ended.said.get("stored", []))))
        wire = b"".join(request.body for request in collector.requests())
        findings.at_least("bytes on the wire", 1000, len(wire))
        _search(findings, "wire", wire)
    return findings


def _search(findings, where, data):
    findings.same(where, [], [name for name, canary in CANARIES.items() if canary.encode() in data])
