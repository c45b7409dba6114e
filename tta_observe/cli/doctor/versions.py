"""What is installed, and whether it goes together."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from tta_observe.cli.doctor.findings import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tta_observe.cli.doctor.findings import Finding

VERSIONS: Final = Group("Versions")

_OURSELVES: Final = "tta-observe"
_FAMILY: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-proto",
)
"""Released together; each is written against the others of the same release."""
_OTHERS: Final = (_OURSELVES, "wrapt", "grpcio", "protobuf", "pydantic", "rich")
_EXTRA: Final = "prometheus_client"
_OLDEST_PYTHON: Final = (3, 11)


def check(*, scraped: bool) -> list[Finding]:
    """Look up what is installed; *scraped* says whether the extra for ``/metrics`` is wanted."""
    found = {name: installed(name) for name in (*_FAMILY, *_OTHERS, _EXTRA)}
    return list(judge(found, _minimums(), sys.version_info[:2], scraped=scraped))


def judge(
    found: Mapping[str, str | None], minimums: Mapping[str, str], python: tuple[int, int], *, scraped: bool
) -> Iterator[Finding]:
    """Say what is missing, too old, or does not go together."""
    yield _python(python)
    for name in (*_FAMILY, *_OTHERS):
        yield from _missing_or_old(name, found.get(name), minimums.get(name))
    yield _family({name: version for name in _FAMILY if (version := found.get(name))})
    yield VERSIONS.ok("others", ", ".join(f"{name} {version}" for name in _OTHERS if (version := found.get(name))))
    yield _extra(found.get(_EXTRA), scraped=scraped)


def installed(name: str) -> str | None:
    """The version of the distribution *name*; None when it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def parsed(version: str) -> tuple[int, ...]:
    """The leading numbers of *version*: ``1.45.2rc1`` is 1, 45, 2."""
    found = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def _python(python: tuple[int, int]) -> Finding:
    if python < _OLDEST_PYTHON:
        return VERSIONS.problem("Python", platform.python_version(), "Use Python 3.11 or newer")
    return VERSIONS.ok("Python", f"{platform.python_version()} ({platform.python_implementation()})")


def _missing_or_old(name: str, version: str | None, minimum: str | None) -> Iterator[Finding]:
    if version is None:
        yield VERSIONS.problem(name, "not installed", f"pip install {name}")
    elif minimum is not None and parsed(version) < parsed(minimum):
        yield VERSIONS.problem(name, f"{version}, needs {minimum} or newer", f"pip install -U '{name}>={minimum}'")


def _family(found: Mapping[str, str]) -> Finding:
    if len({parsed(version)[:2] for version in found.values()}) > 1:
        told = ", ".join(f"{name.removeprefix('opentelemetry-')} {version}" for name, version in found.items())
        return VERSIONS.problem("OpenTelemetry", f"mixed releases: {told}", f"pip install -U {' '.join(_FAMILY[:3])}")
    return VERSIONS.ok("OpenTelemetry", next(iter(found.values()), "not installed"))


def _extra(version: str | None, *, scraped: bool) -> Finding:
    if version is not None:
        return VERSIONS.ok(_EXTRA, version)
    if scraped:
        return VERSIONS.problem(_EXTRA, "not installed", "pip install 'tta-observe[prometheus]'")
    return VERSIONS.ok(_EXTRA, "not installed, and not needed")


def _minimums() -> dict[str, str]:
    """What our own package asks for."""
    try:
        asked = metadata.requires(_OURSELVES) or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)>=([\d.]+)", requirement) for requirement in asked if "extra ==" not in requirement)
    return {match[1]: match[2] for match in found if match}
