"""What a backend makes of one span, in words that all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Seen:
    """
    One span as a backend shows it.

    *tokens* are under the backend's own keys; *cost_usd* is the cost that it was told. *prices_itself* says that it
    would look up a price by the model's name and multiply it with tokens: told ones, or such as it counts itself.
    """

    kind: str
    model: str | None = None
    tokens: Mapping[str, float] = field(default_factory=dict)
    cost_usd: float | None = None
    session: str | None = None
    provider: str | None = None
    prices_itself: bool = False

    @property
    def is_billed(self) -> bool:
        """Whether it adds to what the backend says was spent."""
        return bool(self.cost_usd) or self.prices_itself


def first(attributes: Mapping[str, Any], *keys: str) -> Any:
    """The value of the first of *keys* that says something, or None."""
    return next((attributes[key] for key in keys if attributes.get(key) not in (None, "", (), [])), None)
