"""What ``configure()`` is told by keywords and by the environment, and what becomes of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hostile import KINDS, RAN
from hypothesis import example, given
from hypothesis import strategies as st

from tta_observe import ConfigurationError, Price
from tta_observe._settings import Keywords, resolve

SECRET = "s3cr3t-canary"

WRONG_KEYWORDS = [
    ({"service_name": ""}, "Write service_name='checkout'"),
    ({"service_name": 5}, "Write service_name='checkout'"),
    ({"service_version": 1.0}, "Write service_version='1.4.2'"),
    ({"environment": b"prod"}, "Write environment='production'"),
    ({"exporter": "jaeger"}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": ""}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": ()}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": 5}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": [["otlp"]]}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": ("local", "zipkin")}, "Write one of auto, local, otlp, prometheus, console, none"),
    ({"exporter": ("auto", "local")}, "Write the exporters that you want alone"),
    ({"exporter": ("otlp", "none")}, "Write the exporters that you want alone"),
    ({"endpoint": "localhost:4317"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "collector"}, "Write endpoint='http://collector'"),
    ({"endpoint": "ftp://collector:4317"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "http://"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "http://collector:99999"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "http://collector:port"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "http://[::1"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": "http://two words:4317"}, "Write endpoint='http://localhost:4317'"),
    ({"endpoint": 4317}, "Write endpoint='http://localhost:4317'"),
    ({"headers": "authorization=Bearer"}, "Write headers={'authorization': 'Bearer ...'}"),
    ({"headers": {"authorization": 5}}, "Names are letters, digits and - _ ."),
    ({"headers": {5: "x"}}, "Write headers={'authorization': 'Bearer ...'}"),
    ({"headers": {"two words": "x"}}, "Names are letters, digits and - _ ."),
    ({"headers": {"authorization": "line\nbreak"}}, "values are plain text"),
    ({"headers": {"authorization": "ü"}}, "values are plain text"),
    ({"headers": {"token-bin": "x"}}, "Names are letters, digits and - _ ."),
    ({"insecure": 1}, "Write insecure=True or insecure=False"),
    ({"endpoint": "http://collector:4317", "insecure": False}, "write http:// for plaintext, https:// for TLS"),
    ({"endpoint": "https://collector:4317", "insecure": True}, "write http:// for plaintext, https:// for TLS"),
    ({"sample_ratio": 1.5}, "Write a number from 0 to 1"),
    ({"sample_ratio": -0.1}, "Write a number from 0 to 1"),
    ({"sample_ratio": float("nan")}, "Write a number from 0 to 1"),
    ({"sample_ratio": True}, "Write a number from 0 to 1"),
    ({"sample_ratio": "0.5"}, "Write a number from 0 to 1"),
    ({"export_interval_s": -1}, "Write a positive number of seconds"),
    ({"export_interval_s": 0}, "Write a positive number of seconds"),
    ({"export_interval_s": float("inf")}, "Write a positive number of seconds"),
    ({"export_interval_s": "15"}, "Write a positive number of seconds"),
    ({"store": 5}, "Write a path, e.g. store='telemetry.db'"),
    ({"store": ""}, "Write store='telemetry.db'"),
    ({"store": "a\0b"}, "Write store='telemetry.db'"),
    ({"store": "~no-such-user/telemetry.db"}, "Write store='telemetry.db'"),
    ({"label_limit": 0}, "Write a positive whole number"),
    ({"label_limit": 2.5}, "Write a positive whole number"),
    ({"label_limit": True}, "Write a positive whole number"),
    ({"error_detail": "everything"}, "Write 'type', 'message' or 'full'"),
    ({"prices": {"gpt-4o": 2.5}}, "Write prices={'my-model': Price(input=2.5, output=10)}"),
    ({"prices": {"gpt-4o": {"input": 1, "output": 2}}}, "Write prices={'my-model': Price(input=2.5, output=10)}"),
    ({"prices": [("gpt-4o", Price(1, 2))]}, "Write prices={'my-model': Price(input=2.5, output=10)}"),
    ({"prices": {5: Price(1, 2)}}, "Write prices={'my-model': Price(input=2.5, output=10)}"),
    ({"resource_attributes": "team=shop"}, "Write resource_attributes={'service.namespace': 'shop'}"),
    ({"resource_attributes": {5: "x"}}, "Write resource_attributes={'service.namespace': 'shop'}"),
    ({"servce_name": "checkout"}, "Did you mean 'service_name'?"),
    ({"protocol": "http"}, "Write protocol='grpc' or protocol='http/protobuf'"),
]

WRONG_VARIABLES = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:99999"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:port"),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "://"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "maybe"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
    ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "abc"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "inf"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "authorization"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "two words=x"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "-5"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "inf"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "15s"),
    ("OTEL_TRACES_EXPORTER", "jaeger"),
    ("OTEL_TRACES_EXPORTER", "prometheus"),
    ("OTEL_METRICS_EXPORTER", "statsd"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", "two words"),
    ("OTEL_EXPORTER_PROMETHEUS_HOST", "http://host"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "tcp://10.0.0.1:9464"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "65536"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "-1"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "٩٤٦٤"),
    ("OTEL_SDK_DISABLED", "yes please"),
    ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "everything"),
    ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY"),
    ("TTA_OBSERVE_EXPORTER", "kafka"),
    ("TTA_OBSERVE_EXPORTER", "auto,local"),
    ("TTA_OBSERVE_STORE", "~no-such-user/store.db"),
]

VARIABLES = sorted(
    {name for name, _ in WRONG_VARIABLES}
    | {
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    }
)


def settings(environ=None, **keywords):
    return resolve(keywords, environ or {})[0]


def problems(environ, **keywords):
    return resolve(keywords, environ)[1]


@pytest.mark.parametrize(("keywords", "advice"), WRONG_KEYWORDS, ids=str)
def test_wrong_keyword_says_what_to_write(keywords, advice):
    """
    Misuse fails where it is written, and the message is enough to mend it.
    """
    with pytest.raises(ConfigurationError) as caught:
        settings(**keywords)

    assert advice in str(caught.value)
    assert next(iter(keywords)) in str(caught.value)


@given(
    name=st.sampled_from(sorted(Keywords.model_fields)),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.text() | st.lists(st.text()), max_size=3)
    | st.dictionaries(st.text() | st.integers(), st.text() | st.integers(), max_size=3),
)
@example("endpoint", "http://[::1")
@example("exporter", [["otlp"]])
@example("store", "~\0")
def test_any_keyword_is_taken_or_refused_in_our_words(name, value):
    """
    Whatever is passed, nobody has to read an error of a library that they did not call.
    """
    complaint = ""
    try:
        resolve({name: value}, {})
    except ConfigurationError as error:
        complaint = str(error)

    assert "" == complaint or name in complaint


@pytest.mark.parametrize(("name", "value"), WRONG_VARIABLES, ids=str)
def test_wrong_variable_is_told_once_and_ignored(name, value):
    """
    The person who sets variables is not the one who can mend the program: it starts as if the variable were not set.
    """
    found, told = resolve({}, {name: value})

    assert [name] == [problem.split(" ")[0].rstrip(":") for problem in told]
    assert settings() == found


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(st.characters(exclude_characters="\0")), max_size=4))
@example({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"})
def test_no_environment_raises(environ):
    """
    A typo in a deployment file must not keep a service from starting.
    """
    resolve({}, environ)


@pytest.mark.parametrize(
    "keywords",
    [
        {"headers": {"authorization": SECRET, "bad name": "x"}},
        {"headers": {"authorization": SECRET + "\n"}},
        {"headers": SECRET},
        {"headers": {SECRET + " ": "authorization"}},
        {"endpoint": f"http://user:{SECRET}@collector:4317", "insecure": False},
        {"endpoint": f"ftp://user:{SECRET}@collector:4317"},
        {"endpoint": f"user:{SECRET}@collector:4317"},
        {"endpoint": f"ftp://collector?token={SECRET}"},
    ],
    ids=str,
)
def test_errors_never_show_a_secret(keywords):
    """
    Tracebacks end up in logs and tickets.
    """
    with pytest.raises(ConfigurationError) as caught:
        settings(**keywords)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_nothing_that_is_told_or_shown_holds_a_secret():
    """
    Settings are logged and told by people who never look at the headers inside.
    """
    found, told = resolve(
        {},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://user:{SECRET}@collector:4317?key={SECRET}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {SECRET},{SECRET}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": SECRET,
            "OTEL_EXPORTER_OTLP_COMPRESSION": SECRET,
            "TTA_OBSERVE_EXPORTER": SECRET,
        },
    )

    assert 4 == len(told)
    assert SECRET not in repr(found) + str(found) + repr(found.targets) + " ".join(told)
    assert "collector:4317" == found.targets["TRACES"].address


def test_equal_settings_compare_equal_whatever_the_order():
    """
    A second configure() with the same arguments is no mistake and must not warn.
    """
    first = settings(headers={"a": "1"}, prices={"m": Price(1, 2)}, resource_attributes={"x": 1, "y": 2})
    second = settings(resource_attributes={"y": 2, "x": 1}, prices={"m": Price(1, 2)}, headers={"a": "1"})

    assert first == second
    assert first != settings(headers={"a": "2"}, prices={"m": Price(1, 2)}, resource_attributes={"x": 1, "y": 2})


def test_keyword_wins_over_the_variable_of_opentelemetry():
    """
    What the code says about itself is not overruled from outside.
    """
    found = settings(
        {
            "OTEL_SERVICE_NAME": "outside",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://outside:1",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://outside:2",
            "OTEL_EXPORTER_OTLP_HEADERS": "who=outside",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "who=outside",
            "OTEL_METRIC_EXPORT_INTERVAL": "60000",
            "TTA_OBSERVE_STORE": "/outside.db",
        },
        service_name="inside",
        endpoint="http://inside:3",
        headers={"Who": "inside"},
        export_interval_s=5,
        store="/inside.db",
    )

    assert "inside" == found.service_name
    assert ["inside:3", "inside:3"] == [target.address for target in found.targets.values()]
    assert [(("who", "inside"),)] * 2 == [target.headers for target in found.targets.values()]
    assert {"local": 5, "otlp": 5, "console": 5} == dict(found.metric_interval_s)
    assert Path("/inside.db") == found.store


def test_variable_of_one_signal_wins_for_that_signal():
    """
    OpenTelemetry's rule: traces may go to one place and metrics to another.
    """
    found = settings(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1",
            "OTEL_EXPORTER_OTLP_HEADERS": "for=all",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "7",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "all.pem",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces:2",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "For=traces,B=%41%2C",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "traces.pem",
        }
    )
    traces, metrics = found.targets["TRACES"], found.targets["METRICS"]

    assert ("traces:2", True, (("for", "traces"), ("b", "A,"))) == (traces.address, traces.tls, traces.headers)
    assert ("gzip", 3.0, "traces.pem") == (traces.compression, traces.timeout_s, traces.certificate)
    assert ("all:1", False, (("for", "all"),)) == (metrics.address, metrics.tls, metrics.headers)
    assert ("none", 7.0, "all.pem") == (metrics.compression, metrics.timeout_s, metrics.certificate)


def test_wrong_variable_of_one_signal_leaves_the_one_for_all():
    """
    The next best value is better than none.
    """
    found = settings({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1"})

    assert "all:1" == found.targets["TRACES"].address


@pytest.mark.parametrize(
    ("environ", "insecure", "tls"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, None, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, None, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, None, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, None, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, None, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, True, False),
        ({}, False, True),
        ({}, None, False),
    ],
    ids=str,
)
def test_scheme_then_insecure_decide_on_tls(environ, insecure, tls):
    """
    ``host:port`` is what gRPC people write; it must neither fail nor become plaintext where TLS was asked for.
    """
    found = settings(environ, insecure=insecure)

    assert tls == found.targets["TRACES"].tls
    assert [] == problems(environ, insecure=insecure)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://collector", "collector:4317"),
        ("http://collector:5000/v1/traces", "collector:5000"),
        ("http://[::1]:5000", "[::1]:5000"),
        ("https://user:password@collector:5000", "collector:5000"),
    ],
)
def test_endpoint_becomes_host_and_port(endpoint, address):
    """
    A gRPC target has no path and no user.
    """
    assert address == settings(endpoint=endpoint).targets["TRACES"].address


CHOICES = [
    ({}, {}, ("local",), ("local",)),
    ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, ("otlp",), ("otlp",)),
    ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1"}, ("otlp",), ("otlp",)),
    ({"endpoint": "http://c:1"}, {}, ("otlp",), ("otlp",)),
    ({}, {"TTA_OBSERVE_EXPORTER": "console"}, ("console",), ("console",)),
    ({}, {"TTA_OBSERVE_EXPORTER": "Local, OTLP"}, ("local", "otlp"), ("local", "otlp")),
    ({}, {"TTA_OBSERVE_EXPORTER": "none"}, (), ()),
    ({}, {"TTA_OBSERVE_EXPORTER": "auto"}, ("local",), ("local",)),
    ({}, {"OTEL_TRACES_EXPORTER": "none"}, (), ("local",)),
    ({}, {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "otlp"}, ("console",), ("otlp",)),
    ({}, {"OTEL_METRICS_EXPORTER": "none", "TTA_OBSERVE_EXPORTER": "console"}, ("console",), ()),
    ({"exporter": "otlp"}, {"OTEL_TRACES_EXPORTER": "none", "TTA_OBSERVE_EXPORTER": "console"}, ("otlp",), ("otlp",)),
    ({"exporter": ("local", "otlp", "local")}, {}, ("local", "otlp"), ("local", "otlp")),
    ({"exporter": "prometheus"}, {}, (), ("prometheus",)),
    ({"exporter": ("prometheus", "local")}, {}, ("local",), ("prometheus", "local")),
    ({}, {"TTA_OBSERVE_EXPORTER": "prometheus,local"}, ("local",), ("prometheus", "local")),
    ({}, {"TTA_OBSERVE_EXPORTER": "prometheus"}, (), ("prometheus",)),
    ({}, {"OTEL_METRICS_EXPORTER": "prometheus"}, ("local",), ("prometheus",)),
    ({}, {"OTEL_METRICS_EXPORTER": "prometheus", "TTA_OBSERVE_EXPORTER": "otlp"}, ("otlp",), ("prometheus",)),
    ({"exporter": "none"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, (), ()),
    ({"exporter": "auto"}, {"TTA_OBSERVE_EXPORTER": "console"}, ("console",), ("console",)),
]


@pytest.mark.parametrize(("keywords", "environ", "traces", "metrics"), CHOICES, ids=str)
def test_exporters_are_chosen_by_keyword_then_standard_variable_then_ours(keywords, environ, traces, metrics):
    """
    People must be able to predict where their telemetry goes.
    """
    found = settings(environ, **keywords)

    assert {"TRACES": traces, "METRICS": metrics} == dict(found.exporters)


@pytest.mark.parametrize(
    ("keywords", "environ", "sent"),
    [
        ({}, {}, set()),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, {"TRACES", "METRICS"}),
        ({}, {"OTEL_TRACES_EXPORTER": "otlp"}, {"TRACES"}),
        ({}, {"OTEL_METRICS_EXPORTER": "prometheus"}, {"METRICS"}),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "TTA_OBSERVE_EXPORTER": "local"}, set()),
        ({"exporter": "otlp"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_TRACES_EXPORTER": "otlp"}, set()),
        ({"endpoint": "http://c:1"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, set()),
    ],
    ids=str,
)
def test_what_opentelemetry_was_told_is_left_to_an_application_that_has_a_pipeline(keywords, environ, sent):
    """
    The variables are the application's as well: acting on them beside its pipeline would send every span twice.
    """
    assert sent == settings(environ, **keywords).sent_by_application


def test_otlp_over_http_without_its_library_is_an_error_as_keyword_and_the_store_from_outside(monkeypatch):
    """
    What is sent as gRPC to an HTTP port arrives nowhere: a store that can be read is better.
    """
    monkeypatch.setitem(sys.modules, "urllib3", None)
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}

    assert {"TRACES": ("local",), "METRICS": ("local",)} == dict(settings(environ).exporters)
    assert 1 == len(problems(environ))
    assert "grpc only" in problems(environ)[0]
    assert 'pip install "tta-observe[otlp-http]"' in problems(environ)[0]
    with pytest.raises(ConfigurationError, match=r'pip install "tta-observe\[otlp-http\]"'):
        settings(protocol="http/protobuf")


def test_otlp_as_json_from_the_environment_goes_to_the_store_and_is_told():
    """
    Nothing of ours writes it; the protocol that the same receivers take is named.
    """
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}

    assert {"TRACES": ("local",), "METRICS": ("local",)} == dict(settings(environ).exporters)
    assert ["Set it to http/protobuf"] == [told.split(". ")[1].split(",")[0] for told in problems(environ)]


HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "address", "path"),
    [
        ({}, "localhost:4318", "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "c:4318", "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "c:4318", "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp?key=1"}, "c:443", "/otlp/v1/traces?key=1"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "c:80", "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "c"}, "c:4318", "/v1/traces"),
        ({OF_TRACES: "http://c:1/mine"}, "c:1", "/mine"),
        ({OF_TRACES: "http://c:1"}, "c:1", "/"),
        ({OF_TRACES: "ftp://c:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:2"}, "d:2", "/v1/traces"),
    ],
    ids=str,
)
def test_endpoint_of_http_is_a_base_for_all_signals_and_exact_for_one(environ, address, path):
    """
    The rules of OpenTelemetry's specification: a variable that works with another SDK means the same here.
    """
    found = settings({**HTTP, **environ}).targets["TRACES"]

    assert (address, path, "http/protobuf") == (found.address, found.path, found.protocol)


def test_protocol_is_taken_from_the_keyword_then_from_the_signal_then_from_all():
    """
    Traces over gRPC to one vendor and metrics over HTTP to another is a common arrangement.
    """
    environ = {**HTTP, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    mixed, said = settings(environ).targets, settings(environ, protocol="http/protobuf", endpoint="http://c:9").targets

    assert ["grpc", "http/protobuf"] == [target.protocol for target in mixed.values()]
    assert ["http/protobuf"] * 2 == [target.protocol for target in said.values()]
    assert ["/v1/traces", "/v1/metrics"] == [target.path for target in said.values()]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("127.0.0.1", 9464)),
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}, ("0.0.0.0", 0)),
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "[::1]", "OTEL_EXPORTER_PROMETHEUS_PORT": "65535"}, ("::1", 65535)),
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "my-host.local"}, ("my-host.local", 9464)),
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "", "OTEL_EXPORTER_PROMETHEUS_PORT": " "}, ("127.0.0.1", 9464)),
    ],
    ids=str,
)
def test_scrape_endpoint_listens_where_the_standard_variables_say(environ, expected):
    """
    Only this machine sees it unless somebody says otherwise; the port is the one that Prometheus' people expect.
    """
    found, told = resolve({}, environ)

    assert (expected, []) == ((found.scrape_host, found.scrape_port), told)


@pytest.mark.parametrize("stand_in", [None, type(sys)("prometheus_client")])
def test_prometheus_without_its_library_is_an_error_as_keyword_and_the_store_from_outside(monkeypatch, stand_in):
    """
    A test suite of a user may have put something else into the place of the library.
    """
    monkeypatch.setitem(sys.modules, "prometheus_client", stand_in)
    found, told = resolve({}, {"TTA_OBSERVE_EXPORTER": "prometheus,console", "OTEL_METRICS_EXPORTER": "prometheus"})

    assert {"TRACES": ("local", "console"), "METRICS": ("local",)} == dict(found.exporters)
    assert 1 == len(told)
    assert 'pip install "tta-observe[prometheus]"' in told[0]
    with pytest.raises(ConfigurationError, match=r'pip install "tta-observe\[prometheus\]"'):
        settings(exporter=("local", "prometheus"))


def test_disabled_is_read_from_the_standard_variable():
    """
    One variable that switches off everything is what an operator looks for at night.
    """
    assert settings({"OTEL_SDK_DISABLED": "TRUE"}).disabled
    assert not settings({"OTEL_SDK_DISABLED": "false"}).disabled


CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("keywords", "environ", "captures"),
    [
        ({}, {}, None),
        ({"capture_content": True}, {}, "all"),
        ({"capture_content": True}, {CAPTURE: "NO_CONTENT"}, "all"),
        ({"capture_content": False}, {CAPTURE: "SPAN_ONLY"}, None),
        ({}, {CAPTURE: "SPAN_ONLY"}, "gen_ai"),
        ({}, {CAPTURE: "span_and_event"}, "gen_ai"),
        ({}, {CAPTURE: "True"}, "gen_ai"),
        ({}, {CAPTURE: "NO_CONTENT"}, None),
        ({}, {CAPTURE: "false"}, None),
        ({}, {CAPTURE: "EVENT_ONLY"}, None),
    ],
    ids=str,
)
def test_content_is_captured_only_where_someone_said_so(keywords, environ, captures):
    """
    The variable of OpenTelemetry is about LLM calls and tools; it must not put every argument of a program on spans.
    """
    assert captures == settings(environ, **keywords).captures


def test_store_is_found_where_the_reader_looks_for_it():
    """
    ``~`` means the same to the program that writes and to the command that reads.
    """
    expected = Path.home() / "telemetry.db"

    assert expected == settings(store="~/telemetry.db").store
    assert expected == settings({"TTA_OBSERVE_STORE": "~/telemetry.db"}).store
    assert Path("telemetry.db").absolute() == settings(store=Path("telemetry.db")).store


def test_network_interval_does_not_slow_down_the_store():
    """
    The variable is set for collectors; the local report would show the last minute's truth.
    """
    found = settings({"OTEL_METRIC_EXPORT_INTERVAL": "60000"})

    assert {"local": 1.0, "otlp": 60.0, "console": 60.0} == dict(found.metric_interval_s)
    assert {"local": 1.0, "otlp": 15.0, "console": 15.0} == dict(settings().metric_interval_s)


@pytest.mark.parametrize(
    ("keywords", "environ", "name"),
    [
        ({"service_name": "a"}, {"OTEL_SERVICE_NAME": "b"}, "a"),
        ({"resource_attributes": {"service.name": "a"}}, {"OTEL_SERVICE_NAME": "b"}, "a"),
        ({"service_name": "a", "resource_attributes": {"service.name": "b"}}, {}, "a"),
        ({}, {"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "a"),
        ({}, {"OTEL_RESOURCE_ATTRIBUTES": "team=shop,service.name=a%20b"}, "a b"),
        ({}, {"OTEL_SERVICE_NAME": "  "}, f"unknown_service:{Path(sys.argv[0]).stem}"),
    ],
    ids=str,
)
def test_service_name_comes_from_the_most_explicit_place(keywords, environ, name):
    """
    Everything is grouped by this name; a wrong one hides a service behind another.
    """
    assert name == settings(environ, **keywords).service_name


PLAINTEXT = "headers go to collector:4317 in plaintext"


@pytest.mark.parametrize(
    ("environ", "keywords", "told"),
    [
        ({}, {"endpoint": "http://collector:4317", "headers": {"authorization": SECRET}}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_HEADERS": f"a={SECRET}"}, {}, True),
        ({}, {"endpoint": "http://collector:4317"}, False),
        ({}, {"endpoint": "https://collector:4317", "headers": {"authorization": SECRET}}, False),
        ({}, {"endpoint": "http://127.0.0.1:4317", "headers": {"authorization": SECRET}}, False),
        ({}, {"endpoint": "http://[::1]:4317", "headers": {"authorization": SECRET}}, False),
        ({}, {"endpoint": "http://localhost:4317", "headers": {"authorization": SECRET}}, False),
        ({}, {"endpoint": "http://collector:4317", "headers": {"authorization": SECRET}, "exporter": "local"}, False),
    ],
    ids=str,
)
def test_headers_that_leave_the_machine_in_plaintext_are_told_once(environ, keywords, told):
    """
    A token that everybody on the way can read is worth a line; which token it is, is not.
    """
    problems = resolve(keywords, environ)[1]

    assert told == any(PLAINTEXT in problem for problem in problems)
    assert len(problems) == told
    assert SECRET not in " ".join(problems)


@pytest.mark.parametrize(
    ("endpoint", "more", "tls"),
    [
        ("collector:4317", {}, False),
        ("collector:4317", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem"}, True),
        ("collector:4317", {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "/key.pem"}, True),
        ("collector:4317", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, False),
        ("http://collector:4317", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem"}, False),
        ("https://collector:4317", {}, True),
    ],
)
def test_a_certificate_means_tls_where_no_scheme_says_otherwise(endpoint, more, tls):
    """
    Whoever names a CA file believes that what is sent is encrypted.
    """
    assert tls == settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **more}).targets["TRACES"].tls


def test_keywords_show_no_secret_either():
    """
    A debugger, or a traceback that shows variables, prints them.
    """
    given = Keywords(
        endpoint=f"http://me:{SECRET}@collector", headers={"authorization": SECRET}, resource_attributes={"k": 1}
    )

    assert SECRET not in repr(given) + str(given)
    assert SECRET not in repr(settings(resource_attributes={"api_key": SECRET}))


@pytest.mark.parametrize("name", ["environment", "prices", "resource_attributes", "exporter"])
def test_a_wrong_value_is_shown_without_asking_it(name):
    """
    The message must not run code of the value, nor repeat a key.
    """
    for value in (KINDS["object"], KINDS["lying text"], [f"sk-{SECRET}-{SECRET}"], KINDS["wide"]):
        RAN.clear()
        with pytest.raises(ConfigurationError) as caught:
            settings(**{name: value})

        assert len(str(caught.value)) < 600
        assert SECRET not in str(caught.value)
        assert not set(RAN) - {"__class__"}  # pydantic asks for it
