"""What arrives, what is lost, and whether anybody is told."""

from __future__ import annotations

import time

from findings import Findings
from rows_exit import check_ledger
from scorecard import row

MESSAGE_LIMIT = 4 * 2**20
"""Of a gRPC server that says nothing else."""


@row(
    "R6",
    "Outage of 10 s in 40 s at 100 spans/s, killed and restarted",
    "loss ≤ 200 and as the ledger says; resumes ≤ 5 s",
)
def outage(bench):
    findings = Findings()
    with bench.collecting() as collector:
        running = bench.start("steady", 40, 100, endpoint=collector.endpoint, deadline_s=80)
        running.said("ready")
        time.sleep(10)
        collector.kill()
        time.sleep(10)
        collector.start()
        back = time.monotonic()
        ended = running.end()
        ids = collector.span_ids()
        after = [request.arrived - back for request in collector.requests() if request.arrived > back]
    ledger = ended.ledger or {}
    findings.at_most("lost", 200, ended.said.get("calls", 0) - len(set(ids)))
    findings.at_most("resumed after", 5.0, min(after, default=None), "s")
    check_ledger(findings, ended, created=ended.said.get("calls"))
    findings.same("delivered by the ledger", len(set(ids)), ledger.get("exported"))
    findings.same("exit code", 0, ended.code)
    return findings


@row("R8", "Log lines, 60 s down, then up again", "≤ 2 lines, 0 tracebacks, one more on recovery", peers=True)
def log_lines(bench):
    findings = Findings()
    with bench.collecting() as collector:
        collector.kill()
        running = bench.start("steady", 97, 20, endpoint=collector.endpoint, deadline_s=150)
        running.said("ready")
        time.sleep(60)
        down = running.err_so_far()
        collector.start()
        ended = running.end()
    lines = ended.err.splitlines()
    findings.at_most("lines while down", 2, len(down.splitlines()))
    findings.at_most("lines in all", 3, len(lines))
    findings.same("tracebacks", 0, ended.err.count("Traceback"))
    if bench.subject == "ours":
        expected = [
            f"telemetry does not reach 127.0.0.1:{collector.port}",
            f"telemetry reaches 127.0.0.1:{collector.port} again",
        ]
        said = [line[: len(want)] for line, want in zip(lines, expected, strict=False)]
        findings.same("what they say", expected, said)
        check_ledger(findings, ended, created=ended.said.get("calls"))
    return findings


@row(
    "R10",
    "600 spans of 20 kB and one of 10 MB, collector up",
    "601 delivered, ≤ 4 MiB a request",
    peers=True,
    remark="in groups of 100, ten a second: the queue holds 13 MiB",
)
def large_spans(bench):
    findings = Findings()
    with bench.collecting() as collector:
        ended = bench.run("large", "up", endpoint=collector.endpoint, deadline_s=60)
        ids = collector.span_ids()
        sizes = [len(request.body) for request in collector.requests()]
        marked = [span for _, span in collector.spans() if len(span.SerializeToString()) > MESSAGE_LIMIT]
    findings.all_of("delivered", 601, len(set(ids)))
    if bench.protocol == "grpc":  # HTTP has no such limit
        findings.at_most("largest request", MESSAGE_LIMIT, max(sizes, default=None), "bytes")
        findings.same("spans over the limit", 0, len(marked))
    if bench.subject == "ours":
        findings.holds("flush says that all was delivered", ended.said.get("flushed") is True)
        check_ledger(findings, ended, created=601)
    return findings
