"""
What an object of an unknown class holds, read without running any code of that class.

A response may be anything that a user's function returns: a lazy proxy, a mock that answers every name, a model whose
property asks a server. So attributes are never asked for: the instance's own dictionary is looked at, or its slots.
"""

from __future__ import annotations

import enum
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from tta_observe._scalars import clean_text, finite_number, is_a, scalar, whole_number

Fields = dict[str, Any]
"""Names and values of one object or dict; of a subclass, maybe: only :func:`get` and :func:`has` may touch it."""

NOTHING: Final[Fields] = {}

MOST_TOKENS: Final = 10**12
"""A number of tokens from here on is no measurement; a counter would never recover from it."""

MOST_ITEMS: Final = 64
"""Choices, embeddings and the like that are looked at in one response."""

_MOST_NAME: Final = 512
_MOST_EXTRA: Final = 256

get: Final = dict.get
"""``get(fields, name)``, whatever a subclass makes of its own."""

has: Final = dict.__contains__

_bases: Final = type.__dict__["__mro__"].__get__
_namespace: Final = type.__dict__["__dict__"].__get__
_module: Final = type.__dict__["__module__"].__get__


def fields_of(value: Any) -> Fields | None:
    """What *value* holds by name; None when it is a plain value, or its class hides what it holds."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    # One by one: `in` would ask the class of a class whether it is equal.
    if value is None or kind is str or kind is list or kind is int or kind is float or kind is bool or kind is tuple:
        return None
    if issubclass(kind, dict):
        return value  # type: ignore[no-any-return]
    own = None
    for base in _bases(kind):
        names = _namespace(base)
        if own is None and (slot := names.get("__dict__")) is not None:
            own = slot.__get__(value) if _built_in(type(slot)) else NOTHING
        if "__pydantic_extra__" in names and own is not None:
            return _with_extra(own, names, value)
    return _slots(value, kind) if own is None else _own(own)


def part(fields: Fields, key: str) -> Fields:
    """The fields of what *fields* hold under *key*; none when there is nothing."""
    found = fields_of(get(fields, key))
    return NOTHING if found is None else found


def parts(fields: Fields, key: str) -> list[Fields]:
    """The fields of each of the first items of a list under *key*."""
    return [found for found in map(fields_of, items(get(fields, key))) if found is not None]


def items(value: Any) -> list[Any]:
    """The first items of a list or tuple; none of anything else."""
    if is_a(value, list):
        return list.__getitem__(value, slice(MOST_ITEMS))
    return list(tuple.__getitem__(value, slice(MOST_ITEMS))) if is_a(value, tuple) else []


def private(value: object, key: str) -> Fields:
    """The fields of what a pydantic model keeps under the private *key*."""
    for base in _bases(type(value)):
        kept = _member(_namespace(base), "__pydantic_private__", value)
        if is_a(kept, dict):
            return part(kept, key)
    return NOTHING


def client_of(value: object) -> str:
    """The package that defines the class of *value*: ``openai``."""
    module = _module(type(value))
    return module.partition(".")[0] if type(module) is str else ""


def count(value: object) -> int | None:
    """*value* as a number of tokens, else None."""
    if type(value) is not int:
        value = whole_number(value)
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None


def number(value: object) -> float | None:
    """*value* as a number of the request, such as a temperature, else None."""
    found = finite_number(value)
    return None if found is None else float(found)


def text(value: object) -> str | None:
    """*value* as a name: text, or a member of an enumeration whose value is text; else None."""
    if type(value) is not str:
        value = scalar(value) if is_a(value, (str, enum.Enum)) else None
    return clean_text(value, _MOST_NAME) or None if type(value) is str else None


def name(fields: Fields, key: str) -> str | None:
    """The name that *fields* hold under *key*."""
    return text(get(fields, key))


def texts(*values: object) -> tuple[str, ...]:
    """Those of *values* that are names."""
    return tuple(found for found in map(text, values) if found)


def filled(value: object) -> bool:
    """Whether *value* holds anything; a mark for "not set" of a client's own does not."""
    if value is None:
        return False
    for kind in (str, list, tuple, bytes):
        if is_a(value, kind):
            return bool(kind.__len__(value))  # type: ignore[arg-type]
    found = fields_of(value)
    return bool(found is not None and dict.__len__(found))


def first_count(fields: Fields, *keys: str) -> int | None:
    """The number of tokens under the first of *keys* that has one."""
    for key in keys:
        found = get(fields, key)
        if found is not None and (tokens := count(found)) is not None:
            return tokens
    return None


def _built_in(kind: type) -> bool:
    """Whether the interpreter itself puts a *kind* of descriptor into classes; any other is code of the class."""
    return kind is GetSetDescriptorType or kind is MemberDescriptorType


def _own(held: Any) -> Fields | None:
    return held if is_a(held, dict) and held is not NOTHING else None


def _with_extra(own: Any, names: Any, value: object) -> Fields | None:
    """What a pydantic model does not declare is kept apart: litellm's usage, DeepSeek's numbers in OpenAI's client."""
    if _own(own) is None:
        return None
    extra = get(own, "__pydantic_extra__")  # Mistral's client has a field of that name
    if extra is None:
        extra = _member(names, "__pydantic_extra__", value)
    if type(extra) is not dict or not extra or len(extra) > _MOST_EXTRA:
        return own  # type: ignore[no-any-return]
    return dict.copy(extra) | dict.copy(own)


def _member(names: Any, key: str, value: object) -> Any:
    slot = names.get(key)
    if type(slot) is not MemberDescriptorType:
        return None
    try:
        return slot.__get__(value)
    except AttributeError:  # never set
        return None


def _slots(value: object, kind: type) -> Fields | None:
    found: Fields = {}
    for base in _bases(kind):
        names = _namespace(base)
        if "__slots__" in names:
            for key in islice(names, _MOST_EXTRA):
                if (held := _member(names, key, value)) is not None:
                    found.setdefault(key, held)
    return found or None
