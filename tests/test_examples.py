"""The examples are programs: they run as they stand, and show what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def run(store, *command):
    """Run a program with a store of its own and no other settings; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TTA_OBSERVE_"))}
    environ = {**kept, "TTA_OBSERVE_STORE": str(store), "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run(
        [sys.executable, *command], env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False
    )

    assert (0, "") == (found.returncode, found.stderr)
    return found.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_is_reported(example, tmp_path):
    """
    The first program that a newcomer runs is one of these, and `tta-observe report` is what it tells to type.
    """
    assert run(tmp_path / "store.db", str(example))
    assert "● Yes: 100 % of" in run(tmp_path / "store.db", "-m", "tta_observe", "report")


def test_parallel_example_shows_fork_and_join(tmp_path):
    """
    That is what the example says it shows.
    """
    example = next(path for path in EXAMPLES if path.stem == "parallel_checks")
    run(tmp_path / "store.db", str(example))
    shown = run(tmp_path / "store.db", "-m", "tta_observe", "report")

    assert "load ═▶ check_length 3×, check_spelling 3×\n" in shown
    assert "check_length ═▶ summarize 3×\n" in shown
    assert "check_spelling ═▶ summarize 3×\n" in shown
