"""Other libraries, each in an environment of its own below ``.venvs``; run by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from environments import environment

_PARTS = ("logging", "redis", "requests", "sqlalchemy", "threading", "urllib3")

PEERS = {
    "stock": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-grpc"),
    "logfire": ("logfire",),
    "traceloop": (
        "traceloop-sdk==0.62.4",
        "opentelemetry-sdk==1.45.1",
        *(f"opentelemetry-instrumentation-{part}==0.66b1" for part in _PARTS),
        "httpx",  # it imports it, and does not ask for it
    ),
}
"""
Name here: what is installed. The first one's version is named in the table.

Of traceloop-sdk's loose requirements pip alone finds no set that fits, and falls back to a release of long ago.
"""

PROTOCOLS = {"logfire": "http/protobuf", "traceloop": "http/protobuf"}
"""What they send where they do not use gRPC."""


def prepared(subject):
    """The interpreter that *subject* is installed for."""
    return environment(f"peer-{subject}", sys.executable, *PEERS[subject], package=False)


def heading(subject, python):
    """Which version of what is measured, where and when."""
    package = PEERS[subject][0].partition("==")[0] if subject != "ours" else "tta-observe"
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return {
        "subject": subject,
        "package": package,
        "version": subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip(),
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def title(machine):
    """A :func:`heading` as one line."""
    return f"{machine['package']} {machine['version']}, Python {machine['python']}, {machine['date']}"
