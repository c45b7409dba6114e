"""OTLP over HTTP: what a receiver gets, what its answers mean, and deadlines that hold."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
import time
from email.utils import formatdate

import pytest
from http_receiver import receiving_http
from programs import clean
from receiver import black_hole, refusing

import tta_observe
from tta_observe import configure
from tta_observe._export import ExportFailed
from tta_observe._pipeline.otlp_http import HttpTransport
from tta_observe._settings import Target

pytest.importorskip("urllib3", reason="needs urllib3")


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.1)


@pytest.fixture(name="receiver")
def _receiver():
    with receiving_http() as receiver:
        yield receiver


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def send_to(receiver, **more):
    """The failure of one request."""
    transport = HttpTransport(target_of(receiver, **more))
    try:
        with pytest.raises(ExportFailed) as caught:
            transport.send("TRACES", b"", 1.0)
    finally:
        transport.close()
    return caught.value


def target_of(receiver, **more):
    return Target(
        **{"host": "127.0.0.1", "port": receiver.server_port, "tls": False, "protocol": "http/protobuf"}
        | {"path": "/v1/traces"}
        | more
    )


def row():
    return tta_observe.stats().exporters[0]


def test_receiver_gets_spans_and_metrics_at_their_paths(receiver):
    """
    The address that works with any other SDK works here.
    """
    configure(endpoint=f"{receiver.endpoint}/base", protocol="http/protobuf", headers={"X-Tenant": "shop"})
    for _ in range(1200):
        call()

    assert tta_observe.flush(5)
    assert 1200 == len(receiver.span_names())
    assert {"/base/v1/traces", "/base/v1/metrics"} == set(receiver.paths)
    assert {("application/x-protobuf", "shop")} == {
        (request.headers["content-type"], request.headers["x-tenant"]) for request in receiver.requests
    }
    assert (1200, 1200) == (row().recorded, row().delivered)


@pytest.mark.parametrize(("mode", "connections"), [("ok", 2), ("hang up", 10)])
def test_connections_are_kept_open_and_made_again_when_the_receiver_closed_them(receiver, caplog, mode, connections):
    """
    A TLS handshake a second would cost more than the telemetry; that a receiver closes what is idle is no failure.
    """
    receiver.mode = mode
    configure(endpoint=receiver.endpoint, protocol="http/protobuf")
    for _ in range(5):
        call()
        assert tta_observe.flush()
        time.sleep(0.02)

    assert connections == receiver.connections
    assert [] == [record for record in caplog.records if record.name == "tta_observe"]


def test_each_signal_may_speak_another_protocol(receiver, monkeypatch):
    """
    ``OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`` is how people with two vendors live.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.endpoint}/mine")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    configure()
    call()

    assert tta_observe.flush()
    assert ["/mine"] == receiver.paths


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_compression_is_taken_from_the_environment(receiver, monkeypatch, compression):
    """
    Traffic between zones is paid by the byte.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    configure(endpoint=receiver.endpoint, protocol="http/protobuf")
    for _ in range(200):
        call()

    assert tta_observe.flush()
    assert 200 == len(receiver.span_names())
    assert (compression == "gzip") == (sum(receiver.sizes) < 12_000)


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        (400, False),
        (401, False),
        (404, False),
        (408, False),
        (429, True),
        (500, False),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_answers_mean_what_the_specification_says(receiver, code, retryable):
    """
    What will never be taken must not be sent for ever, and what is only busy must not be lost.
    """
    receiver.mode = f"status:{code}"
    failed = send_to(receiver)

    assert (f"HTTP {code}", retryable, False) == (str(failed), retryable, failed.too_large)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "30 s from now"}, 30),
        ({"retry-after": formatdate(0, usegmt=True)}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "-5"}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_receiver_may_say_when_to_come_again(receiver, header, expected):
    """
    A collector that sheds load is not helped by those who come back at once.
    """
    later = formatdate(time.time() + 30, usegmt=True)
    receiver.mode = "status:503"
    receiver.more = {name: value.replace("30 s from now", later) for name, value in header.items()}

    assert expected == pytest.approx(send_to(receiver).retry_after_s, abs=5)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirect_is_not_followed(receiver, code):
    """
    Telemetry, and the headers that authorise it, go where the settings say.
    """
    with receiving_http() as elsewhere:
        receiver.mode, receiver.more = f"status:{code}", {"location": f"{elsewhere.endpoint}/v1/traces"}
        failed = send_to(receiver)

        assert (f"HTTP {code}", False, []) == (str(failed), failed.retryable, elsewhere.paths)


def test_batch_that_is_too_large_for_the_receiver_arrives_in_parts(receiver):
    """
    Proxies in front of collectors take one megabyte, or less.
    """
    receiver.mode = "at most:20000"
    configure(endpoint=receiver.endpoint, protocol="http/protobuf")
    for i in range(300):
        call(f"name_{i % 50}")

    assert tta_observe.flush(5)
    assert 300 == len(receiver.span_names()) == row().delivered
    assert {} == row().dropped


def test_partial_success_counts_what_was_rejected(receiver):
    """
    An answer is not an acknowledgement.
    """
    receiver.mode = "partial:2"
    configure(endpoint=receiver.endpoint, protocol="http/protobuf")
    for _ in range(5):
        call()

    assert not tta_observe.flush()
    assert (3, {"export_failed": 2}) == (row().delivered, row().dropped)


@pytest.mark.parametrize("mode", ["drip", "silent"])
def test_deadline_holds_whatever_the_receiver_does(receiver, mode):
    """
    A byte every second keeps most HTTP clients waiting for ever: their timeouts begin anew with each.
    """
    receiver.mode = mode
    transport = HttpTransport(target_of(receiver))
    begun = time.monotonic()
    with pytest.raises(ExportFailed) as caught:
        transport.send("TRACES", b"x", 0.5)
    took = time.monotonic() - begun
    transport.close()

    assert caught.value.retryable
    assert 0.4 < took < 0.8


def test_closing_interrupts_a_request():
    """
    The end of a program does not wait ten seconds for an answer.
    """
    with receiving_http("silent") as silent:
        transport = HttpTransport(target_of(silent))
        threading.Timer(0.2, transport.close).start()
        begun = time.monotonic()
        with pytest.raises(ExportFailed):
            transport.send("TRACES", b"x", 10)

        assert time.monotonic() - begun < 0.6
        with pytest.raises(ExportFailed, match="closed"):
            transport.send("TRACES", b"x", 10)


@pytest.mark.parametrize("nowhere", [refusing, black_hole], ids=["refused", "black hole"])
def test_flush_is_false_and_in_time_when_nobody_is_there(nowhere, caplog):
    """
    The same promise as over gRPC, with one line.
    """
    with nowhere() as endpoint:
        configure(endpoint=endpoint, protocol="http/protobuf")
        call()
        begun = time.monotonic()

        assert not tta_observe.flush(0.6)
        tta_observe.shutdown(0.3)
        assert time.monotonic() - begun < 1.3
    assert 1 == len([record for record in caplog.records if record.name == "tta_observe"])
    assert 1 == len(caplog.records) or {"tta_observe", "urllib3.connectionpool"} == {r.name for r in caplog.records}


def test_proxy_of_the_environment_does_not_divert_loopback(receiver, monkeypatch):
    """
    Local telemetry that goes out to a company's proxy never arrives.
    """
    with refusing() as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        configure(endpoint=receiver.endpoint, protocol="http/protobuf")
        call()

        assert tta_observe.flush()


def test_proxy_of_the_environment_is_used_beyond_loopback_unless_it_is_excepted(receiver, monkeypatch):
    """
    Inside many companies there is no other way out.
    """
    monkeypatch.setenv("http_proxy", receiver.endpoint)
    away = {"host": "collector.invalid", "port": 4318}
    transport = HttpTransport(target_of(receiver, **away))
    transport.send("TRACES", b"", 2.0)
    transport.close()
    monkeypatch.setenv("no_proxy", "collector.invalid")
    failed = send_to(receiver, **away)

    assert ["http://collector.invalid:4318/v1/traces"] == receiver.paths
    assert (True, "its name is not known") == (failed.retryable, str(failed))


def test_proxy_of_another_kind_is_one_warning(receiver, monkeypatch, caplog):
    """
    A program must not end over a variable that is meant for a browser.
    """
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    configure(endpoint="http://collector.invalid:4318", protocol="http/protobuf")
    call()

    assert not tta_observe.flush(0.5)
    assert 1 == len(caplog.records)
    assert "proxy" in caplog.text


@pytest.fixture(name="certificates", scope="module")
def _certificates(tmp_path_factory):
    """A certificate that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    return directory


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_needs_a_server_that_can_prove_who_it_is(certificates, monkeypatch, trusted):
    """
    Inside a company, certificates are signed by the company; a stranger gets nothing.
    """
    if trusted:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificates / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    with receiving_http(context=context) as receiver:
        configure(endpoint=f"https://localhost:{receiver.server_port}", protocol="http/protobuf")
        call()

        assert trusted == tta_observe.flush(2)
        assert (["primitive.function.execute"] if trusted else []) == receiver.span_names()
        tta_observe.shutdown(0.2)


def test_grpc_users_do_not_load_urllib3_and_http_users_do_not_load_grpc(tmp_path):
    """
    Each costs a tenth of a second and megabytes at start.
    """
    source = (
        "import sys, tta_observe\n"
        "tta_observe.configure(endpoint='http://127.0.0.1:1', protocol=sys.argv[1])\n"
        "print('grpc' in sys.modules, 'urllib3' in sys.modules)\n"
        "tta_observe.shutdown(0.1)"
    )
    found = [
        subprocess.run([sys.executable, "-c", source, protocol], capture_output=True, text=True, cwd=tmp_path).stdout
        for protocol in ("grpc", "http/protobuf")
    ]

    assert ["True False\n", "False True\n"] == found
