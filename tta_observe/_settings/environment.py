"""Environment variables: never raises, tells what was wrong, repeats no value."""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import unquote

from tta_observe._settings.parts import DEFAULT_ENDPOINT, Address, address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Signal = Literal["TRACES", "METRICS"]

_T = TypeVar("_T")

_AN_ADDRESS: Final = f"an address, e.g. {DEFAULT_ENDPOINT}"


class Environment:
    """Variables, and what was wrong with them; values are never repeated, they may be secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def get(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def problem(self, text: str) -> None:
        """Remember what has to be told, once."""
        if text not in self.problems:
            self.problems.append(text)

    def parsed(self, name: str, parse: Callable[[str], _T | None], expected: str) -> _T | None:
        """The variable as *parse* reads it; None when it is not set, or wrong, which is told."""
        raw = self.get(name)
        found = parse(raw) if raw is not None else None
        if raw is not None and found is None:
            self.problem(f"{name} is ignored: it is not {expected}.")
        return found

    def otlp(self, signal: Signal, name: str, parse: Callable[[str], _T | None], expected: str) -> _T | None:
        """The variable of one signal, else the one for all."""
        for variable in (f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            found = self.parsed(variable, parse, expected)
            if found is not None:
                return found
        return None

    def endpoint(self, signal: Signal) -> Address | None:
        return self.otlp(signal, "ENDPOINT", address_of, _AN_ADDRESS)

    def own_endpoint(self, signal: Signal) -> Address | None:
        """What is said for this signal alone."""
        return self.parsed(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", address_of, _AN_ADDRESS)

    def flag(self, name: str) -> bool:
        return self.parsed(name, word("true", "false"), "true or false") == "true"

    def service_name(self) -> str:
        listed = dict(pairs(self.get("OTEL_RESOURCE_ATTRIBUTES") or ""))
        script = Path(sys.argv[0] if sys.argv and sys.argv[0] else "python").stem
        return self.get("OTEL_SERVICE_NAME") or listed.get("service.name") or f"unknown_service:{script}"

    def milliseconds(self, name: str) -> float | None:
        """A positive number of milliseconds, in seconds."""
        found = self.parsed(name, positive, "a positive number of milliseconds, e.g. 15000")
        return None if found is None else found / 1000


def word(*known: str) -> Callable[[str], str | None]:
    """A reader of one of *known*, in small letters."""
    return lambda text: text.lower() if text.lower() in known else None


def positive(text: str) -> float | None:
    """A positive finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number > 0 and isfinite(number) else None


def pairs(text: str) -> list[tuple[str, str]]:
    """What stands in ``key=value,key2=value2``, percent signs decoded; what has no ``=`` is left out."""
    split = (part.partition("=") for part in text.split(","))
    return [(unquote(key.strip()), unquote(value.strip())) for key, sep, value in split if sep and key.strip()]
