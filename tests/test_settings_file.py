"""``[tool.tta_observe]``: what a file may say, and what counts for more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import ConfigurationError, Price
from tta_observe._settings.file import FileSettings, _parsed, find, read

EVERYTHING = """
[tool.tta_observe]
service_name = "shop"
environment = "production"
exporter = ["local", "otlp"]
endpoint = "http://localhost:4317"
sample_ratio = 0.5
export_interval_s = 5
store = "here/store.db"
capture_content = true
[tool.tta_observe.resource_attributes]
"service.namespace" = "eu"
team = "search"
[tool.tta_observe.prices]
small = { input = 0.15, output = 0.6 }
[[tool.tta_observe.primitives]]
pattern = "shop.app:search_*"
type = "retriever"
[[tool.tta_observe.workflows]]
pattern = "shop.app:main"
name = "shop"
budget_usd = 0.5
"""


@pytest.fixture(name="file")
def _file(tmp_path):
    """Write a pyproject.toml; returns its path."""

    def write(text, name="pyproject.toml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_everything_that_a_file_may_say_is_read(file, tmp_path):
    """
    What can be said in code about where telemetry goes can be said beside it.
    """
    found = read(file(EVERYTHING))

    assert {
        "service_name": "shop",
        "environment": "production",
        "exporter": ["local", "otlp"],
        "endpoint": "http://localhost:4317",
        "sample_ratio": 0.5,
        "export_interval_s": 5,
        "store": str(tmp_path / "here/store.db"),
        "capture_content": True,
        "resource_attributes": {"service.namespace": "eu", "team": "search"},
        "prices": {"small": Price(input=0.15, output=0.6)},
    } == dict(found.keywords)
    assert [("shop.app:search_*", {"type": "retriever"})] == [(r.pattern, dict(r.options)) for r in found.primitives]
    assert [("shop.app:main", {"name": "shop", "budget_usd": 0.5})] == [
        (r.pattern, dict(r.options)) for r in found.workflows
    ]


@pytest.mark.parametrize(
    ("environ", "gone"),
    [
        ({}, set()),
        ({"OTEL_SERVICE_NAME": "x"}, {"service_name"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=x"}, {"service_name"}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=x"}, {"environment"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, {"exporter", "endpoint"}),
        ({"TTA_OBSERVE_EXPORTER": "console"}, {"exporter"}),
        ({"TTA_OBSERVE_STORE": "x.db"}, {"store"}),
        ({"TTA_OBSERVE_STORE": " "}, set()),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, {"sample_ratio"}),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "1000"}, {"export_interval_s"}),
        ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}, {"capture_content"}),
    ],
)
def test_the_environment_counts_for_more(environ, gone, file):
    """
    A file goes from machine to machine; what a machine sets is meant for that machine.
    """
    found = read(file(EVERYTHING))

    assert gone == set(found.keywords) - set(found.under(environ))


def test_single_resource_attributes_give_way(file):
    """
    One variable for all attributes: those that it does not name stay.
    """
    found = read(file(EVERYTHING)).under({"OTEL_RESOURCE_ATTRIBUTES": "team=other"})

    assert {"service.namespace": "eu"} == found["resource_attributes"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.tta_observe]\nservise_name = 'x'", "has no key 'servise_name'. Did you mean 'service_name'?"),
        ("[tool.tta_observe]\nzzz = 'x'", "It takes: capture_content, endpoint, environment,"),
        ("[tool.tta_observe]\nservice_name = 5", "service_name=5: input should be a valid string. Write service_name="),
        ("[tool.tta_observe]\nexporter = 'cloud'", "is not known. Write one of auto, local,"),
        ("[tool.tta_observe]\nheaders = {a = 'hunter2'}", "Set OTEL_EXPORTER_OTLP_HEADERS in the environment instead."),
        ("[tool.tta_observe]\nredact = 'x'", "Call configure(redact=...) in the program instead."),
        ("[tool.tta_observe]\nprices = 3", "prices is no table. Write, in USD per million tokens:"),
        ("[tool.tta_observe.prices]\nm = 3", "m = 3 is no price."),
        ("[tool.tta_observe.prices]\nm = {inptu = 3}", "is no price."),
        ("[tool]\ntta_observe = 3", "tool.tta_observe is no table."),
        ("[tool.tta_observe]\nprimitives = 'x'", "primitives is no list of tables. Write:"),
        ("[[tool.tta_observe.primitives]]\ntype = 'x'", "[[tool.tta_observe.primitives]] number 1 has no pattern."),
        ("[[tool.tta_observe.primitives]]\npatern = 'x'", "number 1 has no key 'patern'. Did you mean 'pattern'?"),
        ("[[tool.tta_observe.workflows]]\npattern = 'x'\ntype = 'y'", "workflows]] number 1 has no key 'type'."),
        ("[tool.tta_observe", "is no TOML:"),
        ("[project]\nname = 'x'", "has no [tool.tta_observe]. Write one, or propose it"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_file_and_key(text, said, file):
    """
    A file is edited by hand, far from where it is read: the message has to lead back to the line.
    """
    path = file(text)

    with pytest.raises(ConfigurationError) as caught:
        read(path)

    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_of_its_own_needs_no_tables_around(file):
    """
    ``--config`` may name a file that holds nothing else.
    """
    found = read(file("service_name = 'x'\n[[primitives]]\npattern = 'a:b'\n", "observe.toml"))

    assert ({"service_name": "x"}, ["a:b"]) == (dict(found.keywords), [rule.pattern for rule in found.primitives])


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """
    A name that was typed wrongly must not mean that nothing is observed.
    """
    with pytest.raises(ConfigurationError, match=r"nowhere.toml cannot be read"):
        read(tmp_path / "nowhere.toml")


def test_the_nearest_file_with_the_table_is_found(tmp_path):
    """
    Monorepos have a pyproject.toml at every level; what has nothing to say to us is passed over, broken or not.
    """
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.tta_observe]\nservice_name = 'outer'\n")
    (tmp_path / "a" / "pyproject.toml").write_text("[project")
    (inner / "pyproject.toml").write_text("[project]\ndependencies = ['tta_observe']\n")

    found = find([inner])

    assert (tmp_path / "pyproject.toml", {"service_name": "outer"}) == (found.path, dict(found.keywords))
    assert FileSettings() == find([])


KEYS = ("pattern", "type", "prices", "store", "exporter", "primitives", "workflows", "attributes", "x")
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(
    st.recursive(
        VALUES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    )
)
def test_no_content_is_worse_than_a_message(content):
    """
    Whatever stands there, the answer is settings or a message that names the mistake.
    """
    try:
        found = _parsed(Path("x.toml"), content)
    except ConfigurationError as error:
        found = str(error)

    assert found
