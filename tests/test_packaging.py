"""What is installed: light to import, complete, and honest about what it needs."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import tta_observe

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGE = Path(tta_observe.__file__).parent


def loaded_by(statement):
    """Names of all modules that *statement* loads in a fresh interpreter."""
    program = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import tta_observe",
        "import tta_observe._pytest_plugin",
        "from tta_observe import traced_primitive, workflow, record_llm_usage",
        "import tta_observe.cli",
    ],
)
def test_import_is_light(statement):
    """
    A library that is imported everywhere must not load an SDK, a validator, gRPC or a terminal painter.
    """
    heavy = re.compile(r"(opentelemetry\.(sdk|exporter|proto)|pydantic|rich|grpc|sqlite3)(\.|$)")
    pytest_itself = loaded_by("import pytest") if "pytest" in statement else []

    assert [] == [name for name in loaded_by(statement) if heavy.match(name) and name not in pytest_itself]


def test_version_is_said_once():
    """
    The installed version, the one in the program, and the one in the changelog are the same.
    """
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert PROJECT["project"]["version"] == metadata.version("tta-observe") == tta_observe.__version__
    assert re.search(rf"^## .*\b{re.escape(tta_observe.__version__)}\b", changelog, re.MULTILINE)


def test_entry_points_lead_somewhere():
    """
    The command and the fixture are found by names in the metadata, which no type checker reads.
    """
    found = {point.group: point for point in metadata.distribution("tta-observe").entry_points}

    assert {"console_scripts", "pytest11"} == set(found)
    assert callable(found["console_scripts"].load())
    assert found["pytest11"].load().telemetry is not None


def test_no_dependency_is_pinned_from_above():
    """
    An upper pin in a library is a conflict in somebody's application.
    """
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]

    assert [] == [requirement for group in groups for requirement in group if re.search(r"<|==|~=", requirement)]


def test_types_are_shipped():
    """
    Without the marker, type checkers ignore every annotation of the package.
    """
    assert (PACKAGE / "py.typed").exists()


def test_every_target_says_what_it_does():
    """
    `make help` is how a newcomer finds the way.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert targets
    assert [] == [target for target in targets if not re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)]


def test_every_test_says_why():
    """
    A test whose reason is forgotten is deleted, or obeyed blindly.
    """
    silent = [
        f"{path.name}: {node.name}"
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert [] == silent
