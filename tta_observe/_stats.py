"""What ``stats()`` answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tta_observe import _lost
from tta_observe.usage import llm_calls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tta_observe._pipeline import LaneStats


@dataclass(frozen=True, slots=True)
class Stats:
    """What is known of the telemetry of this process, read at one moment."""

    configured: bool
    exporters: tuple[LaneStats, ...]
    """One row an exporter: spans recorded = delivered + dropped by reason + waiting."""
    overflows: Mapping[str, int]
    """Measurements folded into ``other``, by label or instrument."""
    rejected: Mapping[str, int]
    """Values that were no numbers an instrument can take, by instrument."""
    internal_errors: Mapping[str, int]
    """Failures of the telemetry that were kept from the host application, by place."""
    marked: Mapping[str, int] = field(default_factory=dict)
    """Values that were cut, or replaced by a marker, by reason: too long, of an unknown class, a secret, and so on."""
    llm_calls: Mapping[str, int] = field(default_factory=llm_calls)
    """LLM calls recorded, by what is known of their cost: ``priced``, ``unpriced``, ``no_usage``."""
    lost_context: Mapping[str, int] = field(default_factory=_lost.counts)
    """Executions that a workflow had run in another thread, without its context, by primitive; at least so many."""
