"""What is installed: light to import, complete, and honest about what it needs."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
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


STACK = ("grafana", "prometheus", "examples/stack")


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory):
    """The wheel and the source distribution, built from this tree by the backend that pyproject.toml names."""
    directory = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=100, check=True)
    return next(directory.glob("*.whl")), next(directory.glob("*.tar.gz"))


def shipped():
    """What `tta-observe stack export` has to write: relative names and contents."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for part in STACK
        for path in (ROOT / part).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def installed(wheel, directory):
    """The command of a fresh environment that has *wheel*, and its dependencies from this one."""
    venv.create(directory, with_pip=False)
    command = [sys.executable, "-m", "pip", "--python", str(directory), "install", "--no-deps", "--no-index", wheel]
    subprocess.run(command, capture_output=True, timeout=100, check=True)
    (libraries,) = directory.glob("[Ll]ib/**/site-packages")
    # Only searched for modules: the editable installation in there is not taken up.
    (libraries / "dependencies.pth").write_text("\n".join(map(str, site_packages())), encoding="utf-8")
    return next(directory.glob("*/tta-observe*"))


def site_packages():
    """Where this interpreter finds installed packages."""
    return [path for path in map(Path, sys.path) if path.name in {"site-packages", "dist-packages"}]


def test_wheel_writes_the_stack_as_it_is_in_the_tree(built, tmp_path):
    """
    `pip install` is all that most users ever do: what they are shown must come out of the wheel.
    """
    command = installed(built[0], tmp_path / "env")
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    found = subprocess.run(
        [command, "stack", "export", "to"], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )

    assert (0, "") == (found.returncode, found.stderr)
    assert shipped() == {
        path.relative_to(tmp_path / "to").as_posix(): path.read_bytes()
        for path in (tmp_path / "to").rglob("*")
        if path.is_file()
    }


def test_wheel_has_the_package_and_the_stack_and_nothing_else(built):
    """
    A `tests` or `grafana` package of ours in everybody's site-packages would shadow theirs; secrets would be public.
    """
    with zipfile.ZipFile(built[0]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]

    assert set(shipped()) == {name.removeprefix("tta_observe/_stack/") for name in names if "/_stack/" in name}
    assert [] == [name for name in names if not name.startswith("tta_observe/") or Path(name).name.startswith(".")]
    assert "tta_observe/py.typed" in names


def test_sdist_can_build_the_wheel(built):
    """
    Distributions build from it: what the wheel takes from the tree has to be in there.
    """
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert set(shipped()) | {"pyproject.toml", "tta_observe/__init__.py", "tests/conftest.py"} <= names
    assert [] == [name for name in names if Path(name).name == ".env"]


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
