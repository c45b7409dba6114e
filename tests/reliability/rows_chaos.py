"""A minute of everything at once, seeded; the ledger has to be right at every moment of it."""

from __future__ import annotations

import random
import threading

from findings import Findings
from rows_exit import check_ledger
from scorecard import row

EVERY_CODE = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


@row(
    "R7",
    "The ledger through 60 s of chaos, seeded",
    "exact at each snapshot, and equal to what the collector holds",
    remark="delivery is at least once, so spans are counted by their id; R1, R2, R6, R8 to R11 check their ledgers too",
)
def chaos(bench):
    findings = Findings()
    with bench.collecting() as collector:
        running = bench.start(
            "chaotic", bench.seconds, bench.seed, endpoint=collector.endpoint, deadline_s=bench.seconds + 60
        )
        running.said("ready")
        stop = threading.Event()
        trouble = threading.Thread(target=_trouble, args=(collector, bench, stop))
        trouble.start()
        running.said("calm", bench.seconds + 30)
        stop.set()
        trouble.join()
        collector.kill()
        collector.start()
        ended = running.end()
        _judge(findings, ended, collector)
    findings.remark(f"seed {bench.seed}")
    return findings


def _judge(findings, ended, collector):
    said = ended.said
    findings.holds("no hang", not ended.hung)
    findings.same("exit code", 0, ended.code)
    findings.same("tracebacks", 0, ended.err.count("Traceback"))
    findings.same("host problems", [], said.get("problems", "it did not finish"))
    findings.same("snapshots that do not add up", [], said.get("uneven", "it did not finish"))
    findings.at_least("snapshots", 50, said.get("snapshots"))
    check_ledger(findings, ended)
    spans = collector.spans()
    totals = said.get("totals", {})
    held = {span.span_id for resource, span in spans if resource.get("process.pid") == said.get("pid")}
    findings.same("created", said.get("made"), totals.get("created"))
    # A span that is held although the ledger calls it dropped: its acknowledgement was lost on the way.
    findings.same("delivered, and not held", 0, max(0, totals.get("exported", 0) - len(held)))
    findings.at_most(
        "held, and neither delivered nor dropped",
        0,
        max(0, len(held) - totals.get("exported", 0) - totals.get("unsure", 0)),
    )
    children = {span.span_id for resource, span in spans if resource.get("process.pid") != said.get("pid")}
    findings.at_most("children's spans beyond those made", 0, max(0, len(children) - said.get("made_by_children", 0)))
    findings.at_least("spans", 1000, len(held))


def _trouble(collector, bench, stop):
    chance = random.Random(bench.seed)
    codes = list(EVERY_CODE)
    chance.shuffle(codes)
    up = True
    while not stop.wait(chance.uniform(0.2, 1.2)):
        if not up:
            collector.start(chance.choice(["ok", "ok", "ok", "slow:0.3"]))
            up = True
        elif chance.random() < 0.25:
            collector.kill()
            up = False
            if chance.random() < 0.3:
                collector.start("black hole")
                stop.wait(chance.uniform(0.5, 2))
                collector.kill()
        else:
            code = codes.pop() if codes else chance.choice(EVERY_CODE)
            collector.become(
                chance.choice([f"err:{code}", f"err:{code}", "slow:0.2", "slow:2", "silent", "lose", "ok", "ok"])
            )
            stop.wait(chance.uniform(0.1, 0.8))
            collector.become("ok")
    if not up:
        collector.start()
