"""
From the SDK's metrics to prometheus_client's, under the exact names: dots to underscores and nothing added.

Pure but for what one scrape must know of those before it: the time comes in, and nothing goes out.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import ExponentialHistogram, Histogram, Sum
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Exemplar, Sample, Timestamp
from prometheus_client.utils import floatToGoString

from tta_observe._pipeline.scrape.held import HeldAtZero
from tta_observe._pipeline.zero import zeroed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics

_SECOND: Final = 1_000_000_000

_Exemplars = dict[int, Exemplar]
"""The latest of each bucket, by its index."""


class Exposition:
    """The metrics of one endpoint, as each scrape is to see them."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._held = HeldAtZero()
        self._exemplars: dict[int, _Exemplars] = {}

    def families(self, metrics: MetricsData | None, now_s: float) -> tuple[list[Family], list[int]]:
        """*metrics* for a scrape at *now_s*, and the keys of the series that it is the first to show."""
        new: list[int] = []
        found: dict[str, Family] = {}
        for resource in metrics.resource_metrics if metrics is not None else ():
            for metric in self._ours(resource):
                found.setdefault("target", _target(resource))
                family = _family(metric)
                if found.setdefault(family.name, family) is family:  # two of one name would spoil the whole page
                    family.samples.extend(self._samples(metric, new, now_s))
        return list(found.values()), new

    def arrived(self, new: Iterable[int], now_s: float) -> None:
        """The scrape at *now_s* was answered; *new* is what it was the first to show."""
        self._held.arrived(new, now_s)

    def _ours(self, resource: ResourceMetrics) -> Iterator[Metric]:
        for scope in resource.scope_metrics:
            yield from scope.metrics if scope.scope.name == self._scope else ()

    def _samples(self, metric: Metric, new: list[int], now_s: float) -> Iterator[Sample]:
        name, kind = metric_name(metric.name), _kind(metric)
        from_zero = kind in ("counter", "unknown") or isinstance(metric.data, Histogram)
        for point in metric.data.data_points:
            key = hash((metric.name, frozenset((point.attributes or {}).items())))
            exemplars = self._kept(key, point) if kind in ("counter", "histogram") else {}  # the others have no place
            if from_zero and self._held.is_new(key):
                new.append(key)
            held = from_zero and self._held.holds(key, now_s)
            shown = (zeroed(point, 0), {}) if held else (point, exemplars)
            yield from _point_samples(name, labels(point.attributes), *shown)

    def _kept(self, key: int, point: Any) -> _Exemplars:
        """The exemplars of *point*: collecting takes them out of the SDK, and the next scrape wants them, too."""
        if point.exemplars:
            self._exemplars.setdefault(key, {}).update(_exemplars(point))
        return self._exemplars.get(key, {})


def _family(metric: Metric) -> Family:
    # What OpenMetrics knows as the unit has to be a part of the name, so ours stands in the text.
    unit = f" Unit: {metric.unit.strip('{}')}." if metric.unit else ""
    name, kind = metric_name(metric.name), _kind(metric)
    return Family(
        name.removesuffix("_total") if kind == "counter" else name, _text(f"{metric.description or ''}{unit}"), kind
    )


def _kind(metric: Metric) -> str:
    if isinstance(metric.data, (Histogram, ExponentialHistogram)):
        return "histogram"
    if isinstance(metric.data, Sum) and metric.data.is_monotonic:
        # As a counter it would be renamed: prometheus_client, as OpenMetrics wants it, calls every counter ..._total.
        # Prometheus' functions do not ask for the type.
        return "counter" if metric_name(metric.name).endswith("_total") else "unknown"
    return "gauge"


def _point_samples(name: str, labelled: dict[str, str], point: Any, exemplars: _Exemplars) -> Iterator[Sample]:
    if not hasattr(point, "count"):
        yield Sample(name, labelled, point.value, None, exemplars.get(0))
        return
    bounds = (*map(floatToGoString, getattr(point, "explicit_bounds", ())), "+Inf")
    for index, count in enumerate(accumulate(getattr(point, "bucket_counts", (point.count,)))):
        yield Sample(f"{name}_bucket", {**labelled, "le": bounds[index]}, count, None, exemplars.get(index))
    yield Sample(f"{name}_count", labelled, point.count)
    yield Sample(f"{name}_sum", labelled, point.sum)


def _exemplars(point: Any) -> Iterator[tuple[int, Exemplar]]:
    bounds = getattr(point, "explicit_bounds", ())
    for found in point.exemplars:
        if found.trace_id and found.span_id:  # 63 of the 128 characters that OpenMetrics allows
            ids = {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"}
            when = Timestamp(*divmod(found.time_unix_nano, _SECOND))
            yield bisect_left(bounds, found.value), Exemplar(ids, found.value, when)


def _target(resource: ResourceMetrics) -> Family:
    family = Family("target", "What is measured.", "info")
    family.samples.append(Sample("target_info", labels(resource.resource.attributes), 1))
    return family


def labels(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    """
    *attributes* as labels.

    Values whose names become the same are joined with ``;``. Source: OpenTelemetry specification 1.50, "Prometheus and
    OpenMetrics Compatibility".
    """
    found: dict[str, str] = {}
    for key, value in sorted((attributes or {}).items()):
        name = label_name(key)
        found[name] = f"{found[name]};{_text(value)}" if name in found else _text(value)
    return found


@lru_cache(maxsize=1024)
def metric_name(name: str) -> str:
    """*name* with every character that Prometheus 2 does not know turned to an underscore."""
    return re.sub(r"^(?=[0-9])|[^a-zA-Z0-9_]", "_", name)


@lru_cache(maxsize=1024)
def label_name(key: str) -> str:
    """The same for a label; what Prometheus keeps for itself is prefixed."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    return name if re.match(r"(?!__|le$)[a-zA-Z_]", name) else f"key_{name}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
