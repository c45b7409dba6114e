"""The doctor: why there is nothing to be seen, in sentences that name the line to change."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import clean, environment
from receiver import black_hole, receiving, refusing
from rich.cells import cell_len

import tta_observe
from tta_observe._settings import Target, resolve
from tta_observe.cli import main
from tta_observe.cli.doctor import dial, examine, ledgers, otlp, page, settings, store, troubles, versions
from tta_observe.cli.doctor.attempts import begin, within
from tta_observe.cli.doctor.drawing import ASCII_SIGNS, SIGNS, as_json, render, signs_for
from tta_observe.cli.doctor.findings import Finding, Group
from tta_observe.cli.doctor.otlp import Sent
from tta_observe.cli.doctor.store import StoreFacts
from tta_observe.cli.doctor.troubles import Way
from tta_observe.cli.screen import Screen
from tta_observe.local.rows import Account, LedgerRow

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SECRET = "hunter2-s3cret"
NOW = 1_760_000_000_000_000_000


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.1)


def named(findings, name):
    """The findings called *name*, as (state, what was found)."""
    return [(finding.state, finding.found) for finding in findings if finding.name == name]


def problems(findings):
    return [finding for finding in findings if finding.state == "problem"]


def doctor(*arguments, **variables):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tta_observe", "doctor", *arguments],
        env={**environment(variables.pop("directory", "/nowhere")), **variables},
        capture_output=True,
        timeout=30,
    )


# Settings


def test_settings_name_where_each_signal_goes():
    """
    The first question to whoever sees nothing: where does it go?
    """
    findings = settings.check(
        {ENDPOINT: "https://collector:4317", "OTEL_TRACES_EXPORTER": "none", "OTEL_SERVICE_NAME": "shop"}
    )

    assert [("ok", "shop")] == named(findings, "service name")
    assert [("warning", "go nowhere")] == named(findings, "traces")
    assert [("ok", "otlp to collector:4317, TLS, no headers; not what an application sends there by itself")] == named(
        findings, "metrics"
    )
    assert [("ok", "otlp every 15 s")] == named(findings, "metric interval")


@pytest.mark.parametrize(
    ("variables", "name", "remedy"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED", "unset OTEL_SDK_DISABLED"),
        ({"TTA_OBSERVE_EXPORTER": "none"}, "metrics", "unset OTEL_METRICS_EXPORTER"),
        (
            {ENDPOINT: "x:4317", "OTEL_METRIC_EXPORT_INTERVAL": "300000"},
            "metric interval",
            "OTEL_METRIC_EXPORT_INTERVAL=15000",
        ),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "sampler", "unset OTEL_TRACES_SAMPLER"),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.0"},
            "sampler",
            "unset OTEL_TRACES_SAMPLER",
        ),
    ],
)
def test_setting_that_hides_everything_is_a_problem_with_the_line_to_change(variables, name, remedy):
    """
    Each of these was set by somebody, once, for a good reason, and is why nobody sees anything now.
    """
    found = [finding for finding in problems(settings.check(variables)) if finding.name == name]

    assert 1 == len(found)
    assert found[0].remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("variables", "found", "remedy"),
    [
        (
            {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
            "OTEL_EXPORTER_OTLP_TIMEOUT is ignored: it is not a positive number of seconds",
            "unset OTEL_EXPORTER_OTLP_TIMEOUT, or write a positive number of seconds",
        ),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "token"},
            "OTEL_EXPORTER_OTLP_HEADERS: a part was ignored",
            "Write key=value,key2=value2",
        ),
        (
            {ENDPOINT: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not spoken, so the telemetry goes to the local store",
            "Set it to http/protobuf, which the same receivers take, or to grpc",
        ),
        ({"TTA_OBSERVE_EXPORTR": "local"}, "TTA_OBSERVE_EXPORTR is not read by anything", "TTA_OBSERVE_EXPORTER=..."),
        (
            {"OTEL_EXPORTER_OTLP_ENDPIONT": "http://x"},
            "OTEL_EXPORTER_OTLP_ENDPIONT is not read by anything",
            "OTEL_EXPORTER_OTLP_ENDPOINT=...",
        ),
    ],
)
def test_variable_that_has_no_effect_is_told(variables, found, remedy):
    """
    A typing mistake in a variable is silent everywhere else.
    """
    told = {finding.found: finding.remedy for finding in settings.check(variables) if finding.name == "environment"}

    assert {found: remedy} == told


@pytest.mark.parametrize(
    ("variables", "state"),
    [
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, "ok"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, "ok"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "warning"),
    ],
)
def test_sampler_is_shown_when_it_was_chosen(variables, state):
    """
    A missing trace is usually one that was not sampled.
    """
    assert [state] == [found for found, _ in named(settings.check(variables), "sampler")]


def test_deltas_are_warned_of():
    """
    Prometheus drops them without a word.
    """
    variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
    found = [finding for finding in settings.check({variable: "delta"}) if finding.name == "temporality"]

    assert [("warning", f"unset {variable}")] == [(finding.state, finding.remedy) for finding in found]


def test_scrape_endpoint_alone_says_that_traces_go_nowhere():
    """
    ``/metrics`` holds no spans, and whoever looks for traces must be told.
    """
    findings = settings.check({"TTA_OBSERVE_EXPORTER": "prometheus"})

    assert [("warning", "go nowhere"), ("ok", "our /metrics")] == named(findings, "traces") + named(findings, "metrics")


VARIABLES = st.sampled_from([*settings._KNOWN, "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED"])
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(values=st.dictionaries(VARIABLES, VALUES))
def test_settings_never_raise_whatever_the_variables_say(values):
    """
    Environments are typed by hand and copied from web pages.
    """
    findings = settings.check(values)

    assert {"service name", "traces", "metrics", "variables"} <= {finding.name for finding in findings}
    assert all("\n" not in finding.found and "\x1b" not in finding.found for finding in findings)


# The local store


def record_something(path):
    tta_observe.configure(exporter="local", store=path)
    with tta_observe.primitive("fetch"):
        pass
    tta_observe.flush()


def looked_at(path):
    """What is said about the store at *path*."""
    return list(store.judge(store.gather(path, time.time_ns())))


def test_store_in_use_is_fine(tmp_path):
    """
    Path, size, the last measurement and who writes: enough to see that it works.
    """
    path = tmp_path / "store.db"
    record_something(path)
    findings = looked_at(path)

    assert ["ok", "ok"] == [finding.state for finding in findings]
    assert re.fullmatch(rf"{re.escape(str(path))} \(\d+\.\d kB\)", findings[0].found)
    assert re.fullmatch(r"the last [\d.]+ s ago, [\d-]+ [\d:]+, live processes: 1", findings[1].found)


def test_store_that_is_missing_says_what_to_run(tmp_path):
    """
    The commonest answer of all: no program was run yet.
    """
    path = tmp_path / "deep" / "store.db"
    findings = looked_at(path)

    assert [("warning", "none yet")] == named(findings, "measurements")
    assert findings[-1].remedy.endswith("\n  tta-observe demo")
    assert not path.parent.exists()


def other_program(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def newer(path):
    record_something(path)
    tta_observe.shutdown()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (other_program, "is a SQLite file of another program"),
        (newer, "has version 99 of the store"),
        (lambda path: path.write_text("once upon a time " * 100), "is not a SQLite file"),
    ],
    ids=["other program", "newer version", "no database"],
)
def test_store_that_cannot_be_read_is_a_problem_and_stays_as_it_is(tmp_path, spoil, told):
    """
    Old notebooks meet new stores, and a mistyped path meets somebody's database.
    """
    path = tmp_path / "store.db"
    spoil(path)
    before = path.read_bytes()
    found = problems(looked_at(path))

    assert ["content"] == [finding.name for finding in found]
    assert told in found[0].found
    assert "TTA_OBSERVE_STORE=telemetry.db" in found[0].remedy
    assert before == path.read_bytes()
    assert [path.name] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize("what", ["a link", "a directory", "no directory"])
def test_store_that_cannot_be_written_is_a_problem(tmp_path, what):
    """
    The pipeline then writes to a temporary file, and the report looks at an empty one.
    """
    path = tmp_path / "store.db"
    if what == "a link":
        path.symlink_to(tmp_path / "real.db")
    elif what == "a directory":
        path.mkdir()
    else:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "store.db"

    assert "writable" in [finding.name for finding in problems(looked_at(path))]


@pytest.mark.parametrize(
    ("facts", "name", "state"),
    [
        (StoreFacts(Path("/s"), NOW, 1, free_bytes=1000), "disk", "problem"),
        (StoreFacts(Path("/s"), NOW, 1, last_ns=NOW + 60_000_000_000), "measurements", "warning"),
        (StoreFacts(Path("/s"), NOW, 1, last_ns=NOW - 60_000_000_000), "measurements", "ok"),
    ],
)
def test_full_disk_and_wrong_clock_are_told(facts, name, state):
    """
    Both look like a program that measures nothing.
    """
    assert [state] == [found for found, _ in named(store.judge(facts), name)]


def test_ledger_of_a_program_says_what_became_of_its_spans(tmp_path):
    """
    An empty dashboard has a reason, and the program that knows it is not the one that is asked.
    """
    with black_hole() as endpoint:
        tta_observe.configure(service_name="shop", exporter=("otlp", "local"), endpoint=endpoint)
        for _ in range(2):
            with tta_observe.primitive("fetch"):
                pass
            tta_observe.flush(0.2)
        tta_observe.flush(0.2)
        found = {text for _, text in named(looked_at(tmp_path / "store.db"), f"spans of shop {os.getpid()}")}

    local = "local: 2 recorded = 2 delivered"
    assert local in found
    assert re.fullmatch(r"otlp: 2 recorded = 0 delivered( \+ \d (queued|in flight))+", (found - {local}).pop())


@pytest.mark.parametrize(
    ("alive", "ended", "queued", "dropped", "state", "told"),
    [
        (True, False, 3, {}, "ok", None),
        (False, True, 0, {}, "ok", None),
        (False, True, 3, {}, "warning", "shutdown(timeout_s=10)"),
        (False, False, 3, {}, "warning", "flush_on_sigterm=True"),
        (True, False, 0, {"queue_full": 5, "encode": 1}, "warning", "sample_ratio=0.1"),
        (True, False, 0, {"of tomorrow": 1}, "warning", "stats()"),
    ],
    ids=["alive", "ended", "ended too early", "killed", "lost", "lost for a new reason"],
)
def test_spans_that_were_lost_or_left_are_told_with_what_to_do(alive, ended, queued, dropped, state, told):
    """
    A count alone leaves the reader where he was.
    """
    row = LedgerRow("shop", 7, "i", alive, ended, Account("otlp", 10, queued, 0, dropped))
    (finding,) = ledgers.judge(store.STORE, [row])

    assert (state, True) == (finding.state, told is None or told in finding.remedy)
    assert f"{10 + queued + sum(dropped.values())} recorded = 10 delivered" in finding.found


def test_store_is_not_looked_at_when_nothing_goes_there():
    """
    A missing file is no warning where the telemetry goes to a collector.
    """
    findings = store.check(resolve({}, {ENDPOINT: "http://collector:4317"})[0])

    assert [("ok", "not used: the telemetry goes elsewhere")] == named(findings, "store")


# Versions

FAMILY = dict.fromkeys(versions._FAMILY, "1.45.2")
REST = {"tta-observe": "0.1.0", "wrapt": "2.0", "grpcio": "1.80", "protobuf": "6.0", "pydantic": "2.1", "rich": "15"}


@pytest.mark.parametrize(
    ("installed", "name", "remedy"),
    [
        ({"opentelemetry-sdk": "1.30.0"}, "OpenTelemetry", "pip install -U opentelemetry-api opentelemetry-sdk"),
        ({"opentelemetry-api": None}, "opentelemetry-api", "pip install opentelemetry-api"),
        ({"wrapt": "1.16.0"}, "wrapt", "pip install -U 'wrapt>=1.17'"),
        ({"pydantic": None}, "pydantic", "pip install pydantic"),
        ({"prometheus_client": None}, "prometheus_client", "pip install 'tta-observe[prometheus]'"),
    ],
)
def test_packages_that_do_not_go_together_are_told(installed, name, remedy):
    """
    Half an upgrade is the usual way to lose telemetry over night.
    """
    found = {**FAMILY, **REST, "prometheus_client": "0.20", **installed}
    told = problems(versions.judge(found, {"wrapt": "1.17"}, (3, 12), scraped=True))

    assert [name] == [finding.name for finding in told]
    assert told[0].remedy.startswith(remedy)


def test_what_is_installed_here_goes_together():
    """
    The doctor must not call its own test environment ill.
    """
    assert [] == problems(versions.check(scraped=False))
    assert ["Python", "OpenTelemetry", "others", "prometheus_client"] == [f.name for f in versions.check(scraped=False)]


def test_python_that_is_too_old_is_told():
    """
    The package would not install there, but a copied directory is found by any Python.
    """
    assert "Python" in [finding.name for finding in problems(versions.judge(FAMILY | REST, {}, (3, 9), scraped=False))]


# OTLP


def asked(**variables):
    """What is said about the way to the receiver that *variables* name; also how long it took, in seconds."""
    began = time.monotonic()
    findings = otlp.check(resolve({}, variables)[0], variables)
    return findings, time.monotonic() - began


def only_problem(**variables):
    """The one problem that both signals have."""
    findings, seconds = asked(**variables)

    assert [("traces, metrics", "problem")] == [(finding.name, finding.state) for finding in findings]
    assert seconds < 5
    return findings[0]


def test_receiver_that_takes_telemetry_is_asked_for_both_signals():
    """
    An open port proves nothing: the receiver has to take what would be sent, and gets nothing but an empty request.
    """
    with receiving() as receiver:
        findings, _ = asked(**{ENDPOINT: receiver.endpoint, "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={SECRET}"})

    assert [("traces", "ok"), ("metrics", "ok")] == [(finding.name, finding.state) for finding in findings]
    assert {"traces", "metrics"} == {request.signal for request in receiver.requests}
    assert all(SECRET == request.headers["x-key"] for request in receiver.requests)
    assert [0, 0] == [request.message.ByteSize() for request in receiver.requests]


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
def test_receiver_that_wants_a_key_leads_to_the_header_variable(code):
    """
    Which headers were sent is shown, never what is in them.
    """
    with receiving(f"err:{code}") as receiver:
        found = only_problem(**{ENDPOINT: receiver.endpoint, "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={SECRET}"})

    assert found.found.endswith(f"({code}); sent was x-key")
    assert found.remedy.endswith("  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20...")
    assert SECRET not in str(found)


def test_receiver_of_one_signal_says_which_is_missing():
    """
    A collector without a pipeline for metrics, or Jaeger, takes the traces and refuses the rest.
    """
    target = Target(host="h", port=4317, tls=False)
    finding = otlp.judge(Sent("UNIMPLEMENTED", "unknown service x"), None, Way(target, "METRICS", {}))

    assert "h:4317 takes OTLP, but no metrics (UNIMPLEMENTED)" == finding.found
    assert "OTEL_METRICS_EXPORTER=none" in finding.remedy


@pytest.mark.parametrize(
    ("code", "told"),
    [("RESOURCE_EXHAUSTED", "is too busy"), ("INTERNAL", "answers INTERNAL"), ("UNAVAILABLE", "answers UNAVAILABLE")],
)
def test_receiver_in_trouble_is_told_from_one_that_is_not_there(code, told):
    """
    Then the log of the receiver is the place to look, not this machine.
    """
    with receiving(f"err:{code}") as receiver:
        assert told in only_problem(**{ENDPOINT: receiver.endpoint}).found


def test_receiver_that_takes_its_time_is_told_apart_from_silence():
    """
    It is there, it speaks the protocol, and it does not answer.
    """
    with receiving("slow:3") as receiver:
        assert "gives no answer within 2 s" in only_problem(**{ENDPOINT: receiver.endpoint}).found


def test_port_where_nobody_listens():
    """
    The collector is not running, or runs on another port.
    """
    with refusing() as endpoint:
        found = only_problem(**{ENDPOINT: endpoint})

    assert found.found.endswith("refuses connections: nobody listens there")
    assert found.remedy.endswith(f"  {ENDPOINT}=http://127.0.0.1:4317")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_port_that_never_answers_is_told_in_time(scheme):
    """
    The stock exporter waits for minutes; who asks why has less patience.
    """
    with black_hole() as endpoint:
        found = only_problem(**{ENDPOINT: endpoint.replace("http", scheme)})

    assert found.found.endswith("takes connections and never answers")


def test_host_that_does_not_exist():
    """
    Names of other networks, such as those of a compose file, are unknown here.
    """
    found = only_problem(**{ENDPOINT: "http://collector.invalid:4317"})

    assert "collector.invalid:4317 is unknown: there is no host of this name" == found.found


class _Page(BaseHTTPRequestHandler):
    """A web server like any other."""

    def do_GET(self):
        body = self.server.body
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextmanager
def web_server(body=b"hello", status=200):
    """An HTTP server that says *body*; yields its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.body, server.status = body, status
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_web_server_is_no_receiver_of_grpc(scheme):
    """
    4318 is the port of OTLP over HTTP, and stands in most examples.
    """
    with web_server() as port:
        found = only_problem(**{ENDPOINT: f"{scheme}://127.0.0.1:{port}"})

    assert found.found.endswith("speaks HTTP/1, not gRPC")
    assert found.remedy.endswith(f"  {ENDPOINT}=http://127.0.0.1:4317")


def test_port_4318_is_known_by_its_number():
    """
    The remedy says what the number means.
    """
    way = Way(Target(host="h", port=4318, tls=False), "TRACES", {})
    _, remedy = troubles.explain("UNAVAILABLE", "", dial.Port(plain="http/1"), way, None)

    assert (
        "4318 is the port of OTLP over HTTP; gRPC is usually on 4317:\n  OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4317"
        == remedy
    )


def test_variable_of_one_signal_is_the_one_to_change():
    """
    Changing the general variable would do nothing where the special one is set.
    """
    with refusing() as endpoint:
        variables = {ENDPOINT: "http://elsewhere:4317", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint}
        findings, _ = asked(**variables, OTEL_TRACES_EXPORTER="none")

    assert ["metrics"] == [finding.name for finding in findings]
    assert "  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" in findings[0].remedy


def test_receivers_of_two_signals_are_judged_apart():
    """
    Traces to one vendor and metrics to another is a common arrangement.
    """
    with receiving() as receiver, refusing() as endpoint:
        findings, _ = asked(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.endpoint, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=endpoint
        )

    assert [("traces", "ok"), ("metrics", "problem")] == [(finding.name, finding.state) for finding in findings]


@pytest.mark.parametrize(
    ("host", "variables", "expected"),
    [
        ("collector", {"https_proxy": "http://p"}, "https_proxy"),
        ("collector", {"grpc_proxy": "http://p", "https_proxy": "http://p"}, "grpc_proxy"),
        ("collector", {"https_proxy": "http://p", "no_proxy": "other, collector"}, None),
        ("127.0.0.1", {"https_proxy": "http://p"}, None),
        ("localhost", {"http_proxy": "http://p"}, None),
        ("collector", {}, None),
    ],
)
def test_proxy_that_grpc_would_take_is_known(host, variables, expected):
    """
    Variables that were set for a browser are obeyed by gRPC.
    """
    assert expected == otlp.proxy_for(host, variables)


@pytest.mark.parametrize(
    ("code", "details"), [("UNAVAILABLE", ""), ("UNIMPLEMENTED", "Received http2 header with status: 404")]
)
def test_proxy_in_the_way_leads_to_no_proxy(code, details):
    """
    The answer then comes from the proxy, and everything else that could be said is wrong.
    """
    way = Way(Target(host="collector", port=4317, tls=False), "TRACES", {})
    found, remedy = troubles.explain(code, details, dial.Port(plain="http/2"), way, "https_proxy")

    assert "through the proxy that https_proxy names" in found
    assert remedy.endswith("  no_proxy=collector")


# TLS


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(name="certificates", scope="module")
def _certificates(tmp_path_factory):
    """A CA, and a key and certificate of ``localhost``."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    directory = tmp_path_factory.mktemp("certificates")
    openssl(directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test CA",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    (directory / "names").write_text("subjectAltName=DNS:localhost", encoding="utf-8")
    openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", "server.key", "-out", "server.csr")  # fmt: skip
    openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "1",
            "-CAcreateserial", "-extfile", "names", "-out", "server.pem")  # fmt: skip
    return directory


@contextmanager
def secured(certificates, *, ask_client=False):
    """A receiver behind TLS; yields its port."""
    ca, key, certificate = ((certificates / name).read_bytes() for name in ("ca.pem", "server.key", "server.pem"))
    pair = [(key, certificate)]
    credentials = grpc.ssl_server_credentials(pair, ca if ask_client else None, require_client_auth=ask_client)
    with receiving(credentials=credentials) as receiver:
        yield receiver.port


def test_tls_that_is_believed(certificates):
    """
    With the right file nothing is to be said.
    """
    with secured(certificates) as port:
        findings, _ = asked(
            **{ENDPOINT: f"https://localhost:{port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "ca.pem")}
        )

    assert ["ok", "ok"] == [finding.state for finding in findings]


def test_plaintext_to_a_port_of_tls(certificates):
    """
    All gRPC says is "Socket closed", from which nobody learns anything.
    """
    with secured(certificates) as port:
        found = only_problem(**{ENDPOINT: f"http://localhost:{port}"})

    assert found.found.endswith("speaks TLS, and plaintext was sent")
    assert found.remedy.endswith(f"  {ENDPOINT}=https://localhost:{port}")


def test_tls_to_a_port_of_plaintext():
    """
    All gRPC says is "WRONG_VERSION_NUMBER".
    """
    with receiving() as receiver:
        found = only_problem(**{ENDPOINT: f"https://localhost:{receiver.port}"})

    assert found.found.endswith("speaks plaintext, and TLS was asked for")
    assert found.remedy.endswith(f"  {ENDPOINT}=http://localhost:{receiver.port}")


def test_certificate_of_a_stranger(certificates):
    """
    Inside a company, certificates are signed by the company.
    """
    with secured(certificates) as port:
        found = only_problem(**{ENDPOINT: f"https://localhost:{port}"})

    assert "has a certificate that is not believed: " in found.found
    assert found.remedy.endswith("  OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem")


def test_certificate_of_another_host(certificates):
    """
    The same machine under another name.
    """
    with secured(certificates) as port:
        found = only_problem(
            **{ENDPOINT: f"https://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "ca.pem")}
        )

    assert "mismatch" in found.found
    assert found.remedy.startswith("Write the host as it stands in the certificate:")


def test_receiver_that_asks_for_a_certificate(certificates):
    """
    TLS 1.3 tells it after the handshake, when everything looked fine.
    """
    with secured(certificates, ask_client=True) as port:
        found = only_problem(
            **{ENDPOINT: f"https://localhost:{port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "ca.pem")}
        )

    assert found.found.endswith("asks for a certificate of the client, or does not believe yours")
    assert "OTEL_EXPORTER_OTLP_CLIENT_KEY=" in found.remedy


def test_certificate_file_that_is_missing():
    """
    Nothing is sent then, and the name of the file is what helps.
    """
    with receiving() as receiver:
        found = only_problem(
            **{ENDPOINT: f"https://localhost:{receiver.port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such.pem"}
        )

    assert found.found.endswith("was not asked: /no/such.pem: No such file or directory")


@pytest.mark.parametrize(
    ("port", "details", "remedy"),
    [
        (dial.Port(distrust="certificate has expired"), "", "Renew the certificate"),
        (dial.Port(secured="http/2"), "CERTIFICATE_VERIFY_FAILED", "Name the ones of this machine:"),
        (dial.Port(secured="http/2"), "Received http2 header with status: 502", "gRPC is usually on 4317"),
        (dial.Port(secured="http/1"), "", "gRPC is usually on 4317"),
        (None, "", "See the log of the receiver"),
    ],
)
def test_rarer_troubles_have_remedies_too(port, details, remedy):
    """
    An expired certificate, gRPC's own list of authorities, a load balancer in between, a web site.
    """
    way = Way(Target(host="h", port=443, tls=True), "TRACES", {})

    assert troubles.explain("UNAVAILABLE", details, port, way, None)[1].startswith(remedy)


CODES = [code.name for code in grpc.StatusCode if code.name != "OK"] + ["FILES"]
PORTS = st.builds(
    dial.Port,
    st.sampled_from([None, "unknown host", "refused", "no answer", "unreachable"]),
    st.sampled_from([None, "http/2", "http/1", "silence", "hung up", "something else"]),
    st.sampled_from([None, "http/2", "http/1", "silence", "hung up", "something else"]),
    st.none() | st.text(),
    st.booleans(),
)


@given(st.sampled_from(CODES), st.text(), st.none() | PORTS, st.booleans(), st.none() | st.just("https_proxy"))
def test_every_failure_is_explained(code, details, port, tls, proxy):
    """
    Whatever gRPC and the port say: one line about what it is, and what to write.
    """
    way = Way(Target(host="h", port=4317, tls=tls, headers=(("k", SECRET),)), "METRICS", {})
    found, remedy = troubles.explain(code, details, port, way, proxy)

    assert found
    assert remedy
    assert "\n" not in found
    assert SECRET not in found + remedy


# Our own /metrics


def exposed(port):
    return page.check(
        resolve({}, {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)})[0]
    )


def test_free_port_is_free_to_use():
    """
    No program runs at the moment, which is no problem.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (finding,) = exposed(port)

    assert ("ok", f"127.0.0.1:{port} is free: no program listens there now") == (finding.state, finding.found)


def test_port_of_a_program_of_ours_counts_its_metrics():
    """
    The page is there; what is missing is missing behind it.
    """
    body = b"# TYPE primitive_execution_count unknown\n# TYPE cache_total counter\n# TYPE python_info gauge\n"
    with web_server(body) as port:
        (finding,) = exposed(port)

    assert ("ok", f"127.0.0.1:{port} answers with 2 metrics of ours") == (finding.state, finding.found)


def test_page_tells_what_became_of_the_spans_that_went_elsewhere(monkeypatch):
    """
    Where nothing is stored here, the page of the running program is the only one that knows.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    with refusing() as endpoint:
        tta_observe.configure(exporter=("prometheus", "otlp"), endpoint=endpoint)
        with tta_observe.primitive("fetch"):
            pass
        tta_observe.flush(1.0)
        told = named(exposed(port), "spans")

    assert [("ok", "otlp: 1 recorded = 0 delivered + 1 queued")] == told


@pytest.mark.parametrize(("body", "state"), [(b"# TYPE go_info gauge\n", "warning"), (b"<html>", "problem")])
def test_port_of_a_stranger_leads_to_another_port(body, state):
    """
    A taken port leaves the exporter out with one warning that is easily overlooked.
    """
    with web_server(body) as port:
        (finding,) = exposed(port)

    assert state == finding.state
    assert finding.remedy.endswith(f"OTEL_EXPORTER_PROMETHEUS_PORT={port + 1}")


def test_any_free_port_cannot_be_scraped():
    """
    Port 0 is for tests: Prometheus needs to know the number.
    """
    assert ["warning"] == [finding.state for finding in exposed(0)]


def test_endpoint_is_not_looked_at_when_nothing_is_exposed():
    """
    Another program on port 9464 is no business of the doctor then.
    """
    assert [] == page.check(resolve({}, {})[0])


# Attempts


def test_attempt_that_hangs_is_given_up():
    """
    A name server that does not answer has no time limit of its own.
    """
    began, answered = time.monotonic(), threading.Event()
    with pytest.raises(TimeoutError):
        within(0.1, answered.wait)
    took = time.monotonic() - began
    answered.set()

    assert took < 1


def test_attempt_that_fails_says_so():
    """
    Errors come back as themselves.
    """
    with pytest.raises(ZeroDivisionError):
        begin(lambda: 1 / 0).result(5)


# The command

WRONG = Finding(
    "OTLP", "traces", "problem", "h:1 refuses", "Write\n  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
)
MIXED = [Group("Settings").ok("service name", "shop"), Group("Settings").warning("x", "odd"), WRONG]


def test_output_puts_the_remedy_under_the_problem():
    """
    The eye finds the cross, then the arrow, then the line to copy.
    """
    expected = """\
Settings
✓ service name  shop
! x             odd

OTLP
✗ traces  h:1 refuses
  → Write
      OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317

1 problem, 1 warning. Begin with OTLP: traces.
"""

    assert expected == render(MIXED, Screen(80), SIGNS)


def test_ascii_terminals_get_words_for_signs():
    """
    Containers and old consoles have no ticks and crosses.
    """
    drawn = render(MIXED, Screen(80), signs_for("ascii"))

    assert drawn.isascii()
    assert ["ok service name  shop", "!  x             odd"] == drawn.splitlines()[1:3]
    assert (SIGNS, ASCII_SIGNS, ASCII_SIGNS) == (signs_for("utf-8"), signs_for(None), signs_for("no such"))


def test_remedy_that_helps_several_is_said_once():
    """
    Six wrong names have one cause.
    """
    drawn = render([WRONG, WRONG, WRONG], Screen(80), SIGNS)

    assert (3, 1) == (drawn.count("✗"), drawn.count("→"))


def test_colours_are_for_terminals():
    """
    Escapes in a file are noise, and colour alone must not carry the meaning.
    """
    coloured = render(MIXED, Screen(80, color=True), SIGNS)

    assert "\x1b[31m✗" in coloured
    assert render(MIXED, Screen(80), SIGNS) == re.sub(r"\x1b\[[\d;]*m", "", coloured)


PROSE = st.lists(st.from_regex(r"[!-~]{1,30}", fullmatch=True), min_size=1, max_size=20).map(" ".join)
FINDINGS = st.builds(
    Finding,
    group=st.sampled_from(["Settings", "OTLP"]),
    name=st.from_regex(r"[a-z_ ]{1,50}", fullmatch=True),
    state=st.sampled_from(["ok", "warning", "problem"]),
    found=PROSE,
    remedy=st.none() | PROSE,
)


@given(st.lists(FINDINGS, min_size=1, max_size=8))
def test_nothing_that_was_found_is_cut(findings):
    """
    At 80 columns lines are broken between words; no word of a finding or a remedy is lost.
    """
    drawn = render(findings, Screen(80), SIGNS)
    words = set(re.split(r"\s+", drawn))

    assert all(set(f.found.split()) | set((f.remedy or "").split()) <= words for f in findings)
    assert all(cell_len(line) <= 80 for line in drawn.splitlines() if line.startswith(" "))
    assert {"problems", "warnings", "checks"} == json.loads(as_json(findings)).keys()


def test_all_is_well(tmp_path, capsys, monkeypatch):
    """
    Exit code 0 and one line that says so: for people, and for a probe in a container.
    """
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    record_something(tmp_path / "store.db")

    assert 0 == main(["doctor"])
    assert capsys.readouterr().out.endswith("\nNo problem, 0 warnings.\n")


def test_json_holds_every_check(capsys, monkeypatch):
    """
    For programs: the same findings, and exit code 1 for a problem.
    """
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert 1 == main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert 1 == found["problems"]
    assert all({"group", "name", "state", "found", "remedy"} == check.keys() for check in found["checks"])
    assert {"Settings", "Versions", "Local store"} == {check["group"] for check in found["checks"]}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_secrets_are_never_shown(arguments):
    """
    What the doctor prints is pasted into tickets.
    """
    with refusing() as endpoint:
        host = endpoint.removeprefix("http://")
        ended = doctor(
            "--prometheus",
            f"http://user-{SECRET}:{SECRET}@{host}/graph?token={SECRET}",
            *arguments,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user-{SECRET}:{SECRET}@{host}/?token={SECRET}",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{SECRET}",
            OTEL_EXPORTER_OTLP_TIMEOUT=SECRET,
            OTEL_RESOURCE_ATTRIBUTES=f"key={SECRET}",
            OTEL_TRACES_SAMPLER=SECRET,
            TTA_OBSERVE_EXPORTER=f"local,{SECRET}",
            TTA_OBSERVE_TOKEN=SECRET,
        )

    assert 1 == ended.returncode
    assert SECRET.encode() not in ended.stdout + ended.stderr
    assert b"authorization" in ended.stdout


@pytest.mark.parametrize(
    "text", [f"localhost:{SECRET}", f"ftp://{SECRET}@h", f"http://{SECRET}:{SECRET}@", "http://[", ""]
)
def test_address_that_is_none_is_refused_with_an_example(capsys, text):
    """
    A mistyped address is a mistake in typing: exit code 2, and nothing of it is repeated.
    """
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--prometheus", text])
    told = capsys.readouterr().err

    assert 2 == caught.value.code
    assert "Write http://127.0.0.1:9090, or https:// for TLS" in told
    assert SECRET not in told


def test_everything_together_ends_in_time(tmp_path):
    """
    Three black holes at once: beside each other, not one after the other.
    """
    with black_hole() as endpoint:
        began = time.monotonic()
        ended = doctor(
            "--prometheus", endpoint, directory=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=endpoint.rpartition(":")[2],
        )  # fmt: skip
    seconds = time.monotonic() - began

    assert (1, b"") == (ended.returncode, ended.stderr)
    assert seconds < 9
    assert "did not end" not in ended.stdout.decode()


def test_package_that_is_missing_is_a_finding(monkeypatch):
    """
    The doctor is run when something is broken, perhaps the installation.
    """
    monkeypatch.setitem(sys.modules, "grpc", None)
    found = problems(examine({ENDPOINT: "http://127.0.0.1:1"}))

    assert [("OTLP", "grpc cannot be imported", "pip install -U tta-observe")] == [
        (finding.group, finding.found, finding.remedy) for finding in found
    ]


def test_directory_that_is_gone_is_told(tmp_path, monkeypatch):
    """
    A shell that stands in a deleted directory cannot make a relative path absolute.
    """
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    found = [finding.found for finding in examine({"TTA_OBSERVE_STORE": "telemetry.db"})]

    assert any("TTA_OBSERVE_STORE is ignored: it is not a path" in each for each in found)


def test_check_that_fails_does_not_hide_the_others(monkeypatch):
    """
    A mistake of ours in one check costs that check alone.
    """
    monkeypatch.setattr(store, "check", lambda settings: 1 / 0)
    findings = examine({})

    assert [("problem", "could not be made: ZeroDivisionError")] == named(findings, "check")
    assert {"Settings", "Versions"} <= {finding.group for finding in findings}


def test_terminal_of_80_columns_shows_signs_and_colours(tmp_path):
    """
    Read on a real terminal: nothing wider than it, and colours on the signs.
    """
    near, far = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tta_observe", "doctor"],
        env={**environment(tmp_path), "COLUMNS": "80", "TERM": "xterm", ENDPOINT: "http://127.0.0.1:1"},
        stdout=far,
        stdin=subprocess.DEVNULL,
    ) as child:
        os.close(far)
        shown = b""
        try:
            while data := os.read(near, 65536):
                shown += data
        except OSError:  # Linux: the other side is closed
            pass
        os.close(near)
    text = shown.decode()

    assert 1 == child.returncode
    assert "\x1b[31m✗" in text
    assert all(cell_len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= 80 for line in text.splitlines())
