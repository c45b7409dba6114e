"""Other people's telemetry that is installed here: how it and ours share what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe.cli.doctor.findings import Group
from tta_observe.cli.doctor.versions import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe.cli.doctor.findings import Finding

NEIGHBOURS: Final = Group("Other telemetry")

_TRACE: Final = "its spans and ours are one trace, whoever is set up first"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_BY_THE_STANDARD: Final = ("logfire", "opentelemetry-distro")
"""What these record goes to the endpoint in the environment, ours with it."""
_BY_THEIR_OWN: Final = ("langfuse", "traceloop-sdk", "arize-phoenix-otel")
"""These send to their own servers alone."""

_LANGFUSE: Final = """\
Let it send our other spans as well:
  from langfuse.span_filter import is_default_export_span
  def wanted(span):
      return span.instrumentation_scope.name == "tta_observe" or is_default_export_span(span)
  Langfuse(should_export_span=wanted)"""


def check() -> list[Finding]:
    """Look up what is installed."""
    return list(judge({name: version for name in _BY_THE_STANDARD + _BY_THEIR_OWN if (version := installed(name))}))


def judge(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Say of each how it goes together with us; nothing where nobody else is."""
    for name, version in versions.items():
        if name in _BY_THE_STANDARD:
            sender = f"it sends both to {_ENDPOINT} where that is set, and we do not"
        else:
            sender = f"it does not send to {_ENDPOINT}, we do"
        yield NEIGHBOURS.ok(name, f"{version}: {_TRACE}; {sender}")
    if "langfuse" in versions:
        yield NEIGHBOURS.warning(
            "langfuse", "of ours it shows LLM calls, agents, tools and workflows, and leaves the rest out", _LANGFUSE
        )
