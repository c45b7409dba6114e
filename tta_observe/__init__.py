"""
Observability for agent and LLM code: spans, seven metrics and a service map from one decorator.

Importing this package loads the OpenTelemetry API only; :func:`configure` loads the SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tta_observe._cache import record_cache_operation
from tta_observe._llm import record_llm_tokens, record_llm_usage
from tta_observe._patching import instrument, uninstrument
from tta_observe._primitive import primitive, step, traced_primitive
from tta_observe._propagation import propagate
from tta_observe._recording import record_connection, record_execution
from tta_observe._remote import inject_context, remote_context
from tta_observe._traced_cache import traced_cache
from tta_observe._workflow import agent, bound_context, current_workflow, set_attributes, workflow
from tta_observe.context import WorkflowContext
from tta_observe.errors import ConfigurationError
from tta_observe.pricing import Price
from tta_observe.usage import LLMUsage

if TYPE_CHECKING:
    from tta_observe._configure import Telemetry, configure, flush, shutdown, stats
    from tta_observe._stats import Stats

__all__ = [
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
]

_LAZY = frozenset({"Stats", "Telemetry", "configure", "flush", "shutdown", "stats"})


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # the SDK, pydantic and the store are loaded by those who ask for them
        from tta_observe import _configure

        return getattr(_configure, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("tta-observe")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
