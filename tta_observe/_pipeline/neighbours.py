"""
Providers that somebody else has made: where their own pipelines lead, and how to join them without a disturbance.

What is inside of them is looked at and never called: OpenTelemetry has no way to ask a provider what it exports.
"""

from __future__ import annotations

import inspect
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from tta_observe._guard import quietly
from tta_observe._settings.parts import Address, address_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import SpanProcessor

    from tta_observe._settings import Target

Lead = Literal["there", "elsewhere", "unknown"]

_PARTS: Final = ("Provider", "Processor", "Exporter", "Reader", "Wrapper", "Configuration")
"""How the classes are called that a pipeline is made of, OpenTelemetry's and other people's around them."""

_MOST_PARTS: Final = 500
_COLLECTOR_PORTS: Final = frozenset({4317, 4318})
"""One collector takes gRPC at the one and HTTP at the other. Source: OTLP specification 1.9."""


def add_processor(provider: Any, processor: SpanProcessor) -> None:
    """
    Add *processor* to what *provider* has.

    Phoenix's provider drops the exporter that it came with as soon as somebody adds another one, unless it is told
    not to (``phoenix.otel.TracerProvider``, arize-phoenix-otel 0.17).
    """
    signature = quietly(inspect.signature, provider.add_span_processor)
    keeps = {"replace_default_processor": False}
    if signature is not None and keeps.keys() <= signature.parameters.keys():
        provider.add_span_processor(processor, **keeps)
    else:
        provider.add_span_processor(processor)


def lead(provider: Any, target: Target) -> Lead:
    """
    Whether an OTLP exporter of *provider* sends to *target*; ``elsewhere`` when all that can be seen send to others.

    One that sees no exporter knows nothing: it may be a class that nobody thought of, or one that is still to come.
    """
    found = quietly(lambda: [address_of(endpoint) for endpoint in _endpoints(provider)]) or []
    if not found or None in found:
        return "unknown"
    return "there" if any(_is(address, target) for address in found if address is not None) else "elsewhere"


def _endpoints(provider: Any) -> Iterator[str]:
    waiting, seen = [provider], set[int]()
    while waiting and len(seen) < _MOST_PARTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        held = vars(part) if hasattr(part, "__dict__") else {}
        if type(held.get("_endpoint")) is str:
            yield held["_endpoint"]
        waiting += [inner for value in held.values() for inner in _several(value) if _is_part(inner)]


def _several(value: Any) -> list[Any]:
    return list(islice(value, _MOST_PARTS)) if type(value) in (list, tuple, set, frozenset) else [value]


def _is_part(value: Any) -> bool:
    return type(value).__name__.endswith(_PARTS)


def _is(address: Address, target: Target) -> bool:
    if address.host != target.host and not (is_loopback(address.host) and is_loopback(target.host)):
        return False
    if address.port is None and address.tls is None:
        return True  # gRPC without a port: whatever the library chooses
    port = address.port or (443 if address.tls else 80)
    return port == target.port or {port, target.port} <= _COLLECTOR_PORTS
