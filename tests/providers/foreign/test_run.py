"""
``tta-observe run`` over programs out of other people's wheels, with no line of them changed.

``datasette`` answers questions about SQLite files, once or as a server; ``pai`` is the command line of pydantic-ai,
here with its model for tests. Neither needs a network.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SCRIPTS = Path(sys.executable).parent

ASKED = ["datasette", "--memory", "--get", "/_memory.json?sql=select+1+as+one&_shape=array"]
REFUSED = ["datasette", "--memory", "--get", "/nowhere"]
AGENT = ["pai", "--no-stream", "-m", "test", "Hello"]
CHECKS = ("request", "Datasette.permission_allowed")


@pytest.fixture(name="bare")
def _bare(tmp_path):
    """Starts a program as it is."""
    return lambda program, **how: subprocess.Popen(_script(program), **_surroundings(tmp_path), **how)


@pytest.fixture(name="observed")
def _observed(tmp_path):
    """Starts the same under ``tta-observe run``."""
    # The package is imported from the repository: its version is what an installation would have written.
    metadata = tmp_path / "installed/tta_observe-0.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: tta-observe\nVersion: 0\n", encoding="ascii")
    path = f"{ROOT}{os.pathsep}{tmp_path / 'installed'}"

    def start(program, **how):
        config = HERE / f"{'agent' if program[0] == 'pai' else 'datasette'}.toml"
        command = [sys.executable, "-m", "tta_observe", "run", "--config", config, *_script(program)]
        return subprocess.Popen(command, **_surroundings(tmp_path, PYTHONPATH=path), **how)

    return start


@pytest.fixture(name="store")
def _store(tmp_path):
    """Asks the local store."""

    def ask(sql, *parameters):
        with sqlite3.connect(tmp_path / "store.db") as connection:
            return connection.execute(sql, parameters).fetchall()

    return ask


def _script(program):
    return [str(SCRIPTS / program[0]), *program[1:]]


def _surroundings(directory, **variables):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TTA_OBSERVE_STORE": str(directory / "store.db"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "80",
        **variables,
    }
    return {"cwd": directory, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def ended(process):
    """Status, and both streams without what no two runs have in common."""
    out, err = (_without_chance(stream) for stream in process.communicate(timeout=60))
    return process.returncode, out, err


def _without_chance(stream):
    """Addresses of objects, numbers of processes and ports."""
    return re.sub(rb"0x[0-9a-f]+|process \[\d+\]|127\.0\.0\.1:\d+", b"...", stream)


def executions(store):
    """How often what ran, by name."""
    sql = "SELECT labels, max(value) FROM series JOIN points ON id = series WHERE instrument = ? GROUP BY id"
    return {
        json.loads(labels)["primitive.name"]: int(value) for labels, value in store(sql, "primitive.execution.count")
    }


def wait_for_a_request(store):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with suppress(sqlite3.OperationalError):  # the store has not been made
            if "request" in executions(store):
                return
        time.sleep(0.1)


def service_map(store):
    sql = "SELECT labels FROM series WHERE instrument = 'primitive.connection.count'"
    found = [json.loads(labels) for (labels,) in store(sql)]
    return {(labels["source.primitive"], labels["target.primitive"]) for labels in found}


@pytest.mark.parametrize("program", [ASKED, REFUSED, AGENT], ids=["answers", "fails", "agent"])
def test_status_and_streams_are_the_programs_own(bare, observed, program):
    """Scripts read what a program prints and how it ends: whoever looks on must not be seen, not even by a byte."""
    alone, looked_on = ended(bare(program)), ended(observed(program))

    assert alone == looked_on
    assert (program is REFUSED) == alone[0]


def test_a_program_is_seen_that_knows_nothing_of_it(observed, store):
    """Spans, metrics and a service map, from a file of fifteen lines beside the program."""
    ended(observed(ASKED))
    spans = {name: (span, parent) for name, span, parent in store("SELECT name, span_id, parent_id FROM spans")}
    root, _ = spans["workflow.request.execute"]
    ran = executions(store)

    assert {"workflow.request.execute", "primitive.validator.check", "primitive.tool.query"} == set(spans)
    assert (root, root) == (spans["primitive.validator.check"][1], spans["primitive.tool.query"][1])
    assert (1, 1) == (ran["request"], ran["Datasette.execute"])
    assert ran["Datasette.permission_allowed"] > 1
    assert {CHECKS, ("Datasette.permission_allowed", "Datasette.execute")} <= service_map(store)


def test_an_agents_model_is_seen_with_its_tokens(observed, store):
    """The usage is in what the model's method returns: nobody has to record it."""
    ended(observed(AGENT))
    ((model, tokens),) = store(
        "SELECT json_extract(attributes, '$.\"llm.model_name\"'), json_extract(attributes, '$.\"llm.total_tokens\"')"
        " FROM spans WHERE name = 'primitive.llm.generate'"
    )

    assert "test" == model
    assert tokens > 0
    assert {"ask": 1, "TestModel.request": 1} == executions(store)
    assert {("ask", "TestModel.request")} == service_map(store)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_server_ends_as_it_would_have(bare, observed, store, number):
    """It finishes its requests and says goodbye; SIGTERM takes with it what was recorded in the last second."""
    ends = []
    for start in (bare, observed):
        server = start(["datasette", "--memory", "--port", "0"])
        said = b""
        while not (found := re.search(rb"running on (http://[\d.:]+)", said)):
            said += server.stderr.readline()
        with urllib.request.urlopen(f"{found[1].decode()}{ASKED[-1]}", timeout=10) as answer:
            assert [{"one": 1}] == json.load(answer)
        if start is observed and number == signal.SIGTERM:
            wait_for_a_request(store)
        server.send_signal(number)
        ends.append(ended(server))

    assert ends[0] == ends[1]
    assert 1 == executions(store)["request"]
