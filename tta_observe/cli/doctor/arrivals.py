"""What a Prometheus holds of ours, under whatever names, and what tells how it came there."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tta_observe.cli.doctor.api import texts
from tta_observe.cli.doctor.names import SELECTORS, expected, over, variant
from tta_observe.instruments import EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe.cli.doctor.api import Api

_AHEAD_S: Final = 3600.0
"""How far in the future measurements are looked for, when a clock is wrong."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was found; names are as they arrived."""

    recent: Mapping[str, float] = field(default_factory=dict)
    """How many series there are by name, in the last ten minutes."""
    ever: frozenset[str] = frozenset()
    ahead: frozenset[str] = frozenset()
    """Names whose measurements are more than a minute in the future."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The labels of one series, by name."""
    targets: int | None = None
    """How many targets are scraped; None when the server does not say."""
    down: Mapping[str, str] = field(default_factory=dict)
    """Jobs that have a target which cannot be scraped, and why not."""
    asked: str | None = None
    """The name that the figures below are about; None when nothing is there."""
    age_s: float | None = None
    """How old its newest sample is."""
    points_5m: float | None = None
    """The most samples that one of its series has within five minutes."""
    points_1h: float | None = None
    resets: float | None = None
    """How many of its series fell back within ten minutes."""
    scraped: bool = False
    """Whether Prometheus fetched that series itself, and the series still says from where."""
    from_python: bool = False
    """Whether Python's own client library exposes metrics at the same target."""


def gather(api: Api) -> Arrived:
    """Ask for everything that may be ours, and for what tells how it came."""
    recent = _by_name(api, f"count by (__name__) ({over('10m')})")
    seen = api.query(f"topk by (__name__) (1, {over('10m')})") or []
    targets = targets_of(api.data("/api/v1/targets", [("state", "active")]))
    arrived = Arrived(
        recent=recent,
        ever=_ever(api),
        ahead=frozenset(_by_name(api, f"count by (__name__) ({over('59m')})", time.time() + _AHEAD_S)),
        labels={labels["__name__"]: labels for labels, _ in seen if "__name__" in labels},
        targets=None if targets is None else len(targets),
        down={job: why for job, why in targets or [] if why},
    )
    asked = _to_ask_about(recent)
    return arrived if asked is None else _with_figures(api, arrived, asked)


def targets_of(data: Any) -> list[tuple[str, str]] | None:
    """Each target's job, and why it cannot be scraped, empty when it can; None when *data* holds no targets."""
    active = data.get("activeTargets") if isinstance(data, dict) else None
    if not isinstance(active, list):
        return None
    named = [
        (texts(target.get("labels")).get("job", ""), texts(target)) for target in active if isinstance(target, dict)
    ]
    return [(job, _why(told.get("lastError", "")) if told.get("health") == "down" else "") for job, told in named]


def _why(error: str) -> str:
    """*error* without addresses, which may hold a password."""
    return re.sub(r'(Get )?"?\w+://\S+?"?(: |$|\s)', "", error).strip() or "it does not answer"


def _with_figures(api: Api, arrived: Arrived, asked: str) -> Arrived:
    series = f"{{__name__={_quoted(asked)}}}"
    labels = arrived.labels.get(asked, {})
    target = f"{{job={_quoted(labels.get('job', ''))},instance={_quoted(labels.get('instance', ''))}}}"
    return replace(
        arrived,
        asked=asked,
        age_s=api.number(f"time() - max(timestamp({series}))"),
        points_5m=api.number(f"max(count_over_time({series}[5m]))"),
        points_1h=api.number(f"max(count_over_time({series}[1h]))"),
        resets=api.number(f"count(resets({series}[10m]) > 0)"),
        scraped=bool(api.number(f"count(up{target})")),
        from_python=bool(api.number(f"count(python_info{target})")),
    )


def _to_ask_about(recent: Mapping[str, float]) -> str | None:
    """Executions, under whatever name; else the first that there is."""
    name = expected(EXECUTIONS)[0]
    return name if name in recent else variant(EXECUTIONS, name, recent) or next(iter(sorted(recent)), None)


def _by_name(api: Api, promql: str, at_s: float | None = None) -> dict[str, float]:
    return {labels["__name__"]: value for labels, value in api.query(promql, at_s) or [] if "__name__" in labels}


def _ever(api: Api) -> frozenset[str]:
    selectors = [("match[]", selector) for selector in SELECTORS]
    names = api.data("/api/v1/label/__name__/values", selectors)
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _quoted(text: str) -> str:
    """*text* as PromQL writes it, which has the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)
