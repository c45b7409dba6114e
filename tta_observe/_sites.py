"""What is constant about a primitive, an agent block or a workflow, and who follows its calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tta_observe import _genai, semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe._call import Live
    from tta_observe._telemetry import Slot
    from tta_observe._values import AttributeValue


@dataclass(frozen=True, slots=True)
class CallSite:
    """What is constant about a primitive, an agent block or a workflow; made where it is written."""

    name: str
    type: str
    span_name: str
    attributes: Mapping[str, AttributeValue]
    watchers: tuple[Watcher, ...] = ()
    """Who follows its calls. Nobody, as a rule: then a call costs what it costs without."""
    content: Watcher | None = None
    """Who follows them where the capture of content is switched on."""
    is_workflow: bool = field(init=False)
    """Whether a run of it is a workflow run."""
    is_llm: bool = field(init=False)
    """Whether its span carries tokens and cost."""
    is_genai: bool = field(init=False)
    """Whether OpenTelemetry has conventions for what it does."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_workflow", self.type == semconv.WORKFLOW_TYPE)
        object.__setattr__(self, "is_llm", self.type in semconv.LLM_TYPES)
        object.__setattr__(self, "is_genai", semconv.GEN_AI_OPERATION_NAME in self.attributes)

    def always_captured(self) -> CallSite:
        """The same, with the content of its calls captured whatever was configured."""
        content = (self.content,) if self.content is not None else ()
        return replace(self, watchers=(*self.watchers, *content), content=None)


class Watch:
    """
    Follows one call: told of its arguments before its span is there, of its result or the items it yields, of its end.

    What a subclass raises is swallowed. The context of the call is current until it is left, not when it is.
    """

    __slots__ = ()

    def attributes(self) -> Mapping[str, AttributeValue]:
        """What is known before the call: on its span from the start."""
        return {}

    def returned(self, live: Live, result: object) -> None:
        """The call returned *result*, which is no stream that is followed."""

    def streamed(self, live: Live) -> None:
        """The call returned a stream, which is followed to its end."""

    def yielded(self, live: Live, item: object) -> None:
        """The generator, or the stream that the call returned, gave *item*."""

    def left(self, live: Live, error: BaseException | None) -> None:
        """The call ended, or its stream, with what it raised; its span is still open."""


Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = "Mapping[str, Any]"
Watcher: TypeAlias = "Callable[[Slot, Args, Kwargs], Watch | None]"
"""Made where a function is decorated; called at each of its calls, as its arguments were given."""

WATCHERS: Final[dict[str, Callable[[Any], Watcher | None]]] = {}
"""``primitive.type`` to what makes a watcher for a decorated function (None: a block). Verbs fill it when imported."""


def primitive_site(
    name: str,
    type_: str,
    action: str,
    attributes: Mapping[str, AttributeValue],
    function: Any = None,
    content: Watcher | None = None,
) -> CallSite:
    """The site of a primitive; all arguments are checked and clean. *function* is what was decorated, if anything."""
    own = {semconv.PRIMITIVE_ACTION: action}
    make = WATCHERS.get(type_)
    watcher = make(function) if make is not None else None
    watchers = (watcher,) if watcher is not None else ()
    found = {**attributes, **own, **_common(name, type_)}
    return CallSite(name, type_, f"primitive.{type_}.{action}", found, watchers, content)


def workflow_site(name: str) -> CallSite:
    """The site of a workflow; its span is named when it starts, after the bounded label value."""
    return CallSite(name, semconv.WORKFLOW_TYPE, "", _common(name, semconv.WORKFLOW_TYPE))


def _common(name: str, type_: str) -> dict[str, AttributeValue]:
    kind = semconv.OPENINFERENCE_KINDS.get(type_, "CHAIN")
    own = {semconv.PRIMITIVE_NAME: name, semconv.PRIMITIVE_TYPE: type_, semconv.OPENINFERENCE_SPAN_KIND: kind}
    return {**own, **_genai.site_attributes(type_, name)}
