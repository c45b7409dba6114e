"""
Other people's packages, each in an environment of its own: providers' clients against what the providers document,
their telemetry beside ours, and programs out of their wheels.

``python tests/providers`` for all, ``python tests/providers openai cohere`` for some. Environments are made two at a
time and kept; what cannot be made within ``TTA_BUILD_SECONDS`` (480) is left out, which is said and is no failure.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from environments import CLIENTS, ROOT, LeftOut, environment

_SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


@dataclass(frozen=True)
class Outcome:
    """How one environment fared: a row of the table, and what a reader needs when it failed."""

    name: str
    ended: str
    made: float = 0.0
    ran: float = 0.0
    versions: str = ""
    output: str = ""

    @property
    def good(self):
        return self.ended.startswith(("passed", "LEFT OUT"))

    def row(self):
        return f"{self.name:<14} {self.made:>6.1f} {self.ran:>6.1f}  {self.ended:<26} {self.versions}".rstrip()


def main():
    """Print a table; the status says whether every test of every environment that could be made passed."""
    arguments = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    arguments.add_argument("clients", nargs="*", choices=[[], *CLIENTS], metavar="CLIENT", help=", ".join(CLIENTS))
    names = arguments.parse_args().clients or list(CLIENTS)
    deadline = time.monotonic() + float(os.environ.get("TTA_BUILD_SECONDS", "480"))

    with ThreadPoolExecutor(max_workers=2) as workers:
        outcomes = list(workers.map(lambda name: _outcome(name, deadline), names))

    for failed in (outcome for outcome in outcomes if not outcome.good):
        print(f"== {failed.name}\n{failed.output}")
    print(f"{'client':<14} {'made s':>6} {'ran s':>6}")
    print(*(outcome.row() for outcome in outcomes), sep="\n")
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _outcome(name, deadline):
    try:
        made = environment(name, deadline)
    except LeftOut as reason:
        return Outcome(name, f"LEFT OUT: {reason}")
    except RuntimeError as error:
        return Outcome(name, "FAILED: not made", output=str(error))
    begun = time.monotonic()
    done = _tests(made)
    ran = time.monotonic() - begun
    counts = {kind: int(number) for number, kind in _SUMMARY.findall(done.stdout[-300:])}
    return Outcome(name, _ended(done.returncode, counts), made.seconds, ran, made.versions(), done.stdout + done.stderr)


def _ended(status, counts):
    """A skipped test is a failure: nothing here depends on the machine."""
    good = status == 0 and counts.get("passed") and not counts.get("skipped")
    return " ".join([f"{'passed' if good else 'FAILED'}:", *(f"{number} {kind}" for kind, number in counts.items())])


def _tests(made):
    """Runs the contract's tests and the client's own, with the package from this repository."""
    own = ROOT / "tests/providers" / made.name
    contract = [ROOT / "tests/providers/contract.py"] if (own / "client.py").exists() else []
    command = [made.python, "-m", "pytest", "-q", "-ra", "--tb=short", "--color=no", "-p", "no:cacheprovider"]
    command += ["--disable-warnings", "-o", "filterwarnings=error:::tta_observe"]  # theirs are not ours to mend
    surroundings = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    return subprocess.run(
        [*command, "--client", made.name, *contract, own], cwd=ROOT, env=surroundings, capture_output=True, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
