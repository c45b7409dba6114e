"""Whether our series arrive as panels and rules need them. Pure: from what was found to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe import semconv
from tta_observe.cli.doctor import routes
from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.doctor.names import expected, variant
from tta_observe.cli.words import a_while, many, plain_text
from tta_observe.instruments import CONNECTIONS, EXECUTION_DURATION, EXECUTIONS, INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tta_observe.cli.doctor.arrivals import Arrived
    from tta_observe.cli.doctor.findings import Finding
    from tta_observe.cli.doctor.server import Server
    from tta_observe.instruments import InstrumentSpec

NAMES: Final = Group("Names in Prometheus")
SERIES: Final = Group("Series in Prometheus")

_ALWAYS: Final = (EXECUTIONS, EXECUTION_DURATION)
"""Every call leaves a point on these."""

_NEEDED: Final = {
    EXECUTIONS.name: (semconv.PRIMITIVE_NAME, semconv.PRIMITIVE_TYPE, semconv.EXECUTION_STATUS),
    EXECUTION_DURATION.name: (semconv.PRIMITIVE_NAME, semconv.PRIMITIVE_TYPE),
    CONNECTIONS.name: (semconv.SOURCE_PRIMITIVE, semconv.TARGET_PRIMITIVE),
}
"""Labels that every series has, and panels group by."""

_STALE_S: Final = 90.0
_FEWEST: Final = 2
_TRY: Final = "Make some traffic, and look again after half a minute:"
_PUSH: Final = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 tta-observe demo"
_SCRAPE: Final = "OTEL_METRICS_EXPORTER=prometheus tta-observe demo --loop"
_DELTAS: Final = (
    "\nor let the exporter send totals, deltas are dropped on the way:\n"
    "  unset OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
)
_TARGETS: Final = "Start what it scrapes, or name the right address in prometheus.yml:\n  - targets: ['127.0.0.1:9464']"
_EXEMPLARS: Final = """\
This version takes exemplars of counters called *_total alone. Use a newer one, or write \
under exporters.prometheus in the collector's configuration:
  enable_open_metrics: false"""
_NATIVE: Final = """\
In prometheus.yml, under otlp:
  convert_histograms_to_nhcb: false
or, where it is scraped, under the job:
  convert_classic_histograms_to_nhcb: false"""


def judge(arrived: Arrived, server: Server) -> Iterator[Finding]:
    """Compare every name with what it should be, then look at labels, age and distance of the samples."""
    if not arrived.recent:
        yield _nothing(arrived, server)
        return
    found = [_name(spec, wanted, arrived, server) for spec in INSTRUMENTS for wanted in expected(spec)]
    order = ("ok", "warning", "problem")
    yield from sorted(found, key=lambda finding: order.index(finding.state))
    for spec in INSTRUMENTS:
        yield from _labels(spec, arrived)
    yield from _renamed_job(arrived)
    yield from _distance(arrived)
    yield from _age(arrived)
    yield from _resets(arrived)


def _name(spec: InstrumentSpec, wanted: str, arrived: Arrived, server: Server) -> Finding:
    if wanted in arrived.recent:
        return NAMES.ok(wanted, f"{arrived.recent[wanted]:,.0f} series in the last 10 min")
    other = variant(spec, wanted, arrived.recent)
    if other is not None:
        native = spec.kind == "histogram" and other == spec.prometheus_name
        remedy = _NATIVE if native else routes.remedy(arrived, server)
        return NAMES.problem(wanted, "as a native histogram" if native else f"as {plain_text(other)}", remedy)
    if wanted in arrived.ever:
        return NAMES.warning(wanted, "seen earlier, not in the last 10 min")
    if spec in _ALWAYS:
        remedy = "Something on the way drops it: look for drop, keep and filter in its rules"
        return NAMES.problem(wanted, "missing, though others arrive", remedy)
    return NAMES.warning(wanted, "not seen: nothing was recorded for it")


def _nothing(arrived: Arrived, server: Server) -> Finding:
    if arrived.ahead:
        return NAMES.problem(
            "names", "all measurements are in the future", "Set the clocks right:\n  timedatectl set-ntp true"
        )
    if arrived.down:
        job, why = next(iter(arrived.down.items()))
        found = f"none of ours arrives, and the job {plain_text(job)} is down: {plain_text(why)}"
        return NAMES.problem("names", found, _EXEMPLARS if "support exemplars" in why else _TARGETS)
    if arrived.ever:
        return NAMES.problem("names", "ours were seen earlier, not in the last 10 min", _try(server))
    if (
        not arrived.targets
        and "job_name" not in (server.config or "")
        and server.takes_otlp() is False
        and not _remote_write(server)
    ):
        remedy = "Let it take OTLP (Prometheus 3 or newer) by starting it with\n  --web.enable-otlp-receiver"
        return NAMES.problem("names", "it scrapes nothing, and takes nothing that is sent", remedy)
    return NAMES.problem("names", "none of ours has ever arrived", f"{_try(server)}{_DELTAS}")


def _try(server: Server) -> str:
    pushed = server.takes_otlp() is not False or _remote_write(server)
    return (
        f"{_TRY}\n  {_PUSH}" if pushed else f"{_TRY}\n  {_PUSH}\nor, where it scrapes the program itself:\n  {_SCRAPE}"
    )


def _remote_write(server: Server) -> bool:
    return (server.flags or {}).get("web.enable-remote-write-receiver") != "false"


def _labels(spec: InstrumentSpec, arrived: Arrived) -> Iterator[Finding]:
    needed = [label.replace(".", "_") for label in _NEEDED.get(spec.name, ())]
    for name in expected(spec):
        has = arrived.labels.get(name)
        if has is None:
            continue
        missing = [label for label in (*needed, *(["le"] if name.endswith("_bucket") else [])) if not has.get(label)]
        if missing:
            remedy = "Keep them on the way: look for labeldrop, labelkeep, transform and attributes in its rules"
            yield SERIES.problem(name, f"without the label {' and '.join(missing)}", remedy)


def _renamed_job(arrived: Arrived) -> Iterator[Finding]:
    labels = arrived.labels.get(arrived.asked or "", {})
    if "exported_job" in labels or "exported_instance" in labels:
        yield SERIES.warning(
            "job",
            "named exported_job: Prometheus put the collector's name in its place",
            "In prometheus.yml, under the job that scrapes the collector:\n  honor_labels: true",
        )


def _distance(arrived: Arrived) -> Iterator[Finding]:
    if arrived.points_5m is None and arrived.points_1h is None:
        return
    lately, longer = arrived.points_5m or 0, arrived.points_1h or 0
    if lately >= _FEWEST:
        yield SERIES.ok("samples", f"{lately:,.0f} within 5 min")
    elif longer < _FEWEST:
        yield SERIES.warning("samples", "one so far: rates need two", "Look again after half a minute")
    else:
        line = "In prometheus.yml:\n  scrape_interval: 15s" if arrived.scraped else "OTEL_METRIC_EXPORT_INTERVAL=15000"
        found = (
            f"{many(round(lately), 'sample')} within 5 min, {longer:,.0f} within an hour: too few for rates over [5m]"
        )
        yield SERIES.problem("samples", found, line)


def _age(arrived: Arrived) -> Iterator[Finding]:
    if arrived.age_s is not None and arrived.age_s > _STALE_S:
        remedy = "Is the program still running? If so set its clock right:\n  timedatectl set-ntp true"
        yield SERIES.warning("age", f"the newest sample is {a_while(arrived.age_s)} old", remedy)


def _resets(arrived: Arrived) -> Iterator[Finding]:
    if (arrived.resets or 0) >= _FEWEST:
        yield SERIES.warning(
            "resets",
            f"{arrived.resets:,.0f} series fell back within 10 min: restarts, or two processes with one identity",
            "Leave service.instance.id out of OTEL_RESOURCE_ATTRIBUTES: each process has its own",
        )
