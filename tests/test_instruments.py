"""The ten instruments: names, units, labels and buckets are public, dashboards break where no type checker looks."""

import pytest

from tta_observe import record_cache_operation, record_connection, record_execution, record_llm_usage, workflow
from tta_observe.instruments import INSTRUMENTS
from tta_observe.pricing import Price
from tta_observe.testing import captured_telemetry

EXECUTION_LABELS = (
    "primitive.name",
    "primitive.type",
    "execution.status",
    "workflow.name",
    "agent.type",
    "error.type",
)
TOKEN_LABELS = (
    "llm.provider",
    "llm.model_name",
    "llm.token_type",
    "primitive.name",
    "workflow.name",
    "agent.type",
)
COST_LABELS = ("llm.provider", "llm.model_name", "primitive.name", "workflow.name", "agent.type")
CACHE_LABELS = ("primitive.name", "cache.type")
BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)

DOCUMENTED = {
    "primitive.execution.count": ("counter", "{execution}", EXECUTION_LABELS, ()),
    "primitive.execution.duration": ("histogram", "ms", EXECUTION_LABELS[:4], BUCKETS),
    "primitive.connection.count": (
        "counter",
        "{connection}",
        ("source.primitive", "target.primitive", "connection.type"),
        (),
    ),
    "llm.tokens.total": ("counter", "{token}", TOKEN_LABELS, ()),
    "cache.hits": ("counter", "{hit}", CACHE_LABELS, ()),
    "cache.total": ("counter", "{lookup}", CACHE_LABELS, ()),
    "agent.workflows.active": ("up_down_counter", "{workflow}", ("workflow.name", "agent.type"), ()),
    "llm.cost.total": ("counter", "{USD}", COST_LABELS, ()),
    "llm.unpriced.total": ("counter", "{call}", ("llm.provider", "llm.model_name"), ()),
    "cache.savings.total": ("counter", "{USD}", CACHE_LABELS, ()),
}


def test_the_table_is_as_documented():
    """
    Someone's dashboard, rule or query depends on every entry of it.
    """
    found = {spec.name: (spec.kind, spec.unit, spec.labels, spec.buckets) for spec in INSTRUMENTS}

    assert DOCUMENTED == found


def test_prometheus_names_only_swap_dots():
    """
    Every default in the ecosystem appends suffixes; the queries we promise have none.
    """
    names = {spec.prometheus_name for spec in INSTRUMENTS}

    assert {"primitive_execution_count", "primitive_execution_duration", "llm_tokens_total", "cache_hits"} <= names
    assert {name.replace(".", "_") for name in DOCUMENTED} == names


@pytest.fixture(name="everything")
def _everything():
    """One run that touches all ten instruments with every label they can have."""
    with captured_telemetry(prices={"dear": Price(1, 1)}) as telemetry:
        with workflow("chat", agent_type="planner"):
            record_llm_usage(provider="p", model="dear", prompt_tokens=1, completion_tokens=1)
            record_llm_usage(provider="p", model="free", prompt_tokens=1, completion_tokens=1)
            record_cache_operation(hit=True, saved_usd=0.1)
            record_execution("a", "tool", 3.0, "error", error_type="ValueError")
            record_connection("a", "b")
        yield {metric.name: metric for metric in telemetry.metrics()}


@pytest.mark.parametrize("spec", INSTRUMENTS, ids=lambda spec: spec.name)
def test_the_sdk_emits_the_table(everything, spec):
    """
    What the SDK hands to exporters has the unit, description, kind and labels of the table, not only our data.
    """
    metric = everything[spec.name]
    kind = {"counter": ("Sum", True), "up_down_counter": ("Sum", False), "histogram": ("Histogram", None)}[spec.kind]
    labels = {label for point in metric.data.data_points for label in point.attributes}

    assert (spec.unit, spec.description) == (metric.unit, metric.description)
    assert kind == (type(metric.data).__name__, getattr(metric.data, "is_monotonic", None))
    assert set(spec.labels) == labels
    assert all(spec.buckets == tuple(getattr(point, "explicit_bounds", ())) for point in metric.data.data_points)
