"""
W3C Trace Context and baggage: what a caller tells of itself, written into headers and read from them.

Headers come from strangers: they are bounded before they are looked at, and what is malformed is ignored.
Sources: W3C Trace Context (level 1), W3C Baggage (working draft of 2024).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from tta_observe import semconv
from tta_observe._guard import LOGGER, quietly
from tta_observe._scalars import clean_text, is_a
from tta_observe._secrets import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tta_observe._otel_context import Parent

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"

MAX_HEADERS: Final = 1000
"""So many headers are looked at."""

MAX_CHARACTERS: Final = 8192
"""Longest header; W3C Baggage asks that 8,192 bytes be passed on."""

MAX_MEMBERS: Final = 180
"""Most members of a baggage header."""

MAX_NAME_BYTES: Final = 256
"""Longest name that travels."""

_NAMES: Final = frozenset({TRACEPARENT, TRACESTATE, BAGGAGE})
_KEYS: Final = (semconv.BAGGAGE_SERVICE, semconv.BAGGAGE_PRIMITIVE, semconv.BAGGAGE_WORKFLOW, semconv.BAGGAGE_AGENT)
_LONGEST: Final = len("http_traceparent")
_SPAN: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\r\n]*)?")
_STATE: Final = re.compile(
    r"([a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})"
    r"=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])"
)
_MAX_STATES: Final = 32
_NOT_IN_NAMES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn what is written around them, in a terminal as well."""


class Told(NamedTuple):
    """What a caller tells of itself: its span, and names."""

    span: Parent | None
    service: str | None = None
    primitive: str | None = None
    workflow: str | None = None
    agent: str | None = None


def read(headers: object) -> Told:
    """What the caller told by *headers*; names without a span are nobody's."""
    found = _ours(headers)
    span = _span(found.get(TRACEPARENT, []))
    if span is None:
        return Told(None)
    named = _named(_members(",".join(found.get(BAGGAGE, []))))
    return Told((*span, _state(",".join(found.get(TRACESTATE, [])))), *(named.get(key) for key in _KEYS))


def written(headers: object, told: Told) -> dict[str, str]:
    """The headers that tell *told* to the next service, with the baggage that is in *headers* already."""
    if told.span is None:
        return {}
    trace_id, span_id, flags, state = told.span
    found = {TRACEPARENT: f"00-{trace_id:032x}-{span_id:016x}-{flags & 0xFF:02x}"}
    if state:
        found[TRACESTATE] = ",".join(f"{key}={value}" for key, value in state)
    baggage = _merged(",".join(_ours(headers).get(BAGGAGE, [])), told)
    return {**found, BAGGAGE: baggage} if baggage is not None else found


def put(headers: Any, found: Mapping[str, str]) -> None:
    """Put *found* into *headers*, in place of those of the same name however it is spelled."""
    if not quietly(_put_in_list if is_a(headers, list) else _put_in_mapping, headers, found):
        ignored("headers", f"{type(headers).__name__} takes none: pass a dict, or a list of pairs")


def ignored(header: str, why: str) -> None:
    """Say at debug level that *header* was ignored, and *why*; never what was in it."""
    quietly(LOGGER.debug, "%s ignored: %s", header, why)


def _ours(headers: object) -> dict[str, list[str]]:
    """The values of our three headers; of one that is too long enough to see that it is."""
    found: dict[str, list[str]] = {}
    for spelled, value in _pairs(headers):
        name, text = _name(spelled), _text(value, MAX_CHARACTERS + 1)
        if name is not None and text is not None:
            found.setdefault(name, []).append(text)
    return found


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """Names and values, whatever kind of headers it is."""
    items = dict.items(headers) if is_a(headers, dict) else quietly(_items, headers)
    pairs = quietly(_bounded, items) if items is not None else None
    return [pair for item in pairs or () if (pair := quietly(_pair, item)) is not None]


def _items(headers: Any) -> Any:
    return headers if is_a(headers, (list, tuple)) or not hasattr(headers, "items") else headers.items()


def _bounded(items: Any) -> list[Any]:
    return list(islice(items, MAX_HEADERS))


def _pair(item: Any) -> tuple[Any, Any]:
    name, value = tuple.__iter__(item) if is_a(item, tuple) else list.__iter__(item)
    return name, value


def _name(spelled: object) -> str | None:
    """Which of ours it is, however it is spelled: a WSGI server writes ``HTTP_TRACEPARENT``."""
    text = _text(spelled, _LONGEST + 1)
    name = text.lower().removeprefix("http_") if text is not None else None
    return name if name in _NAMES else None


def _text(value: Any, limit: int) -> str | None:
    if is_a(value, str):
        return str.__getitem__(value, slice(limit))
    return bytes.__getitem__(value, slice(limit)).decode("latin-1") if is_a(value, bytes) else None


def _span(values: list[str]) -> tuple[int, int, int] | None:
    if not values:
        return None
    is_one = len(values) == 1 and len(values[0]) <= MAX_CHARACTERS
    found = _SPAN.fullmatch(values[0].strip(" \t")) if is_one else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        ignored(TRACEPARENT, "malformed, too long, or there are several")
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    if not trace_id or not span_id:
        ignored(TRACEPARENT, "an identifier is all zeros")
        return None
    return trace_id, span_id, int(found[4], 16)


def _state(text: str) -> tuple[tuple[str, str], ...]:
    """All of it or nothing: checked here, because OpenTelemetry warns of what it is told, with the text."""
    members = [member for part in text[:MAX_CHARACTERS].split(",") if (member := part.strip(" \t"))]
    found = [pair for member in members if (pair := _STATE.fullmatch(member)) is not None]
    keys = {pair[1] for pair in found}
    if len(text) > MAX_CHARACTERS or len(keys) != len(members) or len(members) > _MAX_STATES:
        ignored(TRACESTATE, "malformed, too long, or a key occurs twice")
        return ()
    return tuple((pair[1], pair[2]) for pair in found)


def _members(text: str) -> list[str]:
    members = text.split(",", MAX_MEMBERS) if text else []
    if len(text) > MAX_CHARACTERS or len(members) > MAX_MEMBERS:
        ignored(BAGGAGE, "too long, or too many members")
        return []
    return members


def _key(member: str) -> str:
    return member.partition("=")[0].strip(" \t")


def _named(members: list[str]) -> dict[str, str]:
    """Our names, by key; one that is told twice is not told."""
    found: dict[str, str] = {}
    keys = [_key(member) for member in members]
    for key, member in zip(keys, members, strict=True):
        if key not in _KEYS:
            continue
        name = _decoded(member.partition("=")[2].partition(";")[0].strip(" \t"))
        if name is None or keys.count(key) > 1:
            ignored(key, "no name, or told twice")
        else:
            found[key] = name
    return found


def _decoded(value: str) -> str | None:
    try:
        name = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return None
    return name if value.isascii() and is_name(name) else None


def is_name(text: str) -> bool:
    """Whether *text* may be a name that travels: it says something, is short, and does nothing to a terminal."""
    if not text.strip() or len(text.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return False
    return not any(unicodedata.category(sign) in _NOT_IN_NAMES or sign in _TURNS for sign in text)


def _merged(text: str, told: Told) -> str | None:
    """The baggage header *text* with our names in place of those in it; None to leave it as it is."""
    names = {key: masked(clean_text(name, MAX_NAME_BYTES)) for key, name in zip(_KEYS, told[1:], strict=True) if name}
    ours = [f"{key}={quote(name, safe='')}" for key, name in names.items() if is_name(name)]
    theirs = [member for member in text.split(",") if member.strip() and _key(member) not in _KEYS]
    merged = ",".join([*theirs, *ours])
    if len(merged) > MAX_CHARACTERS or len(theirs) + len(ours) > MAX_MEMBERS:
        ignored(BAGGAGE, "there is no room for our names beside what is in it")
        return None
    return merged or None


def _put_in_list(headers: Any, found: Mapping[str, str]) -> bool:
    spelled = [pair[0] for item in headers if (pair := quietly(_pair, item)) is not None]
    as_bytes = bool(spelled) and is_a(spelled[0], bytes)
    headers[:] = [item for item in headers if (pair := quietly(_pair, item)) is None or _name(pair[0]) not in found]
    headers.extend([(_alike(name, as_bytes), _alike(value, as_bytes)) for name, value in found.items()])
    return True


def _put_in_mapping(headers: Any, found: Mapping[str, str]) -> bool:
    spelled = [name for name, _ in _pairs(headers)]
    as_bytes = bool(spelled) and is_a(spelled[0], bytes)
    for name, value in found.items():
        for known in [known for known in spelled if _name(known) == name]:
            del headers[known]  # an e-mail message would have both
        headers[_alike(name, as_bytes)] = _alike(value, as_bytes)
    return True


def _alike(text: str, as_bytes: bool) -> str | bytes:  # noqa: FBT001 - what the others are
    return text.encode("latin-1") if as_bytes else text
