"""What to say when nothing was measured: which store was read, where telemetry went if not there, what to type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tta_observe.cli.words import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_EXPORTERS: Final = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "TTA_OBSERVE_EXPORTER")
_CREDENTIALS: Final = re.compile(r"(?<=//)[^/@]*@")

WHAT_TO_TYPE: Final = """\
Try it:            tta-observe demo
In your program:   import tta_observe
                   tta_observe.configure()
                   @tta_observe.traced_primitive    above functions
                   with tta_observe.workflow("x"):  around a job
Then:              tta-observe report
"""


def explain(store: str, environ: Mapping[str, str]) -> str:
    """Say that *store* holds no measurement, why that may be, and what to do."""
    reasons = list(elsewhere(store, environ))
    lines = [f"Nothing measured yet in {plain_text(store)}", *(f"  {reason}" for reason in reasons), "", WHAT_TO_TYPE]
    return "\n".join(lines)


def elsewhere(store: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Name each setting of *environ* that keeps telemetry out of *store*."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield "OTEL_SDK_DISABLED=true: programs started like this measure nothing."
    for name in _ENDPOINTS:
        if value := environ.get(name, "").strip():
            yield f"{name} is set: telemetry went to {_address(value)} instead."
    for name in _EXPORTERS:
        value = environ.get(name, "").strip()
        if value and "local" not in value and value != "auto":
            yield f"{name}={plain_text(value)}: telemetry went there instead."
    other = environ.get("TTA_OBSERVE_STORE", "").strip()
    if other and other != store:
        yield f"TTA_OBSERVE_STORE names another store: {plain_text(other)}"


def _address(endpoint: str) -> str:
    return plain_text(_CREDENTIALS.sub("", endpoint))
