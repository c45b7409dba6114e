"""What is installed for these tests: the same everywhere, from wherever, and only once."""

import json
import re

import pytest

from grafana import node

PACKAGE = json.loads((node.HERE / "package.json").read_text(encoding="utf-8"))
LOCK = json.loads((node.HERE / "package-lock.json").read_text(encoding="utf-8"))
PACKAGES = {name: each for name, each in LOCK["packages"].items() if name}


def test_versions_are_exact():
    """
    A range would test another Grafana tomorrow.
    """
    versions = [version.split("@")[-1] for version in PACKAGE["dependencies"].values()]

    assert [] == [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)]
    assert PACKAGE["dependencies"] == LOCK["packages"][""]["dependencies"]


def test_lock_file_names_checksums_and_no_addresses():
    """
    Whoever installs from a mirror gets the same files, and no other address than their own is asked.
    """
    assert [] == [name for name, each in PACKAGES.items() if "resolved" in each or "integrity" not in each]


def test_second_run_installs_nothing():
    """
    The libraries take a while; the tests that use them do not.
    """
    stamp = node.HERE / "node_modules" / ".installed"
    before = stamp.stat().st_mtime_ns
    node.install()

    assert before == stamp.stat().st_mtime_ns


def test_missing_program_is_said_aloud(monkeypatch):
    """
    A suite that quietly does nothing looks like one that passes.
    """
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(pytest.skip.Exception, match="needs node and npm: there is no node"):
        node.program("node")
