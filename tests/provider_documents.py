"""The documented answers of providers: ``tests/providers/documents``, whose README says what a file holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tta_observe._responses import Reading

DOCUMENTS = Path(__file__).parent / "providers" / "documents"


@dataclass(frozen=True)
class Document:
    """One documented answer: a *body*, or the *events* of a stream."""

    provider: str
    case: str
    source: str
    read: str
    endpoint: str
    expected: Reading | None
    client: Reading | None
    body: Any = None
    events: tuple[Any, ...] = ()
    first_output: int | None = None
    error: bool = False
    server: str | None = None

    @property
    def streamed(self):
        return self.body is None

    def __str__(self):
        return f"{self.provider}/{self.case}"


def documents(*providers, streamed=None):
    """All documents of these *providers* (none named: of all), in the order of their names."""
    found = (_document(path) for path in sorted(DOCUMENTS.glob("*/*.json")))
    return [d for d in found if (not providers or d.provider in providers) and streamed in (None, d.streamed)]


def _document(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    expected = content["expected"]
    return Document(
        provider=path.parent.name,
        case=path.stem,
        source=content["source"],
        read=content["read"],
        endpoint=content["endpoint"],
        expected=_reading(expected),
        client=_reading(expected, **content.get("client", {})),
        body=content.get("body"),
        events=tuple(content.get("events", ())),
        first_output=content.get("first_output"),
        error=content.get("error", False),
        server=content.get("server"),
    )


def _reading(expected, **more):
    if expected is None:
        return None
    said = {**expected, **more}
    return Reading(**{**said, "finish_reasons": tuple(said.get("finish_reasons", ()))})
