"""
``[tool.tta_observe]`` of a TOML file, which ``tta-observe run`` reads: settings, and what to observe.

Read once, frozen after. Every complaint names the file and the key, and says what to write.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tta_observe._settings.environment import pairs
from tta_observe._settings.keywords import Keywords, checked, checked_prices
from tta_observe.errors import ConfigurationError
from tta_observe.pricing import Price

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE_NAME: Final = "pyproject.toml"

_TABLE: Final = "tool.tta_observe"
_PRIMITIVES: Final = "primitives"
_WORKFLOWS: Final = "workflows"
_NOT_HERE: Final = {
    "headers": "Headers are secrets. Set OTEL_EXPORTER_OTLP_HEADERS in the environment instead.",
    "redact": "A function cannot stand in a file. Call configure(redact=...) in the program instead.",
}
_SETTINGS: Final = tuple(name for name in Keywords.model_fields if name not in _NOT_HERE)
_RULE_KEYS: Final = {
    _PRIMITIVES: ("pattern", "type", "action", "name", "attributes", "capture_args", "capture_result"),
    _WORKFLOWS: (
        "pattern",
        "name",
        "session_id",
        "agent_id",
        "agent_type",
        "llm_provider",
        "llm_model_name",
        "llm_model_tier",
        "attributes",
        "budget_usd",
    ),
}
_EXAMPLES: Final = {
    _PRIMITIVES: '[[tool.tta_observe.primitives]]\n  pattern = "package.module:search_*"\n  type = "retriever"',
    _WORKFLOWS: '[[tool.tta_observe.workflows]]\n  pattern = "package.module:main"\n  name = "answer"',
}
_ENDPOINTS: Final = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_"))
_OUTRANKED_BY: Final = {
    "service_name": ("OTEL_SERVICE_NAME",),
    "exporter": ("TTA_OBSERVE_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", *_ENDPOINTS),
    "endpoint": _ENDPOINTS,
    "insecure": _ENDPOINTS,
    "protocol": tuple(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL" for signal in ("", "TRACES_", "METRICS_")),
    "sample_ratio": ("OTEL_TRACES_SAMPLER",),
    "export_interval_s": ("OTEL_METRIC_EXPORT_INTERVAL",),
    "store": ("TTA_OBSERVE_STORE",),
    "capture_content": ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",),
}
_SAME_AS: Final = {"service_name": ("service.name",), "environment": ("deployment.environment.name",)}
"""Settings that are resource attributes under another name: the variable for those outranks them as well."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """One entry of ``primitives`` or ``workflows``; *where* says which, for whoever has to find it."""

    pattern: str
    options: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What one file says; *path* is None where there is no file."""

    path: Path | None = None
    keywords: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """For ``configure()``."""
    primitives: tuple[FileRule, ...] = ()
    workflows: tuple[FileRule, ...] = ()

    def under(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """The keywords about which *environ* says nothing: a file ranks last."""
        named = dict(pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")))
        found = {name: value for name, value in self.keywords.items() if not _is_outranked(name, environ, named)}
        if "resource_attributes" in found:
            found["resource_attributes"] = {k: v for k, v in found["resource_attributes"].items() if k not in named}
        return found


def find(places: Iterable[Path]) -> FileSettings:
    """
    What the first ``pyproject.toml`` in or above one of *places* says that has ``[tool.tta_observe]``.

    Raises:
        ConfigurationError: it has, and is wrong.
    """
    for place in places:
        for directory in (place, *place.parents):
            text = _text_of(directory / FILE_NAME)
            if text is not None and "tta_observe" in text:
                found = _settings(directory / FILE_NAME, text)
                if found is not None:
                    return found
    return FileSettings()


def read(path: Path) -> FileSettings:
    """
    What the file at *path* says: under ``[tool.tta_observe]``, or at its top where it has no ``[tool]`` at all.

    Raises:
        ConfigurationError: it cannot be read, or is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    found = _settings(path, text, at_top=path.name != FILE_NAME)
    if found is None:
        raise ConfigurationError(f"{path} has no [{_TABLE}]. Write one, or propose it: tta-observe run --suggest")
    return found


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # there is none, or it is nothing of ours
        return None


def _settings(path: Path, text: str, *, at_top: bool = False) -> FileSettings | None:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}.") from None
    tool = content.get("tool")
    if at_top and tool is None:
        table: Any = content
    else:
        table = tool.get("tta_observe") if isinstance(tool, dict) else None
    if table is None:
        return None
    try:
        return _parsed(path, table)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _parsed(path: Path, table: object) -> FileSettings:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{_TABLE} is no table. Write [{_TABLE}] and the keys below it.")
    given = {name: value for name, value in table.items() if name not in _RULE_KEYS}
    _refuse_unknown(f"[{_TABLE}]", given, (*_SETTINGS, *_RULE_KEYS))
    rules = {kind: tuple(_rules(path, kind, table.get(kind, []))) for kind in _RULE_KEYS}
    return FileSettings(path, MappingProxyType(_keywords(path, given)), rules[_PRIMITIVES], rules[_WORKFLOWS])


def _keywords(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(given)
    if isinstance(found.get("store"), str):  # as everything else in such a file: from where the file is
        found["store"] = str(path.parent / Path(found["store"]).expanduser())
    if "prices" in found:
        found["prices"] = _prices(found["prices"])
    try:
        checked(found)
    except ConfigurationError as error:
        raise ConfigurationError(f"[{_TABLE}] {error}") from None
    return found


def _prices(given: object) -> dict[str, Price]:
    if not isinstance(given, dict):
        raise ConfigurationError(f"[{_TABLE}] prices is no table. {_PRICE}")
    return checked_prices({model: _price(model, value) for model, value in given.items()})


def _price(model: str, value: object) -> Price:
    try:
        return Price(**value)  # type: ignore[arg-type]  # checked by the next line
    except (TypeError, ValueError):
        raise ConfigurationError(f"[{_TABLE}.prices] {model} = {value!r} is no price. {_PRICE}") from None


_PRICE: Final = f'Write, in USD per million tokens:\n  [{_TABLE}.prices]\n  "my-model" = {{ input = 2.5, output = 10 }}'


def _rules(path: Path, kind: str, entries: object) -> Iterable[FileRule]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(f"[{_TABLE}] {kind} is no list of tables. Write:\n  {_EXAMPLES[kind]}")
    for i, entry in enumerate(entries):
        where = f"[[{_TABLE}.{kind}]] number {i + 1}"
        _refuse_unknown(where, entry, _RULE_KEYS[kind])
        pattern = entry.get("pattern")
        if not isinstance(pattern, str):
            raise ConfigurationError(f"{where} has no pattern. Write:\n  {_EXAMPLES[kind]}")
        options = {name: value for name, value in entry.items() if name != "pattern"}
        yield FileRule(pattern, MappingProxyType(options), f"{path}: {where}")


def _refuse_unknown(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    options = sorted(known)
    for name in given:
        if name in options:
            continue
        close = get_close_matches(name, options, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"It takes: {', '.join(options)}."
        raise ConfigurationError(f"{where} has no key {name!r}. {_NOT_HERE.get(name, hint)}")


def _is_outranked(name: str, environ: Mapping[str, str], resource: Mapping[str, str]) -> bool:
    variables = _OUTRANKED_BY.get(name, ())
    said = any(environ.get(variable, "").strip() for variable in variables)
    return said or any(key in resource for key in _SAME_AS.get(name, ()))
