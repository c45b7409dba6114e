"""Arguments are checked once, where they were written; what is wrong says what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from tta_observe._values import clean_attributes, clean_text, finite_number, shown
from tta_observe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tta_observe._values import AttributeValue

_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_PROPOSAL: Final = 40


def identifier(what: str, value: object) -> str:
    """
    *value* when it may stand in a span name.

    Raises:
        ConfigurationError: it does not match ``[a-z][a-z0-9_]*``.
    """
    given = _text(value)
    if _IDENTIFIER.fullmatch(given):
        return given
    proposal = re.sub(r"[^a-z0-9]+", "_", given[:_LONGEST_PROPOSAL].lower()).strip("_")
    proposal = proposal if _IDENTIFIER.fullmatch(proposal) else "function"
    raise ConfigurationError(
        f"{what}={shown(value)} is no identifier: small letters, digits and underscores, a letter first. "
        f"Write {what}={proposal!r}."
    )


def text(what: str, value: object) -> str:
    """
    *value* as a clean name.

    Raises:
        ConfigurationError: it is not a string, or empty.
    """
    given = _text(value)
    if given.strip():
        return given
    raise ConfigurationError(
        f"{what} must be a string that says something, not {shown(value)}. Write e.g. {what}='review'."
    )


def amount(what: str, value: object) -> float:
    """
    *value* as an amount of money.

    Raises:
        ConfigurationError: it is no number, not finite, or negative.
    """
    found = finite_number(value)
    if found is not None:
        return float(found)
    raise ConfigurationError(
        f"{what}={shown(value)} is no amount. Write a number that is not negative, e.g. {what}=0.50 for half a dollar."
    )


def switch(what: str, value: object) -> bool | None:
    """
    *value* when it is True, False or None.

    Raises:
        ConfigurationError: it is not.
    """
    if value is None or type(value) is bool:
        return value
    raise ConfigurationError(f"{what}={shown(value)} is neither on nor off. Write {what}=True or {what}=False.")


def one_of(what: str, value: object, known: Iterable[str]) -> str:
    """
    *value* when it is one of *known*.

    Raises:
        ConfigurationError: it is not.
    """
    options = tuple(known)
    given = _text(value)
    if given in options:
        return given
    raise ConfigurationError(f"{what}={shown(value)} is not known. Write one of: {', '.join(options)}.")


def attributes(value: Mapping[str, Any] | None) -> dict[str, AttributeValue]:
    """
    *value* as clean span attributes.

    Raises:
        ConfigurationError: it is not a mapping.
    """
    if value is None:
        return {}
    if not hasattr(type(value), "items"):
        raise ConfigurationError(f"attributes={shown(value)} is no mapping. Write attributes={{'team': 'search'}}.")
    return clean_attributes(value)


def provider(what: str, value: Any, method: str) -> None:
    """
    Check that *value* is a provider of OpenTelemetry's, or None.

    Raises:
        ConfigurationError: it has no *method*.
    """
    if value is not None and not callable(getattr(value, method, None)):
        raise ConfigurationError(
            f"{what}={value!r} has no {method}(). Write {what}= and the provider that you made, or leave it out."
        )


def _text(value: object) -> str:
    return clean_text(cast("str", value)) if issubclass(type(value), str) else ""
