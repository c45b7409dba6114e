"""
Three services over HTTP, coordinated by this process: one trace, and the connections between them, in one store.

``python examples/services`` starts tta-cache-layer, tta-llm-gateway and tta-workflow-engine as processes of their own,
has three questions answered, stops them, and prints what called what. Then type ``tta-observe report``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from http_json import ask

from tta_observe import configure, flush, traced_primitive, workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS = ("what is a span", "why is the sky blue at noon", "what is a span")  # the last one is remembered


@contextmanager
def running(name: str, *arguments: str) -> Iterator[str]:
    """Run one service for the length of the block; yields its address. It ends when its standard input does."""
    program = Path(__file__).with_name(f"{name}.py")
    command = [sys.executable, str(program), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout is not None  # noqa: S101 - it was asked for
        yield process.stdout.readline().strip()


@traced_primitive(type="agent", action="delegate")
def delegate(engine: str, question: str) -> str:
    """Have the engine answer one question."""
    answer: str = ask(engine, "/answer", question=question)
    return answer


def coordinate() -> None:
    """Start the services, have them work, stop them: each delivers what it recorded before it ends."""
    with ExitStack() as services:
        cache, gateway = (services.enter_context(running(name)) for name in ("cache_layer", "llm_gateway"))
        engine = services.enter_context(running("workflow_engine", cache, gateway))
        with workflow("answer-all"):
            for question in QUESTIONS:
                print(delegate(engine, question))


def show_map(since_s: float) -> None:
    """Print the connections of the last *since_s* seconds, as ``tta-observe report`` knows them."""
    command = [sys.executable, "-m", "tta_observe", "report", "--json", "--since", f"{since_s:.0f}s"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603 - ours
    for row in sorted(found["connections"], key=lambda row: row["connection_type"]):
        print(f"{row['connection_type']:<10} {row['source']} → {row['target']}  {row['count']:.0f}×")


def main() -> None:
    """Answer three questions, then show who called whom."""
    begun = time.monotonic()
    configure(service_name="tta-agent-coordinator")
    coordinate()
    flush()
    print()
    show_map(time.monotonic() - begun + 1)


if __name__ == "__main__":
    main()
