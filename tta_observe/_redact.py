"""
The redactor: no secret leaves the process, whoever recorded it.

It runs where telemetry is handed to an exporter, in the thread that sends, never on a call and under no lock. What it
cannot look at it does not let out.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tta_observe._guard import warn_once
from tta_observe._secrets import is_secret_name, masked
from tta_observe._values import MARKED, clean_key, clean_text, kept
from tta_observe.semconv import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_ATTRIBUTES: Final = 1024
_OFTEN: Final = 64
"""Keys of so many characters need no cleaning when they are ASCII."""


class Redactor:
    """
    Makes values safe to send: cleaned, without secrets, and as the user's *function* wants them.

    *function* is called as ``function(key, value)`` after our own search; None leaves the value out. What it raises is
    counted and drops the value.
    """

    def __init__(self, function: Callable[[str, Any], Any] | None = None) -> None:
        self._function = function

    def attributes(self, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """*given* itself when it may leave as it is, else a safe copy."""
        found = dict(given or {})
        safe: dict[str, Any] = {}
        same = len(found) <= _MAX_ATTRIBUTES
        for key, value in islice(found.items(), _MAX_ATTRIBUTES):
            name = key if type(key) is str and key.isascii() and 0 < len(key) <= _OFTEN else clean_key(key)
            leaves = None if name is None else self._value(name, value)
            same = same and name is key and leaves is value
            if name is not None and leaves is not None:
                safe[name] = leaves
        return given if same else safe

    def text(self, key: str, text: object) -> str:
        """A name or a message, which cannot be left out; *key* is what the user's function is told that it is."""
        leaves = self._value(key, text)
        return REDACTED if leaves is None else leaves if type(leaves) is str else clean_text(str(leaves))

    def _value(self, key: str, value: object) -> Any:
        kind = type(value)
        safe: Any = _kept_text(value) if kind is str else kept(value)
        if kind is not bool and is_secret_name(key):
            safe = _secret()
        elif kind is not float and kind is not int:
            safe = _searched(safe)
        return safe if self._function is None or safe is None else self._as_wanted(self._function, key, safe)

    def _as_wanted(self, function: Callable[[str, Any], Any], key: str, value: Any) -> Any:
        try:
            wanted = function(key, value)
        except BaseException as error:  # noqa: BLE001 - user code in a thread of ours: nothing of it may end that
            MARKED["redact_failed"] += 1
            warn_once(
                "redact-failed",
                "the function given as redact= raised %s: the value is left out. Return the value, or None to drop it.",
                type(error).__name__,
            )
            return None
        return value if wanted is value else kept(wanted)


def _kept_text(text: Any) -> str:
    safe = clean_text(text)
    return text if safe == text else safe


def _searched(value: Any) -> Any:
    if type(value) is str:
        safe = masked(value)
        return value if safe is value or safe == value else _counted(safe)
    if type(value) is tuple:
        return _searched_items(value)
    if type(value) is dict:
        return {key: _secret() if is_secret_name(key) else _searched(item) for key, item in value.items()}
    if type(value) is bytes:
        text = value.decode("utf-8", "replace")
        return value if masked(text) == text else _secret()
    return value


def _searched_items(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items of a sequence; what follows the name of a secret is one: ``["--password", "..."]``."""
    named = (False, *(type(item) is str and is_secret_name(item) for item in items[:-1]))
    return tuple(_secret() if after_name else _searched(item) for after_name, item in zip(named, items, strict=True))


def _secret() -> str:
    return _counted(REDACTED)


def _counted(safe: str) -> str:
    MARKED["redacted"] += 1
    return safe
