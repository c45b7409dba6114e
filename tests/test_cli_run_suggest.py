"""What ``tta-observe run --suggest`` proposes: by the text alone, and ready to use."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from observed_runs import observed, primitives, written

from tta_observe._settings.file import read
from tta_observe.cli import main

LEGACY = Path(__file__).parent.parent / "examples" / "legacy"

AGENT = """
    import httpx
    from tools import search_docs
    raise SystemExit("nothing of this may run")

    async def fetch(url):
        async with httpx.AsyncClient() as client:
            return await client.get(url)

    class Model:
        def __init__(self, client):
            self._client = client

        def ask(self, text):
            return self._client.chat.completions.create(model="m", messages=[text])

        async def embed(self, text): ...

        @property
        def name(self):
            return 1

    def pick(question):
        return question

    def route_question(question):
        return pick(question)

    def read_cache(key):
        return {}.get(key)

    async def _private(): await fetch("x")

    async def answer(question):
        await fetch("x")
        read_cache(question)
        return Model(None).ask(search_docs(question))

    def main():
        import asyncio
        asyncio.run(answer("x"))
"""
TOOLS = """
    from lost import nothing
    def search_docs(question):
        return []
    def load(cursor):
        return cursor.execute("select 1").fetchall()
    def broken(): raise NotImplementedError
"""


@pytest.fixture(name="proposed")
def _proposed(tmp_path, monkeypatch, capsys):
    """Propose for the words; returns the tables by pattern."""
    written(tmp_path, {"agent.py": AGENT, "tools.py": TOOLS, "unrelated.py": "async def other(): return 1\n"})
    monkeypatch.chdir(tmp_path)

    def propose(*words):
        assert 0 == main(["run", "--suggest", *words])
        found = tomllib.loads(capsys.readouterr().out)["tool"]["tta_observe"]
        return {
            kind: {rule.pop("pattern"): rule for rule in found.get(kind, [])} for kind in ("workflows", "primitives")
        }

    return propose


def test_functions_are_judged_by_their_names_and_calls(proposed):
    """
    A good guess saves reading the documentation; nothing of the program is run for it.
    """
    found = proposed("agent.py")

    assert {"agent:answer": {"name": "answer"}} == found["workflows"]
    assert {
        "agent:fetch": {"type": "tool", "action": "fetch"},
        "agent:Model.ask": {"type": "llm", "action": "ask"},
        "agent:route_question": {"type": "router", "action": "route"},
        "agent:read_cache": {"type": "cache", "action": "read"},
        "tools:search_docs": {"type": "retriever", "action": "search"},
        "tools:load": {"type": "retriever", "action": "load"},
    } == found["primitives"]


@pytest.mark.parametrize(("words", "is_whole"), [(("-m", "agent"), False), ((".",), True), ((), True)])
def test_a_module_a_directory_or_nothing_can_be_named(words, is_whole, proposed):
    """
    Whoever has just installed it types the shortest thing that may work.
    """
    found = proposed(*words)

    assert "agent:fetch" in found["primitives"]
    assert is_whole == ("unrelated:other" in found["primitives"])


def test_a_long_proposal_is_cut(proposed, tmp_path):
    """
    Nobody reads two hundred proposals: the telling ones stay.
    """
    (tmp_path / "many.py").write_text("".join(f"async def f{i}(): return {i}\n" for i in range(200)))

    found = proposed(".")

    assert 25 == len(found["primitives"])
    assert "agent:Model.ask" in found["primitives"]


def test_where_there_is_nothing_it_says_what_to_write(tmp_path, capsys, monkeypatch):
    """
    An empty answer helps nobody.
    """
    monkeypatch.chdir(tmp_path)
    written(tmp_path, {"empty.py": "def add(a, b): return a + b\n", "broken.py": "def f(:\n"})

    assert [1, 1, 1] == [main(["run", "--suggest", name]) for name in ("empty.py", "broken.py", "nowhere.py")]

    told = capsys.readouterr()
    assert "" == told.out
    assert 2 == told.err.count("[[tool.tta_observe.primitives]]")
    assert "there is no nowhere.py. Name a script." in told.err


def test_a_proposal_works_as_it_stands(tmp_path, capsys, monkeypatch):
    """
    Proposed, saved, run: three commands to the first picture of a program that nobody touched.
    """
    monkeypatch.chdir(LEGACY.parent)
    assert 0 == main(["run", "--suggest", "legacy/ask.py"])
    config = tmp_path / "proposed.toml"
    config.write_text(capsys.readouterr().out)

    run = observed(tmp_path, "--config", str(config), str(LEGACY / "ask.py"), "where is my parcel")

    assert (0, "") == (run.code, run.err)
    assert 5 == len(read(config).primitives)
    assert dict.fromkeys(
        ["answer", "complete", "check_length", "check_politeness", "Index.search_notes", "Index.search_orders"], 1
    ) == primitives(tmp_path)
