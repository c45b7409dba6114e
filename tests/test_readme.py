"""
The README is true: its code runs, its tables and its report are made from the package, its commands exist.

``python tests/test_readme.py`` writes the made parts anew.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tta_observe.cli import _COMMANDS
from tta_observe.instruments import INSTRUMENTS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def instrument_table():
    """The ten instruments as Markdown."""
    rows = [
        f"| `{spec.name}` | {spec.kind.replace('_', '-')} | `{spec.unit}` | {spec.description} "
        f"| {', '.join(f'`{label}`' for label in spec.labels)} |"
        for spec in INSTRUMENTS
    ]
    return "\n".join(["| instrument | kind | unit | what it measures | labels |", "|---|---|---|---|---|", *rows])


def made_part(marker):
    """What stands between the marker and the next end."""
    return re.search(rf"<!-- {marker} -->\n(.*?)\n?<!-- end -->", TEXT, re.DOTALL)[1]


def run(directory, *command):
    """Run a program with a store of its own and no other settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TTA_OBSERVE_"))}
    environ = {**kept, "TTA_OBSERVE_STORE": str(directory / "store.db"), "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def report_of_first_example(directory):
    """The first screen that the README promises."""
    (directory / "example.py").write_text(BLOCKS[0], encoding="utf-8")
    assert 0 == run(directory, "example.py").returncode
    answers = run(directory, "-m", "tta_observe", "report").stdout.partition("\n\n")[0]
    return "\n".join(answers.splitlines()[2:])  # the head names a store of this machine


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_runs_as_it_stands(number, tmp_path):
    """
    Examples are copied by people in a hurry.
    """
    name = "test_example.py" if "def test_" in BLOCKS[number] else "example.py"
    (tmp_path / name).write_text(BLOCKS[number], encoding="utf-8")

    found = run(tmp_path, *(["-m", "pytest", "-q"] if name.startswith("test_") else []), name)

    assert (0, "") == (found.returncode, found.stderr), found.stdout


def test_instruments_are_those_of_the_package():
    """
    Dashboards are written from this table.
    """
    assert instrument_table() == made_part("instruments")


def test_report_is_what_the_first_example_shows(tmp_path):
    """
    What the reader is shown is what the reader will see; times and rates differ from machine to machine.
    """
    shown = made_part("report of the first example").removeprefix("```text\n").removesuffix("\n```")

    assert without_times(report_of_first_example(tmp_path)) == without_times(shown)


def without_times(text):
    """Figures that depend on the clock, taken out."""
    return re.sub(r"[\d.,]+ m?s\b|[\d.]+/s|\$[\d.,]+ per hour|slowest primitive: \w+", "#", text)


def test_every_command_and_target_is_documented():
    """
    A command that nobody can find does not exist.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z-]+)`|\$ make ([a-z-]+)", TEXT))

    assert [] == [name for name in _COMMANDS if f"tta-observe {name}" not in TEXT]
    assert [] == [name for pair in targets for name in pair if name and f"\n{name}:" not in makefile]


def test_links_lead_somewhere():
    """
    A dead link in a README is the first thing that is seen of a project.
    """
    assert [] == [link for link in re.findall(r"\]\(([^)#:]+)\)", TEXT) if not (ROOT / link).exists()]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        report = f"```text\n{report_of_first_example(Path(scratch))}\n```"
    for marker, made in (("instruments", instrument_table()), ("report of the first example", report)):
        between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
        TEXT = between.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", TEXT)
    README.write_text(TEXT, encoding="utf-8")
