"""
PromQL from the table of instruments: no metric or label name is typed twice.

Only what Prometheus 2.42 understands, so that the same dashboards and rules run on every version since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe import semconv

if TYPE_CHECKING:
    from tta_observe.instruments import InstrumentSpec

WINDOW: Final = "5m"
"""
What rates are taken over, written out.

``$__rate_interval`` shrinks to a minute on a short range, and holds a single sample of a program that exports seldom.
"""

RANGE: Final = "$__range"
"""Grafana's name for the time range that the reader chose."""


def label(attribute: str) -> str:
    """The name of a label in Prometheus: dots to underscores."""
    return attribute.replace(".", "_")


def equals(attribute: str, value: str) -> str:
    """Match one value of a label."""
    return f'{label(attribute)}="{value}"'


def differs(attribute: str, value: str) -> str:
    """Match every other value of a label."""
    return f'{label(attribute)}!="{value}"'


def selected(spec: InstrumentSpec, *matchers: str, part: str = "") -> str:
    """Select the series of an instrument; *part* is ``bucket``, ``sum`` or ``count`` of a histogram."""
    name = f"{spec.prometheus_name}_{part}" if part else spec.prometheus_name
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def rate(spec: InstrumentSpec, *matchers: str, part: str = "") -> str:
    """How much each series rises a second."""
    return f"rate({selected(spec, *matchers, part=part)}[{WINDOW}])"


def increase(spec: InstrumentSpec, *matchers: str, part: str = "", window: str = RANGE) -> str:
    """How much each series rose within *window*."""
    return f"increase({selected(spec, *matchers, part=part)}[{window}])"


def total(series: str, *by: str) -> str:
    """Add *series* up, by the labels of the attributes *by* when there are any."""
    grouped = f" by ({', '.join(map(label, by))}) " if by else ""
    return f"sum{grouped}({series})"


def p95(buckets: str, *by: str) -> str:
    """Estimate the 95th percentile of histogram *buckets*, by the labels of the attributes *by*."""
    return f"histogram_quantile(0.95, {total(buckets, *by, 'le')})"


def ratio(part: str, whole: str) -> str:
    """
    Divide two sums without labels: 0 where nothing is counted in *part* yet, nothing where *whole* is idle.

    A plain quotient has no answer while one of the two has no series: without errors an error rate would be missing.
    """
    return f"({part} or vector(0)) / ({whole} > 0)"


def ratio_by(part: str, whole: str) -> str:
    """Divide two sums by the same labels; see :func:`ratio`."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


FAILED: Final = equals(semconv.EXECUTION_STATUS, semconv.ERROR)
ENDED: Final = f'{label(semconv.EXECUTION_STATUS)}=~"{semconv.SUCCESS}|{semconv.ERROR}"'
"""Cancelled executions say nothing about health."""
RUN: Final = equals(semconv.PRIMITIVE_TYPE, semconv.WORKFLOW_TYPE)
NOT_A_RUN: Final = differs(semconv.PRIMITIVE_TYPE, semconv.WORKFLOW_TYPE)
