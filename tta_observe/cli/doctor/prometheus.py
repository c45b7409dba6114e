"""A Prometheus: who it is, whether our names arrive there as the dashboard needs them, and what would be shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tta_observe.cli.doctor import arrivals, panels, series, server
from tta_observe.cli.doctor.api import Api
from tta_observe.cli.doctor.findings import Finding

if TYPE_CHECKING:
    from tta_observe.cli.doctor.fetch import Base

BUDGET_S: Final = 6.0
"""How long all questions to a Prometheus may take together."""


def check(base: Base) -> list[Finding]:
    """Ask the Prometheus at *base*, for six seconds at most."""
    api = Api(base, time.monotonic() + BUDGET_S)
    met = server.meet(api)
    if isinstance(met, Finding):
        return [met]
    arrived = arrivals.gather(api)
    findings = [*server.judge(met), *series.judge(arrived, met), *panels.judge(panels.gather(api), met)]
    return [*findings, *_unanswered(api)]


def _unanswered(api: Api) -> list[Finding]:
    """What could not be judged because nobody answered."""
    asked = ", ".join(dict.fromkeys(api.unanswered))
    return [server.SERVER.warning("answers", f"not given, or not in time: {asked}")] if asked else []
