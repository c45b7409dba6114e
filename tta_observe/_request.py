"""What a call asks of a model, by the names of its arguments."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tta_observe import semconv
from tta_observe._guard import quietly
from tta_observe._values import clean_label, finite_number, is_a, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tta_observe._values import AttributeValue


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; None where nothing says it."""

    provider: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def attributes(self) -> dict[str, AttributeValue]:
        """The span attributes of it."""
        found: dict[str, AttributeValue | None] = {
            semconv.LLM_PROVIDER: self.provider,
            semconv.LLM_MODEL_NAME: self.model,
            semconv.LLM_TEMPERATURE: self.temperature,
            semconv.LLM_MAX_TOKENS: self.max_tokens,
        }
        return {key: value for key, value in found.items() if value is not None}


_ARGUMENTS: Final = {
    "provider": ("provider",),
    "model": ("model",),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens", "max_output_tokens", "max_completion_tokens"),
}
"""Field of a :class:`Request` to what clients call the argument."""

_Places = dict[str, tuple[int, object]]


def request_reader(function: Any) -> Callable[[tuple[Any, ...], Mapping[str, Any]], Request]:
    """Prepare, where *function* is decorated, what reads the request out of the arguments of a call."""
    if not isinstance(function, partial):
        return partial(_request, _places(function))
    read, bound, named = request_reader(function.func), function.args, function.keywords
    return lambda args, kwargs: read((*bound, *args), {**named, **kwargs})


def _request(places: _Places, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request:
    found = {field: _argument(names, places, args, kwargs) for field, names in _ARGUMENTS.items()}
    return Request(
        _name(found["provider"]),
        _name(found["model"]),
        finite_number(found["temperature"]),
        whole_number(found["max_tokens"]),
    )


def _argument(names: tuple[str, ...], places: _Places, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
    for name in names:
        position, value = places.get(name, (-1, None))
        if name in kwargs:
            value = kwargs[name]
        elif 0 <= position < len(args):
            value = args[position]
        if value is not None:
            return value
    return None


def _name(value: object) -> str | None:
    # Not any object: a parameter called `model` may well hold a client.
    return clean_label(value) if is_a(value, str) else None


def _places(function: Any) -> _Places:
    """Position, -1 for none, and default of every parameter that has one of the names."""
    signature = quietly(inspect.signature, function) if function is not None else None
    wanted = {name for names in _ARGUMENTS.values() for name in names}
    parameters = enumerate(signature.parameters.values()) if signature is not None else ()
    return {
        parameter.name: (_position(parameter, index), _default(parameter))
        for index, parameter in parameters
        if parameter.name in wanted
    }


def _position(parameter: inspect.Parameter, index: int) -> int:
    return index if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) else -1


def _default(parameter: inspect.Parameter) -> object:
    return None if parameter.default is parameter.empty else parameter.default
