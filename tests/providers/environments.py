"""One environment per client or neighbour, kept in a cache: its newest release, and what the package depends on."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tta_observe" / "providers"
_TESTS = ("hypothesis", "pytest>=8", "pytest-timeout")

CLIENTS = {
    "openai": ("openai>=2",),
    "anthropic": ("anthropic>=0.60",),
    "google": ("google-genai>=1",),
    "groq": ("groq>=0.30",),
    "mistral": ("mistralai>=1",),
    "cohere": ("cohere>=5",),
    "bedrock": ("boto3>=1.40",),
    "ollama": ("ollama>=0.5",),
    "litellm": ("litellm>=1.75",),
    "langchain": ("langchain-core>=1", "langchain-openai>=1", "langgraph>=1"),
    "pydantic_ai": ("pydantic-ai-slim[openai]>=2",),
    "openllmetry": ("openai>=2", "opentelemetry-instrumentation-openai>=0.45"),
    "openinference": ("openai>=2", "openinference-instrumentation-openai>=0.1.30", "arize-phoenix-otel>=0.10"),
    "logfire": ("logfire>=4",),
    "langfuse": ("langfuse>=4",),
    "traceloop": ("traceloop-sdk>=0.50", "openai>=2", "httpx"),
    "foreign": ("datasette>=0.64", "pydantic-ai-slim[cli]>=2"),
    "distro": ("opentelemetry-distro[otlp]>=0.50b0", "opentelemetry-instrumentation-threading>=0.50b0"),
}
"""What each environment is made for. Lower bounds only: the newest client is the one that changes under its users."""

_NOT_THERE = (
    "No matching distribution",
    "Could not find a version",
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Read timed out",
)


class LeftOut(Exception):  # noqa: N818 - nothing went wrong: the table says it and goes on
    """An environment that this machine cannot have now, and why."""


@dataclass(frozen=True)
class Environment:
    """A made environment: its interpreter, and how long making it took (0 when it was there)."""

    name: str
    python: Path
    seconds: float

    def versions(self):
        """The installed versions of what it was made for, as words."""
        wanted = [requirement.partition(">=")[0].partition("[")[0] for requirement in CLIENTS[self.name]]
        program = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        listed = subprocess.run([self.python, "-c", program, *wanted], capture_output=True, text=True, check=True)
        return ", ".join(" ".join(pair) for pair in zip(wanted, listed.stdout.split(), strict=True))


def environment(name, deadline):
    """
    The environment *name*, made when it is not there. *deadline* is a time of :func:`time.monotonic`.

    Raises:
        LeftOut: the time is over, or the package index has it not or does not answer.
        RuntimeError: it could not be made for another reason.
    """
    requirements = (*CLIENTS[name], *_dependencies(), *_TESTS)
    key = hashlib.sha256(repr((requirements, sys.version_info[:2])).encode()).hexdigest()[:16]
    place = _CACHE / f"{name}-{key}"
    begun = time.monotonic()
    if not (place / ".complete").exists():
        _make(place, requirements, deadline)
    return Environment(name, place / "bin" / "python", time.monotonic() - begun)


def _dependencies():
    """What the package needs; the package itself is imported from the repository."""
    return tuple(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])


def _make(place, requirements, deadline):
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run([sys.executable, "-m", "venv", place], deadline)
        _run([place / "bin/python", "-m", "pip", "install", "--quiet", *requirements], deadline)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    (place / ".complete").touch()


def _run(command, deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise LeftOut("no time was left")
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        try:
            status = process.wait(left)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # pip starts programs of its own
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise LeftOut("the time was over while it was being made") from None
            raise
        said.seek(0)
        text = said.read()
    if status and any(reason in text for reason in _NOT_THERE):
        raise LeftOut(text.strip().splitlines()[-1][:200])
    if status:
        raise RuntimeError(f"{command[2:4]} ended with {status}: {text[-500:]}")
