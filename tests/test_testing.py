"""The testing module is a product: our users' tests read what it says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tta_observe import _pytest_plugin, primitive, record_llm_usage, workflow
from tta_observe.instruments import EXECUTIONS
from tta_observe.testing import captured_telemetry


def test_spans_come_as_a_tree(telemetry):
    """
    Who ran inside whom is the question of most tests.
    """
    with workflow("w"):
        with primitive("a"), primitive("b"):
            pass
        with primitive("c"):
            pass

    assert [{"w": [{"a": ["b"]}, "c"]}] == telemetry.tree()
    assert ["w"] == [root.shown for root in telemetry.roots]


def test_a_missing_span_is_told_with_all_that_there_are(telemetry):
    """
    The reader of a failed build sees what was recorded instead.
    """
    with workflow("w"), pytest.raises(ValueError, match="x"), primitive("a"):
        raise ValueError("x")
    with pytest.raises(AssertionError) as caught:
        telemetry.span("z")

    assert (
        "0 spans are called 'z'. Recorded were:\n"
        "w  [workflow.w.execute] success\n"
        "  a  [primitive.function.execute] error"
    ) == str(caught.value)


def test_nothing_recorded_reads_as_that(telemetry):
    """
    An empty string would look like a broken message.
    """
    assert "(no span has ended)" == telemetry.text()


def test_counts_and_totals(telemetry):
    """
    One line reads a metric.
    """
    with primitive("a"), primitive("b"):
        pass

    assert {"a": 1, "b": 1} == telemetry.counts(EXECUTIONS, by="primitive.name")
    assert 1 == telemetry.total("primitive.execution.duration", {"primitive.name": "a"})
    assert 0 == telemetry.total("cache.hits")
    assert {("a", "b", "nested"): 1} == telemetry.connections()


def test_captures_do_not_mix(telemetry):
    """
    A capture inside a capture, as a fixture and a helper may bring, takes what happens inside it alone.
    """
    with captured_telemetry() as inner, primitive("inner"):
        pass
    with primitive("outer"):
        pass

    assert ["inner"] == [span.shown for span in inner.spans]
    assert ["outer"] == [span.shown for span in telemetry.spans]


def test_the_plugin_imports_nothing_heavy():
    """
    It is loaded in every project that has this package installed.
    """
    tree = ast.parse(Path(_pytest_plugin.__file__).read_text(encoding="utf-8"))
    imported = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imported}

    assert {"__future__", "typing", "pytest"} == names


def test_the_fixture_comes_with_the_package(tmp_path):
    """
    A user's test file needs no import, no conftest.
    """
    (tmp_path / "test_user.py").write_text(
        "from tta_observe import primitive\n"
        "def test_it(telemetry):\n"
        "    with primitive('a'): pass\n"
        "    assert ['a'] == telemetry.tree()\n"
    )
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", tmp_path], capture_output=True, text=True, timeout=60)

    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_usage_span_is_not_mistaken_for_its_primitive(telemetry):
    """
    It names the primitive in which the usage was recorded.
    """
    with primitive("a"):
        record_llm_usage(model="m", cost_usd=1.0)

    assert [{"a": ["primitive.llm.usage"]}] == telemetry.tree()
