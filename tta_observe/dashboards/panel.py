"""What a panel is, whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tta_observe.dashboards.thresholds import Thresholds

Visual = Literal["nodeGraph", "gauge", "timeseries", "stat", "table", "piechart", "heatmap"]
Style = Literal["line", "bars", "stacked"]
Unit = Literal["percentunit", "reqps", "ops", "ms", "short", "none", "currencyUSD"]
"""Grafana's identifiers of units."""


@dataclass(frozen=True, slots=True)
class Query:
    """
    One query of a panel.

    *over_time* asks for every step of the time range, not for its end alone. *as_table* turns labels into columns.
    """

    name: str
    """Its ``refId``."""
    promql: str
    legend: str = ""
    over_time: bool = False
    as_table: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table panel: what *query* answers, under *title*."""

    query: str
    title: str
    unit: Unit
    thresholds: Thresholds | None = None
    saturates: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands on its tab, in a grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Traces:
    """Where to look for the spans behind a panel: attributes and their values, and the label that narrows it down."""

    where: tuple[tuple[str, str], ...] = ()
    label: str | None = None
    """An attribute that is a label of the panel's series as well."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: the question, the figure that answers it, and how it is shown."""

    id: int
    title: str
    question: str
    """What the reader wants to know."""
    note: str
    """How to read the answer."""
    empty: str
    """What stands there when nothing was measured."""
    visual: Visual
    unit: Unit
    place: Place
    queries: tuple[Query, ...]
    local: Callable[..., Any]
    """The same question to the local store."""
    thresholds: Thresholds | None = None
    traces: Traces | None = None
    style: Style = "line"
    """How a time series is drawn."""
    saturates: bool = False
    """Whether the figure ends at the last bucket of the histogram, and has to say so."""
    columns: tuple[Column, ...] = ()
    record: str | None = None
    """Name of the recording rule that keeps the figure for longer ranges; None: there is none."""

    @property
    def description(self) -> str:
        """Question and note, as shown in the panel's corner."""
        return f"{self.question} {self.note}"


@dataclass(frozen=True, slots=True)
class Tab:
    """Panels that are looked at together."""

    title: str
    panels: tuple[Panel, ...]
