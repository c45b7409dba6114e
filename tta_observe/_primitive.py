"""``traced_primitive`` for functions, ``primitive`` for blocks."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, cast, overload

from tta_observe import _arguments, _call, _shells, _sites, _spans, semconv
from tta_observe._block import Block, OpenBlock
from tta_observe._content import content_watcher
from tta_observe._values import clean_text
from tta_observe.errors import ConfigurationError, unknown_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe._shells import F
    from tta_observe._values import AttributeValue

_BLOCK_OPTIONS = ("type", "action", "attributes")
_OPTIONS = (*_BLOCK_OPTIONS, "name", "capture_args", "capture_result")


@overload
def traced_primitive(function: F, /) -> F: ...
@overload
def traced_primitive(
    *,
    type: str = ...,
    action: str = ...,
    name: str | None = ...,
    attributes: Mapping[str, Any] | None = ...,
    capture_args: bool | None = ...,
    capture_result: bool | None = ...,
) -> Callable[[F], F]: ...
def traced_primitive(
    function: Any = None,
    /,
    *,
    type: str = "function",
    action: str = "execute",
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    capture_args: bool | None = None,
    capture_result: bool | None = None,
    **unknown: Never,
) -> Any:
    """
    Put one span and the call metrics around a function, method, coroutine function or generator alike.

    The function keeps its signature, result, exceptions and timing; it can be pickled and copied.

    Args:
        type: what kind of step it is, e.g. ``"router"``; see :data:`tta_observe.semconv.WELL_KNOWN_TYPES`.
            With *action* it makes the span's name: ``primitive.{type}.{action}``.
        action: what it does, e.g. ``"select"``.
        name: what it is called in metrics and on the service map. Default: its qualified name; a partial's is that of
            its function, a callable object's that of its class. Two sites with one name are one primitive.
        attributes: set on every span of it.
        capture_args: whether its arguments go on its spans, those named like secrets left out. Default: what
            ``configure(capture_content=)`` says.
        capture_result: the same for what it returns or yields.

    Raises:
        ConfigurationError: where it is written: *type* or *action* is no identifier (``[a-z][a-z0-9_]*``), an option is
            unknown or wrong, what is decorated is a class, or a lambda without *name*.
    """
    if unknown:
        raise unknown_option("traced_primitive", unknown, _OPTIONS)
    type_, action = _arguments.identifier("type", type), _arguments.identifier("action", action)
    extra = _arguments.attributes(attributes)
    name = None if name is None else _arguments.text("name", name)
    captured = {
        "capture_args": _arguments.switch("capture_args", capture_args),
        "capture_result": _arguments.switch("capture_result", capture_result),
    }

    def decorate(target: F) -> F:
        _shells.refuse_class(target, "traced_primitive")
        found = {**extra, **_code_attributes(target)}
        content = content_watcher(target, type_, **captured)
        site = _sites.primitive_site(name or _name_of(target), type_, action, found, target, content)
        site = site.always_captured() if True in captured.values() else site
        again = functools.partial(traced_primitive, type=type_, action=action, name=name, attributes=extra, **captured)
        return _shells.observe(target, functools.partial(_call.enter, site), functools.partial(_apply, again))

    return decorate if function is None else decorate(function)


def _apply(again: Callable[..., Callable[[F], F]], target: F) -> F:
    return again()(target)


class primitive(Block[_spans.SpanHandle]):  # noqa: N801 - used as a function
    """
    :func:`traced_primitive` for a block: ``with primitive("parse", type="processor") as span:``.

    Yields the span, whose ``set_attribute``, ``set_attributes`` and ``add_event`` take anything and never raise.

    Raises:
        ConfigurationError: *name* is no string or empty, *type* or *action* is no identifier, an option is unknown.
    """

    def __init__(
        self,
        name: str,
        *,
        type: str = "function",
        action: str = "execute",
        attributes: Mapping[str, Any] | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise unknown_option("primitive", unknown, _BLOCK_OPTIONS)
        super().__init__()
        self._given = (
            _arguments.text("name", name),
            _arguments.identifier("type", type),
            _arguments.identifier("action", action),
            _arguments.attributes(attributes),
        )
        self._site = _sites.primitive_site(*self._given)

    def __call__(self, function: F) -> F:
        """Decorate *function* as :func:`traced_primitive` does; unlike in a block, its result is known."""
        _shells.refuse_class(function, "primitive")
        content = content_watcher(function, self._given[1], capture_args=None, capture_result=None)
        site = _sites.primitive_site(*self._given, function, content)
        return cast("F", _shells.observe(function, functools.partial(_call.enter, site), self))

    def open(self) -> OpenBlock[_spans.SpanHandle]:
        """Open a new run in the current context. Never raises."""
        live = _call.enter(self._site)
        return OpenBlock(_spans.SpanHandle(live and live.span), live)


class step(Block[_spans.SpanHandle]):  # noqa: N801 - used as a function
    """
    A named part of what runs: a span ``primitive.sequential.step_{i}``, no execution and no node on the map.

    *i* counts from 0 inside the nearest workflow, primitive or step, in order of opening.

    Raises:
        ConfigurationError: *name* is no string, or empty.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = _arguments.text("name", name)

    def open(self) -> OpenBlock[_spans.SpanHandle]:
        """Open a new run in the current context. Never raises."""
        live = _spans.enter_step(self._name)
        return OpenBlock(_spans.SpanHandle(live and live.span), live)


def _name_of(target: Any) -> str:
    """
    What *target* is called when it was given no name.

    Raises:
        ConfigurationError: it is a lambda.
    """
    named = target.func if isinstance(target, functools.partial) else target
    name = getattr(named, "__qualname__", None)
    if not isinstance(name, str):
        name = type(named).__qualname__
    if "<lambda>" in name:
        raise ConfigurationError(
            "A lambda has no name to show. Write traced_primitive(name='pick_model')(lambda ...), or use def."
        )
    return clean_text(name.replace("<locals>.", ""), 512)


def _code_attributes(target: Any) -> dict[str, AttributeValue]:
    inner = inspect.unwrap(_shells.inner_function(target))
    code = getattr(inner, "__code__", None)
    if code is None:
        return {}
    module = getattr(inner, "__module__", None)  # code from exec() may have none
    return {
        semconv.CODE_FUNCTION_NAME: clean_text(f"{module}.{inner.__qualname__}" if module else inner.__qualname__),
        semconv.CODE_FILE_PATH: _relative(code.co_filename, module),
        semconv.CODE_LINE_NUMBER: code.co_firstlineno,
    }


def _relative(file: str, module: str | None) -> str:
    """
    *file* below the ``sys.path`` entry that *module* was imported from: no home directories leave the process.

    Where the name of the module does not tell which one that was, the longest is taken.
    """
    path = Path(file)
    parents = (Path(entry or ".").absolute() for entry in sys.path if isinstance(entry, str))
    below = sorted((path.relative_to(parent) for parent in parents if path.is_relative_to(parent)), key=_parts)
    imported = (found for found in below if _dotted(found) == module)
    return clean_text(next(imported, below[0] if below else Path(path.name)).as_posix())


def _parts(path: Path) -> int:
    return len(path.parts)


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")
