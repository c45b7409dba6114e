"""
``tta-observe doctor``: why do I see nothing?

Looks at the settings, at where the telemetry goes, at what is installed and, when told where, at a Prometheus. Changes
nothing. What is asked and what is judged are apart: each check gathers facts, and a pure function turns them into
:class:`~tta_observe.cli.doctor.findings.Finding`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Final

from tta_observe.cli import output
from tta_observe.cli.doctor.attempts import begin
from tta_observe.cli.doctor.drawing import as_json, render, signs_for
from tta_observe.cli.doctor.fetch import Base, base_of
from tta_observe.cli.doctor.findings import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from tta_observe.cli.doctor.findings import Finding

_LONGEST_S: Final = 8.0
"""How long all checks may take together; each has shorter limits of its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        type=_base,
        help="also look whether the names arrive there, e.g. http://127.0.0.1:9090",
    )
    parser.add_argument("--json", action="store_true", help="write every check as JSON")


def run(options: argparse.Namespace) -> int:
    """Look at everything, say what was found; 1 when there is a problem."""
    findings = examine(os.environ, options.prometheus)
    signs = signs_for(getattr(sys.stdout, "encoding", None))
    output.say(as_json(findings) if options.json else render(findings, output.screen(), signs))
    return int(any(finding.state == "problem" for finding in findings))


def examine(environ: Mapping[str, str], base: Base | None = None) -> list[Finding]:
    """Run every check beside the others; one that fails or does not end is a finding itself."""
    checks: dict[str, Callable[[], list[Finding]]] = {
        "Settings": lambda: _settings(environ),
        "Versions": lambda: _versions(environ),
        "Other telemetry": _neighbours,
        "Local store": lambda: _store(environ),
        "OTLP": lambda: _otlp(environ),
        "Scrape endpoint": lambda: _page(environ),
        **({"Prometheus": lambda: _prometheus(base)} if base is not None else {}),
    }
    running = {title: begin(check) for title, check in checks.items()}
    end = time.monotonic() + _LONGEST_S
    return [finding for title, future in running.items() for finding in _ended(title, future, end)]


def _ended(title: str, future: Future[list[Finding]], end: float) -> list[Finding]:
    group = Group(title)
    try:
        return future.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        return [group.problem("check", f"did not end within {_LONGEST_S:g} s", "Try again, and see which host is slow")]
    except ImportError as error:
        return [group.problem("check", f"{error.name or 'a package'} cannot be imported", "pip install -U tta-observe")]
    except OSError as error:
        found = f"could not be made: {error.strerror or type(error).__name__}"
        return [group.problem("check", found, "See that the current directory is still there, and try again")]
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide what the others found
        found = f"could not be made: {type(error).__name__}"
        return [group.problem("check", found, "Report this: it is a mistake in tta-observe")]


# The modules are loaded by the check that needs them: one that cannot be imported is a finding too.


def _settings(environ: Mapping[str, str]) -> list[Finding]:
    from tta_observe.cli.doctor import settings

    return settings.check(environ)


def _store(environ: Mapping[str, str]) -> list[Finding]:
    from tta_observe._settings import resolve
    from tta_observe.cli.doctor import store

    return store.check(resolve({}, environ)[0])


def _otlp(environ: Mapping[str, str]) -> list[Finding]:
    from tta_observe._settings import resolve
    from tta_observe.cli.doctor import otlp

    return otlp.check(resolve({}, environ)[0], environ)


def _page(environ: Mapping[str, str]) -> list[Finding]:
    from tta_observe._settings import resolve
    from tta_observe.cli.doctor import page

    return page.check(resolve({}, environ)[0])


def _versions(environ: Mapping[str, str]) -> list[Finding]:
    from tta_observe.cli.doctor import versions

    wanted = (environ.get(name, "") for name in ("TTA_OBSERVE_EXPORTER", "OTEL_METRICS_EXPORTER"))
    return versions.check(scraped=any("prometheus" in names for names in wanted))


def _neighbours() -> list[Finding]:
    from tta_observe.cli.doctor import neighbours

    return neighbours.check()


def _prometheus(base: Base) -> list[Finding]:
    from tta_observe.cli.doctor import prometheus

    return prometheus.check(base)


def _base(text: str) -> Base:
    try:
        return base_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
