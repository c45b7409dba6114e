"""For code that measures by itself."""

import pytest

from tta_observe import ConfigurationError, record_connection, record_execution, workflow
from tta_observe.instruments import CONNECTIONS, EXECUTION_DURATION, EXECUTIONS


def test_record_execution_counts_and_measures(telemetry):
    """
    A worker in another language reports here.
    """
    with workflow("w", agent_type="a"):
        record_execution("remote", "tool", 12.5, "error", error_type="Timeout")
    labels = {
        "primitive.name": "remote",
        "primitive.type": "tool",
        "execution.status": "error",
        "workflow.name": "w",
        "agent.type": "a",
        "error.type": "Timeout",
    }
    (point,) = [p for p in telemetry.points(EXECUTION_DURATION) if p.attributes["primitive.name"] == "remote"]

    assert 1 == telemetry.total(EXECUTIONS, labels)
    assert (1, 12.5) == (point.count, point.sum)


def test_only_an_error_has_an_error_type(telemetry):
    """
    Or the pie of errors would show successes.
    """
    record_execution("a", "tool", 1, "success", agent_type="x", error_type="Timeout")

    assert {None: 1} == telemetry.counts(EXECUTIONS, by="error.type")


@pytest.mark.parametrize("duration", ["x", -1, float("nan"), None, 2**70])
def test_a_duration_that_is_none_is_left_out(telemetry, duration):
    """
    The execution happened all the same.
    """
    record_execution("a", "tool", duration, "success")

    assert (1, 0) == (telemetry.total(EXECUTIONS), telemetry.total(EXECUTION_DURATION))


def test_record_connection(telemetry):
    """
    An edge that only the caller knows of.
    """
    record_connection("a", "b")
    record_connection("a", "b", "remote")

    assert {("a", "b", "sequential"): 1, ("a", "b", "remote"): 1} == telemetry.connections()
    assert 2 == telemetry.total(CONNECTIONS)


@pytest.mark.parametrize(
    "call",
    [
        lambda: record_execution("", "tool", 1, "success"),
        lambda: record_execution("a", "Tool", 1, "success"),
        lambda: record_execution("a", "tool", 1, "failed"),
        lambda: record_connection("a", "b", "loop"),
        lambda: record_connection("", "b"),
    ],
)
def test_a_wrong_word_is_refused(call):
    """
    A status nobody knows is missing from every panel.
    """
    with pytest.raises(ConfigurationError):
        call()
