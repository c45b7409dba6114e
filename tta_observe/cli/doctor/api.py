"""The HTTP API of a Prometheus, or of what answers like one. Whatever comes back is taken apart without trust."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tta_observe.cli.doctor.attempts import PATIENCE_S
from tta_observe.cli.doctor.fetch import Page, UnansweredError, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tta_observe.cli.doctor.fetch import Base

Sample = tuple[dict[str, str], float]
"""Labels, the name among them as ``__name__``, and a value."""


@dataclass(slots=True)
class Api:
    """Asks *base* until *end*, a moment of the monotonic clock in seconds."""

    base: Base
    end: float
    unanswered: list[str] = field(default_factory=list)
    """What was asked in vain, as paths."""

    def page(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> Page:
        """
        One answer, whatever its status.

        Raises:
            UnansweredError: there is none, or no time to wait for one.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise UnansweredError("no answer", "no time was left to ask")
        return fetch(self.base, f"{path}?{urlencode(parameters)}" if parameters else path, min(left, PATIENCE_S))

    def data(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> Any:
        """What a successful answer holds; None when there is none."""
        try:
            found = data_of(self.page(path, parameters))
        except UnansweredError:
            found = None
        if found is None:
            self.unanswered.append(path.removeprefix("/api/v1/"))
        return found

    def query(self, promql: str, at_s: float | None = None) -> list[Sample] | None:
        """The instant vector that *promql* gives, now by the clock of the server or *at_s*; None when not answered."""
        at = [] if at_s is None else [("time", f"{at_s:.3f}")]
        found = self.data("/api/v1/query", [("query", promql), *at])
        return None if found is None else samples_of(found)

    def number(self, promql: str) -> float | None:
        """The first value that *promql* gives; None when it gives no finite one."""
        found = self.query(promql)
        return found[0][1] if found and isfinite(found[0][1]) else None


def data_of(page: Page) -> Any:
    """The ``data`` of an answer that says success; None when it is none."""
    parsed = json_of(page)
    if page.status != HTTPStatus.OK or not isinstance(parsed, dict) or parsed.get("status") != "success":
        return None
    return parsed.get("data")


def json_of(page: Page) -> Any:
    """The answer as JSON; None when it is none."""
    try:
        return json.loads(page.body)
    except (ValueError, RecursionError):
        return None


def samples_of(data: Any) -> list[Sample]:
    """The samples of an instant vector; what does not look like one is left out."""
    rows = data.get("result") if isinstance(data, dict) else None
    return [sample for row in rows if (sample := _sample(row)) is not None] if isinstance(rows, list) else []


def texts(found: Any) -> dict[str, str]:
    """What is text in a JSON object, by its key; empty when it is no object."""
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _sample(row: Any) -> Sample | None:
    try:
        return texts(row["metric"]), float(row["value"][1])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
