"""What the root of the package promises."""

import subprocess
import sys
from inspect import ismodule

import pytest

import tta_observe

EXPORTED = {
    "ConfigurationError",
    "LLMUsage",
    "Price",
    "Stats",
    "Telemetry",
    "WorkflowContext",
    "agent",
    "bound_context",
    "configure",
    "current_workflow",
    "flush",
    "inject_context",
    "instrument",
    "primitive",
    "propagate",
    "record_cache_operation",
    "record_connection",
    "record_execution",
    "record_llm_tokens",
    "record_llm_usage",
    "remote_context",
    "set_attributes",
    "shutdown",
    "stats",
    "step",
    "traced_cache",
    "traced_primitive",
    "uninstrument",
    "workflow",
}


def test_all_is_what_was_decided():
    """
    A name is public because someone decided so.
    """
    assert EXPORTED == set(tta_observe.__all__)
    assert sorted(tta_observe.__all__) == tta_observe.__all__


def test_root_exports_what_it_promises():
    """
    And not because it leaked.
    """
    leaked = {
        name
        for name in dir(tta_observe)
        if name[0] != "_"
        and not ismodule(getattr(tta_observe, name))
        and name not in {"annotations", "TYPE_CHECKING", "Any"}
    }

    assert EXPORTED == leaked


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_every_export_is_documented(name):
    """
    ``help()`` is the documentation that is always there.
    """
    assert len(getattr(tta_observe, name).__doc__ or "") > 20


def test_unknown_attribute_is_an_attribute_error():
    """
    Lazy exports must not turn typing mistakes into something else.
    """
    with pytest.raises(AttributeError, match="has no attribute 'configur'"):
        _ = tta_observe.configur


def test_import_loads_neither_sdk_nor_pydantic_nor_rich():
    """
    Decorating code costs the import of an API, not of a pipeline.
    """
    program = (
        "import sys, tta_observe\n"
        "heavy = ('opentelemetry.sdk', 'pydantic', 'rich', 'sqlite3', 'grpc', 'pytest')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "[]" == run.stdout.strip()


def test_version_is_that_of_the_distribution():
    """
    One place says it.
    """
    from importlib.metadata import version

    assert version("tta-observe") == tta_observe.__version__
