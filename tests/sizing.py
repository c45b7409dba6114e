"""
How much telemetry there is, measured: the demo through the real pipeline into a receiver, counted on arrival.

``python tests/sizing.py`` measures anew and writes the figures, and what follows from them, into the README of the
scale profile.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import tempfile
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from receiver import receiving

import tta_observe
from tta_observe.cli.demo import find_files
from tta_observe.cli.review import PRICES, Reviewer
from tta_observe.cli.samples import write_samples
from tta_observe.cli.tally import Tally
from tta_observe.instruments import EXECUTION_DURATION

README = Path(__file__).parent.parent / "examples" / "stack" / "scale" / "README.md"
BATCH = 512
FILES = 20
INTERVAL_S = 15
SERIES_PER_HISTOGRAM_POINT = len(EXECUTION_DURATION.buckets) + 1 + 2  # a last bucket without an end, sum and count

HELD_SPAN_BYTES = 2_100
"""Resident memory of the collector 0.159 per span that tail sampling waits for: 72,000 spans in traces of nine."""

# Assumptions, named as such in the README.
RUNS_PER_PROCESS = 10
HELD_S = 15
KEPT = 0.118
SAMPLE_BYTES = 2


@dataclass(frozen=True)
class Sizes:
    """What was measured; bytes are those of the encoded request."""

    spans_per_run: float
    span: float
    span_gzip: float
    failed_span: float
    label_sets: int
    series: int
    export: int
    export_gzip: int


def measured():
    """Run the demo's agent over files of the package until there are enough spans for a batch."""
    with receiving() as receiver, tempfile.TemporaryDirectory() as scratch:
        telemetry = tta_observe.configure(
            service_name="tta-observe-demo", exporter="otlp", endpoint=receiver.endpoint, prices=PRICES
        )
        files = find_files(Path(tta_observe.__file__).parent)[:FILES]
        queue = [*files, *write_samples(Path(scratch)), *files[:3]]
        for _ in range(2):
            asyncio.run(_review(queue))
        assert telemetry.flush(10)  # the zeros of new series are in this one
        assert telemetry.flush(10)
        metrics = receiver.of("metrics")[-1].message
        telemetry.shutdown()
    return _sizes(2 * (len(queue) + 1), receiver, metrics)


async def _review(queue):
    reviewer, verdicts = Reviewer(Tally()), []
    for path in queue:
        with suppress(SyntaxError, ValueError):  # three samples are broken on purpose
            verdicts.append(await reviewer.review(path))
    await reviewer.conclude(verdicts)


def _sizes(runs, receiver, metrics):
    spans = [span for _, _, span in receiver.spans()]
    encoded = _one_request(receiver.of("traces")[0].message, spans[:BATCH]).SerializeToString()
    failed = [span.ByteSize() for span in spans if span.status.code == span.status.STATUS_CODE_ERROR]
    points = list(_points(metrics))
    sent = metrics.SerializeToString()
    return Sizes(
        spans_per_run=len(spans) / runs,
        span=len(encoded) / BATCH,
        span_gzip=len(gzip.compress(encoded)) / BATCH,
        failed_span=sum(failed) / len(failed),
        label_sets=len(points),
        series=sum(SERIES_PER_HISTOGRAM_POINT if kind == "histogram" else 1 for kind in points),
        export=len(sent),
        export_gzip=len(gzip.compress(sent)),
    )


def _one_request(message, spans):
    assert len(spans) == BATCH
    request = ExportTraceServiceRequest()
    request.CopyFrom(message)
    ((scope,),) = [of_resource.scope_spans for of_resource in request.resource_spans]
    del scope.spans[:]
    scope.spans.extend(spans)
    return request


def _points(metrics):
    """The kind of each point."""
    for of_resource in metrics.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                yield from [kind] * len(getattr(metric, kind).data_points)


def written():
    """The measured figures as the README has them."""
    table = README.read_text(encoding="utf-8").split("<!-- measured -->")[1].split("<!-- end -->")[0]
    figures = [float(row.split("|")[2].replace(",", "")) for row in table.strip().splitlines()[2:]]
    return Sizes(*figures)


def measured_table(sizes):
    """The measured figures, rounded to what is true tomorrow as well."""
    rows = zip(_MEASURED, astuple(sizes), strict=True)
    return "\n".join(["| measured | |", "|---|---|", *(f"| {what} | {_rounded(value)} |" for what, value in rows)])


_MEASURED = (
    "spans of a workflow run",
    "bytes of a span, in a request of 512",
    "the same, compressed with gzip",
    "bytes of a span that failed, with its stack trace",
    "label sets of a process",
    "series of a process in Prometheus",
    "bytes of a metric export",
    "the same, compressed with gzip",
)


def sized_table(sizes):
    """What follows for 10, 100 and 1,000 runs a second."""
    columns = [_sized(sizes, runs) for runs in (10, 100, 1000)]
    head = ["| workflow runs a second | 10 | 100 | 1,000 |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {what} | {' | '.join(c[what] for c in columns)} |" for what in columns[0])])


def _sized(sizes, runs):
    spans, processes = runs * sizes.spans_per_run, runs / RUNS_PER_PROCESS
    samples = processes * sizes.series / INTERVAL_S
    day = 86_400
    return {
        "spans a second": _rounded(spans),
        "traces into the first tier, uncompressed": f"{_rounded(spans * sizes.span / 1e6)} MB/s",
        "the same with `OTEL_EXPORTER_OTLP_COMPRESSION=gzip`": f"{_rounded(spans * sizes.span_gzip / 1e6)} MB/s",
        "memory for traces that wait, all gateways": f"{_rounded(spans * HELD_S * HELD_SPAN_BYTES / 1e6)} MB",
        "traces kept a day, uncompressed": f"{_rounded(spans * sizes.span * KEPT * day / 1e9)} GB",
        "processes": _rounded(processes),
        "metric exports into the first tier, uncompressed": (
            f"{_rounded(processes * sizes.export / INTERVAL_S / 1e6)} MB/s"
        ),
        "active series": _rounded(processes * sizes.series),
        "samples a second": _rounded(samples),
        "metrics stored a day": f"{_rounded(samples * SAMPLE_BYTES * day / 1e9)} GB",
    }


def _rounded(value):
    """Two digits that count: 9.3, 550, 15,000."""
    if value >= 10:
        digits = len(str(int(value))) - 2
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.2g}"


def main():
    """Write both tables."""
    sizes, text = measured(), README.read_text(encoding="utf-8")
    for marker, make in (("measured", lambda: measured_table(sizes)), ("sized", lambda: sized_table(written()))):
        between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = between.sub(lambda found, make=make: f"{found[1]}{make()}\n{found[2]}", text)
        README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
