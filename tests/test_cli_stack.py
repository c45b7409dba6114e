"""`tta-observe stack export`: the files of the stack, somewhere else, and nobody's work lost."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tta_observe.cli import main, stack

ROOT = Path(__file__).parent.parent


@pytest.fixture(name="files")
def _files(tmp_path):
    """Two files as they are shipped."""
    found = {}
    for name in ("grafana/dashboards/a.json", "examples/stack/compose.yaml"):
        found[name] = tmp_path / "shipped" / name
        found[name].parent.mkdir(parents=True)
        found[name].write_text(f"content of {name}", encoding="utf-8")
    return found


def contents(directory):
    """Everything below *directory*, by relative name."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_everything_is_written_as_it_is_in_the_project(tmp_path, capsys):
    """
    The files name each other by relative paths: one that is elsewhere is one that is missing.
    """
    assert 0 == main(["stack", "export", str(tmp_path / "made" / "here")])

    found = contents(tmp_path / "made" / "here")
    assert {name: (ROOT / name).read_bytes() for name in found} == found
    assert {"grafana", "prometheus", "examples"} == {name.split("/")[0] for name in found}
    assert {"examples/stack/compose.yaml", "examples/stack/scale/compose.yaml"} < set(found)
    assert "" == capsys.readouterr().err


def test_what_to_type_next_is_said_and_fits_a_terminal(tmp_path, capsys, monkeypatch):
    """
    The command is run once, by somebody who wants to see the dashboard.
    """
    monkeypatch.chdir(tmp_path)
    main(["stack", "export", "my stack"])
    printed = capsys.readouterr().out

    assert f"  cd {shlex.quote('my stack/examples/stack')}\n  docker compose up -d\n" in printed
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 tta-observe demo --loop" in printed
    assert "http://127.0.0.1:3000/d/tta-agent-observability" in printed
    assert [] == [line for line in printed.splitlines() if len(line) > 80]


def test_second_export_finds_everything_there(tmp_path, capsys):
    """
    Running a command twice is no mistake.
    """
    main(["stack", "export", str(tmp_path)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()

    assert 0 == main(["stack", "export", str(tmp_path)])
    assert capsys.readouterr().out.startswith("0 files written below ")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_file_that_differs_stops_all(tmp_path, files):
    """
    It may be a week of somebody's work; half of an export would be worse than none.
    """
    (tmp_path / "examples" / "stack").mkdir(parents=True)
    (tmp_path / "examples" / "stack" / "compose.yaml").write_text("mine", encoding="utf-8")

    with pytest.raises(stack.StackError) as refused:
        stack.export(tmp_path, files)

    assert f"1 file below {tmp_path} would be written over:\n  examples/stack/compose.yaml\n" in str(refused.value)
    assert str(refused.value).endswith("Nothing was written. Name another directory, or add --force.")
    assert "mine" == (tmp_path / "examples" / "stack" / "compose.yaml").read_text(encoding="utf-8")
    assert not (tmp_path / "grafana").exists()


def test_force_writes_over_what_differs(tmp_path, files):
    """
    After an upgrade the new dashboards are wanted.
    """
    stack.export(tmp_path / "to", files)
    (tmp_path / "to" / "examples" / "stack" / "compose.yaml").write_text("old", encoding="utf-8")

    assert ["examples/stack/compose.yaml"] == stack.export(tmp_path / "to", files, force=True)
    assert {name: path.read_bytes() for name, path in files.items()} == contents(tmp_path / "to")


def test_many_that_differ_are_counted(tmp_path):
    """
    A screen full of names hides the sentence that matters.
    """
    (tmp_path / "shipped").write_text("new", encoding="utf-8")
    files = {f"{number}.json": tmp_path / "shipped" for number in range(8)}
    for name in files:
        (tmp_path / name).write_text("old", encoding="utf-8")

    with pytest.raises(stack.StackError, match=r"8 files below(.|\n)*  4\.json\n  and 3 more\nNothing was written"):
        stack.export(tmp_path, files)


@pytest.mark.parametrize("in_the_way", ["grafana", "examples/stack/compose.yaml/directory"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_is_in_the_way_is_named(in_the_way, force, tmp_path, capsys):
    """
    A file where a directory is needed, or the other way round: no traceback, and what to do.
    """
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).write_text("mine", encoding="utf-8")

    assert 1 == main(["stack", "export", str(tmp_path), *force])
    error = capsys.readouterr().err
    assert error.startswith("tta-observe stack: ")
    assert "grafana" in error or "compose.yaml" in error
    assert "Name " in error
    assert "mine" == (tmp_path / in_the_way).read_text(encoding="utf-8")


def test_refusal_of_the_system_is_passed_on(tmp_path, capsys):
    """
    No permission, no space, a name too long: what the system says, about which file, and what to do.
    """
    assert 1 == main(["stack", "export", str(tmp_path / ("x" * 300))])
    error = capsys.readouterr().err
    assert "File name too long" in error
    assert error.endswith("Name a directory that you may write to.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_containers_can_read_what_is_written(tmp_path, files):
    """
    They run under users of their own; a careful umask would keep the files from them.
    """
    (tmp_path / "to").mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        stack.export(tmp_path / "to", files)
    finally:
        os.umask(before)
    made = {
        path.relative_to(tmp_path / "to").as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("to/**/*")
    }

    assert {0o644} == {made[name] for name in files}
    assert {0o755} == {mode for name, mode in made.items() if name not in files}
    assert 0o700 == (tmp_path / "to").stat().st_mode & 0o777


def test_hidden_files_stay_at_home(tmp_path):
    """
    Who works in a checkout may have secrets in `.env` there.
    """
    for name in ("grafana/a.json", "prometheus/b.yml", "examples/stack/scale/.env", "examples/stack/.cache/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert ["grafana/a.json", "prometheus/b.yml"] == list(stack.shipped_files(tmp_path / "tta_observe"))


def test_installation_without_the_files_is_told(tmp_path, capsys, monkeypatch):
    """
    Repackaged, or copied by hand: the answer is an installation that is complete.
    """
    monkeypatch.setattr(stack.shipped_files, "__defaults__", (tmp_path / "lib" / "tta_observe",))

    assert 1 == main(["stack", "export", str(tmp_path / "to")])
    assert "not part of this installation" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["stack"], "required: export"),
        (["stack", "exprot", "x"], "invalid choice: 'exprot'"),
        (["stack", "export"], "required: DIR"),
    ],
)
def test_typing_mistakes_are_explained(typed, said, capsys):
    """
    Two words and a directory: each may be forgotten.
    """
    with pytest.raises(SystemExit) as ended:
        main(typed)

    assert 2 == ended.value.code
    assert said in capsys.readouterr().err


def test_nothing_heavy_is_loaded():
    """
    The command copies files: the SDK, gRPC and the store have no part in it.
    """
    program = "import sys, tta_observe.cli.stack; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert [] == [name for name in loaded if name.startswith(("opentelemetry.sdk", "grpc", "sqlite3", "pydantic"))]
