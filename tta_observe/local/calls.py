"""How many LLM calls there were, and whether what each cost is known. From spans: no metric counts calls."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from tta_observe import semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe.local.reader import StoreReader
    from tta_observe.local.rows import Window

_Key = TypeVar("_Key", bound=Hashable)

_CALLS: Final = """
    SELECT json_extract(attributes, :provider), json_extract(attributes, :model), json_extract(attributes, :workflow),
        json_extract(attributes, :agent), json_extract(attributes, :primitive), json_extract(attributes, :status),
        count(*)
    FROM spans
    WHERE start_ns > :start_ns AND start_ns <= :end_ns AND scope = :scope
        AND (type IN ('llm', 'embedding') OR name = :usage) AND json_extract(attributes, :status) IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6
"""
_PATHS: Final = {
    "provider": semconv.LLM_PROVIDER,
    "model": semconv.LLM_MODEL_NAME,
    "workflow": semconv.WORKFLOW_NAME,
    "agent": semconv.AGENT_TYPE,
    "primitive": semconv.PRIMITIVE_NAME,
    "status": semconv.LLM_COST_STATUS,
}


class Calls(NamedTuple):
    """
    LLM calls, and those among them whose cost is not known: no price for the model, or no usage in the answer.

    One per LLM span: several usages that one primitive records count once, as what the worst of them is.
    """

    number: int = 0
    unpriced: int = 0
    no_usage: int = 0

    def __add__(self, more: Calls) -> Calls:  # type: ignore[override]  # they are counts, not a sequence
        return Calls(*(mine + theirs for mine, theirs in zip(self, more, strict=True)))


class Owner(NamedTuple):
    """Whose calls they are; what a span does not say is None."""

    provider: str | None
    model: str | None
    workflow: str | None
    agent: str | None
    primitive: str | None


def llm_calls(store: StoreReader, window: Window) -> Mapping[Owner, Calls]:
    """
    LLM calls that began within *window* and whose usage was recorded, by whose they are.

    Traces that were sampled out are not among them.
    """
    asked = {name: f'$."{attribute}"' for name, attribute in _PATHS.items()}
    bounds = {"start_ns": window.start_ns, "end_ns": window.end_ns}
    rows = store.rows(_CALLS, {**asked, **bounds, "scope": semconv.SCOPE, "usage": semconv.LLM_USAGE_SPAN})
    found: dict[Owner, Calls] = {}
    for *owner, status, number in rows:
        calls = Calls(number, number * (status == semconv.UNPRICED), number * (status == semconv.NO_USAGE))
        found[Owner(*owner)] = found.get(Owner(*owner), Calls()) + calls
    return found


def added_up(calls: Mapping[Owner, Calls], key: Callable[[Owner], _Key]) -> dict[_Key, Calls]:
    """Add up *calls* by *key* of their owners."""
    found: dict[_Key, Calls] = {}
    for owner, some in calls.items():
        found[key(owner)] = found.get(key(owner), Calls()) + some
    return found
