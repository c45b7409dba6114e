"""What the doctor says of other people's telemetry."""

import pytest

from tta_observe.cli.doctor import neighbours


def test_nobody_else_is_nothing_to_speak_of():
    """
    Most environments have none of them, and a page has room for what matters.
    """
    assert [] == list(neighbours.judge({}))


@pytest.mark.parametrize(
    ("name", "sends"),
    [
        ("logfire", "it sends both to OTEL_EXPORTER_OTLP_ENDPOINT where that is set, and we do not"),
        ("opentelemetry-distro", "it sends both to OTEL_EXPORTER_OTLP_ENDPOINT where that is set, and we do not"),
        ("traceloop-sdk", "it does not send to OTEL_EXPORTER_OTLP_ENDPOINT, we do"),
        ("arize-phoenix-otel", "it does not send to OTEL_EXPORTER_OTLP_ENDPOINT, we do"),
    ],
)
def test_who_sends_to_the_endpoint_is_said(name, sends):
    """
    With two pipelines in one process, the question is which of them a collector hears from.
    """
    (finding,) = neighbours.judge({name: "4.2"})

    assert ("ok", name) == (finding.state, finding.name)
    assert finding.found.startswith("4.2: ")
    assert finding.found.endswith(sends)


def test_langfuse_has_a_filter_that_has_to_be_told_of_us():
    """
    It leaves out what has no attribute of generative AI, and what remains hangs on nothing.
    """
    *_, finding = neighbours.judge({"langfuse": "5.0"})

    assert "warning" == finding.state
    assert "should_export_span=wanted" in finding.remedy


def test_what_is_installed_is_looked_up(monkeypatch):
    """
    The answer is about this environment.
    """
    monkeypatch.setattr(neighbours, "installed", {"logfire": "5.2"}.get)

    assert ["logfire"] == [finding.name for finding in neighbours.check()]
