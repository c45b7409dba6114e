"""What an OTLP receiver gets: decoded with opentelemetry-proto, over real connections."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext
from programs import clean
from receiver import attributes_of, black_hole, counted, receiving, refusing

import tta_observe
from tta_observe import Price, configure, semconv
from tta_observe.instruments import ACTIVE_WORKFLOWS, EXECUTION_DURATION, EXECUTIONS, INSTRUMENTS

MS = 1_000_000


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.1)


@pytest.fixture(name="receiver")
def _receiver():
    with receiving() as receiver:
        yield receiver


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def use_every_instrument():
    """One run that leaves a point on each of the ten instruments."""
    with tta_observe.workflow("chat", agent_type="reviewer"):
        call("fetch")
        call("rank")
        with tta_observe.primitive("answer", type="llm"):
            tta_observe.record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=10, completion_tokens=5)
            tta_observe.record_llm_usage(provider="local", model="tiny", prompt_tokens=1, completion_tokens=1)
        for hit in (False, True):
            tta_observe.record_cache_operation(hit=hit, name="lookup", saved_usd=0.25)


def test_receiver_gets_every_span_and_metric_of_a_run(receiver):
    """
    The whole way from a decorator to the wire, read back by somebody else's decoder.
    """
    configure(endpoint=receiver.endpoint, prices={"gpt-4o": Price(2.5, 10)})
    use_every_instrument()
    for i in range(1200):
        call(f"many_{i % 7}")

    assert tta_observe.flush(10)
    assert 1204 == len(receiver.spans())
    assert {spec.name for spec in INSTRUMENTS} == {metric.name for *_, metric in receiver.metrics()}
    assert 1204 == sum(point.value for point in receiver.points(EXECUTIONS.name))
    assert 1204 == sum(point.value for point in receiver.points(EXECUTION_DURATION.name))
    assert [0] == [point.value for point in receiver.points(ACTIVE_WORKFLOWS.name)]


def test_receiver_gets_spans_as_a_tree_with_kind_status_attributes_and_events(receiver):
    """
    A trace is read by other people's tools, which take the protocol at its word.
    """
    configure(endpoint=receiver.endpoint)
    with (
        tta_observe.workflow("chat", session_id="s1"),
        pytest.raises(ValueError, match="no"),
        tta_observe.primitive("answer", type="llm"),
    ):
        raise ValueError("no")
    tta_observe.flush()
    by_name = {span.name: span for _, _, span in receiver.spans()}
    workflow, answer = by_name["workflow.chat.execute"], by_name["primitive.llm.execute"]

    assert (workflow.span_id, workflow.trace_id) == (answer.parent_span_id, answer.trace_id)
    assert ("SPAN_KIND_CLIENT", "SPAN_KIND_INTERNAL") == tuple(
        span.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[span.kind].name for span in (answer, workflow)
    )
    assert (2, "no") == (answer.status.code, answer.status.message)
    assert ["exception"] == [event.name for event in answer.events]
    assert {"primitive.name": "answer", "session.id": "s1", "error.type": "ValueError"}.items() <= attributes_of(
        answer
    ).items()


def test_receiver_gets_who_emits_with_every_span_and_metric(receiver):
    """
    Dashboards group by these; two processes of one service must be told apart.
    """
    configure(
        endpoint=receiver.endpoint,
        service_name="checkout",
        service_version="1.4.2",
        environment="staging",
        resource_attributes={"service.namespace": "shop", "number": 5},
    )
    use_every_instrument()
    tta_observe.flush()
    resources = [resource for resource, _, _ in receiver.spans()] + [found for _, found, _, _ in receiver.metrics()]
    expected = {
        semconv.SERVICE_NAME: "checkout",
        semconv.SERVICE_VERSION: "1.4.2",
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: "staging",
        "service.namespace": "shop",
        "number": 5,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }

    assert all(expected.items() <= resource.items() for resource in resources)
    assert {"telemetry.sdk.version", semconv.SERVICE_INSTANCE_ID, semconv.PROCESS_PID} <= resources[0].keys()
    assert all(resource == resources[0] for resource in resources)
    assert {semconv.SCOPE} == {scope for _, scope, _ in receiver.spans()} | {s for _, _, s, _ in receiver.metrics()}


@pytest.mark.parametrize("spec", INSTRUMENTS, ids=lambda spec: spec.name)
def test_instrument_arrives_as_documented(receiver, spec):
    """
    Dashboards and rules of other people depend on name, unit, kind and buckets.
    """
    configure(endpoint=receiver.endpoint, prices={"gpt-4o": Price(2.5, 10)})
    use_every_instrument()
    tta_observe.flush()
    metric = next(metric for *_, metric in receiver.metrics() if metric.name == spec.name)
    kind = "histogram" if spec.kind == "histogram" else "sum"
    data = getattr(metric, kind)

    assert (spec.unit, spec.description, kind) == (metric.unit, metric.description, metric.WhichOneof("data"))
    assert AGGREGATION_TEMPORALITY_CUMULATIVE == data.aggregation_temporality
    assert spec.kind == "histogram" or (spec.kind == "counter") == data.is_monotonic
    assert all(list(spec.buckets) == list(getattr(point, "explicit_bounds", ())) for point in data.data_points)
    assert all({pair.key for pair in point.attributes} <= set(spec.labels) for point in data.data_points)


def test_each_cumulative_series_begins_with_its_zero_at_the_start_of_the_pipeline(receiver):
    """
    ``rate()`` sees the first call ever, and a single run has a P95.
    """
    before = time.time_ns()
    configure(endpoint=receiver.endpoint, prices={"gpt-4o": Price(2.5, 10)})
    configured = time.time_ns()
    use_every_instrument()
    tta_observe.flush()
    for spec in INSTRUMENTS:
        points = receiver.points(spec.name)
        for labels in [point.labels for point in points]:
            series = [point for point in points if point.labels == labels]
            started = {point.started_ns for point in series}

            assert 1 == len(started)
            assert before - MS <= started.pop() <= configured
            if spec.kind != "up_down_counter":
                assert [0] == [point.value for point in series[:1]]
                assert 2 == len(series)
                assert series[0].started_ns <= series[0].time_ns <= series[1].time_ns - MS
                assert 0 < series[1].value


def test_zero_survives_requests_that_fail(receiver):
    """
    Services often start before their collector does.
    """
    receiver.mode = "err:UNAVAILABLE"
    configure(endpoint=receiver.endpoint)
    call()
    failed = [tta_observe.flush() for _ in range(2)]
    receiver.mode = "ok"
    call()
    arrived = [tta_observe.flush() for _ in range(2)]
    points = receiver.points(EXECUTIONS.name)

    assert ([False, False], [True, True]) == (failed, arrived)
    assert [0, 2, 2] == [point.value for point in points]
    assert points[0].time_ns <= points[1].time_ns - MS


def test_series_that_appear_later_get_their_zero_at_the_collection_before(receiver):
    """
    The first error of a day has to be seen as one.
    """
    configure(endpoint=receiver.endpoint)
    call("early")
    tta_observe.flush()
    call("late")
    tta_observe.flush()
    early, late = (
        [point for point in receiver.points(EXECUTIONS.name) if point.labels["primitive.name"] == name]
        for name in ("early", "late")
    )

    assert ([0, 1, 1], [0, 1]) == ([point.value for point in early], [point.value for point in late])
    assert early[1].time_ns <= late[0].time_ns <= late[1].time_ns - MS


def test_headers_arrive_in_lower_case(receiver):
    """
    HTTP/2 knows no capitals: gRPC would refuse each request, and nothing would ever arrive.
    """
    configure(endpoint=receiver.endpoint, headers={"Authorization": "Bearer abc", "X-Tenant": "shop"})
    call()

    assert tta_observe.flush()
    assert {"traces", "metrics"} == {request.signal for request in receiver.requests}
    for request in receiver.requests:
        assert {"authorization": "Bearer abc", "x-tenant": "shop"}.items() <= request.headers.items()


def test_each_signal_may_have_an_endpoint_and_headers_of_its_own(monkeypatch):
    """
    Traces to one vendor and metrics to another is a common arrangement.
    """
    with receiving() as traces, receiving() as metrics:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"127.0.0.1:{traces.port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "for=all")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "For=metrics")
        configure()
        call()

        assert tta_observe.flush()
        assert [("traces", "all")] == [(request.signal, request.headers["for"]) for request in traces.requests]
        assert [("metrics", "metrics")] == [(request.signal, request.headers["for"]) for request in metrics.requests]
        assert (traces.endpoint + metrics.endpoint).replace("http://", " ").split() == (
            tta_observe.stats().exporters[0].target.split(", ")
        )


@pytest.mark.parametrize("unwanted", ["TRACES", "METRICS"])
def test_signal_that_is_switched_off_is_not_sent(receiver, monkeypatch, caplog, unwanted):
    """
    ``OTEL_METRICS_EXPORTER=none`` is what people with Jaeger set; it must not leave a complaint behind.
    """
    monkeypatch.setenv(f"OTEL_{unwanted}_EXPORTER", "none")
    configure(endpoint=receiver.endpoint)
    call()

    assert tta_observe.flush()
    assert tta_observe.shutdown()
    assert {"TRACES", "METRICS"} - {unwanted} == {request.signal.upper() for request in receiver.requests}
    assert [] == caplog.records


def test_nothing_is_sent_when_nothing_was_recorded(receiver):
    """
    An idle service costs its collector nothing.
    """
    configure(endpoint=receiver.endpoint)

    assert tta_observe.flush()
    assert [] == receiver.requests


def test_proxy_of_the_environment_does_not_divert_loopback(receiver, monkeypatch):
    """
    With ``http_proxy`` set, gRPC sends even to 127.0.0.1 through the proxy, and nothing arrives.
    """
    with refusing() as proxy:
        for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(variable, proxy)
        configure(endpoint=receiver.endpoint)
        call()

        assert tta_observe.flush()
        assert 1 == len(receiver.spans())


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_compression_is_taken_from_the_environment(receiver, monkeypatch, compression):
    """
    Traffic between zones is paid by the byte.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    with counted(receiver) as (endpoint, sizes):
        configure(endpoint=endpoint)
        for _ in range(200):
            call()

        assert tta_observe.flush()
        assert 200 == len(receiver.spans())
        assert (compression == "gzip") == (sum(sizes) < 12_000)


def test_span_that_has_no_bytes_does_not_cost_its_siblings(receiver):
    """
    Another library's link with an identifier that takes too many bytes would stop the whole batch, again and again.
    """
    provider = TracerProvider(shutdown_on_exit=False)
    configure(endpoint=receiver.endpoint, tracer_provider=provider)
    tracer = provider.get_tracer("theirs")
    beyond = Link(SpanContext(2**200, 1, is_remote=False), {"why": "kept by the SDK"})
    for name, links in (("before", []), ("beyond", [beyond]), ("after", [])):
        tracer.start_span(name, links=links).end()

    assert not tta_observe.flush()
    assert ["before", "after"] == receiver.span_names()
    assert {"encode": 1} == tta_observe.stats().exporters[0].dropped
    call()
    assert tta_observe.flush()


def test_more_than_a_receiver_takes_at_once_arrives_in_parts(receiver):
    """
    A gRPC server refuses messages over 4 MiB, and would refuse the same batch for ever.
    """
    configure(endpoint=receiver.endpoint)
    for i in range(600):
        with tta_observe.primitive("fetch", attributes={f"page.{n}": f"{i}{n}" * 1300 for n in range(4)}):
            pass

    assert tta_observe.flush(20)
    assert 600 == len({span.span_id for _, _, span in receiver.spans()}) == len(receiver.spans())


@pytest.mark.parametrize("mode", ["err:INVALID_ARGUMENT", "err:UNAUTHENTICATED", "err:UNAVAILABLE", "partial:1"])
def test_flush_is_false_when_the_receiver_does_not_take_everything(receiver, mode):
    """
    An answer is not an acknowledgement.
    """
    receiver.mode = mode
    configure(endpoint=receiver.endpoint)
    call()

    assert not tta_observe.flush()
    stats = tta_observe.stats().exporters[0]
    assert 1 == stats.recorded == stats.delivered + sum(stats.dropped.values()) + stats.waiting
    assert ("UNAVAILABLE" in mode) == (1 == stats.waiting)


def test_receiver_that_is_busy_gets_the_spans_when_it_asks_for_them(receiver):
    """
    A collector that sheds load says so; without that, the same code means that its disk is full.
    """
    receiver.mode = "busy:0.3"
    configure(endpoint=receiver.endpoint)
    call()
    first = tta_observe.flush()
    waiting = tta_observe.stats().exporters[0].waiting
    receiver.mode = "ok"

    assert (False, 1) == (first, waiting)
    assert tta_observe.flush()
    assert 1 == len(receiver.spans())


def test_receiver_that_is_exhausted_and_does_not_say_until_when_gets_each_span_once(receiver):
    """
    The specification calls that a refusal: what waits behind it may still be taken.
    """
    receiver.mode = "err:RESOURCE_EXHAUSTED"
    configure(endpoint=receiver.endpoint)
    call()

    assert not tta_observe.flush()
    assert {"export_failed": 1} == tta_observe.stats().exporters[0].dropped


def test_requests_stay_below_what_receivers_take(receiver):
    """
    A message of 4 MiB and more is refused, and would be for ever: spans of every size go out in smaller ones.
    """
    provider = TracerProvider(shutdown_on_exit=False)
    configure(endpoint=receiver.endpoint, tracer_provider=provider)
    for i in range(40):
        span = provider.get_tracer("theirs").start_span(f"s{i}")
        for n in range(120):
            span.add_event("page", {"text": "é" * (40 * i), "number": n})
        span.end()
    found = tta_observe.flush(20)
    sizes = [request.message.ByteSize() for request in receiver.of("traces")]

    assert found
    assert 40 == len(receiver.spans())
    assert 1 < len(sizes)
    assert max(sizes) <= 3.5 * 1024 * 1024


def test_partial_success_counts_what_was_rejected_and_no_more(receiver):
    """
    ``delivered`` is what stands in a bill.
    """
    receiver.mode = "partial:2"
    configure(endpoint=receiver.endpoint)
    for _ in range(5):
        call()
    tta_observe.flush()
    stats = tta_observe.stats().exporters[0]

    assert (3, {"export_failed": 2}) == (stats.delivered, stats.dropped)


@pytest.mark.parametrize("nowhere", [refusing, black_hole], ids=["refused", "black hole"])
def test_flush_is_false_and_in_time_when_nobody_is_there(nowhere):
    """
    The stock SDK takes 6 to 15 seconds for a flush of one, and then says True.
    """
    with nowhere() as endpoint:
        configure(endpoint=endpoint)
        call()
        begun = time.monotonic()

        assert not tta_observe.flush(1.0)
        assert time.monotonic() - begun < 1.2
        tta_observe.shutdown(0.2)


def test_shutdown_cancels_a_request_that_nobody_answers():
    """
    Closing the channel is what ends a call that hangs.
    """
    with black_hole() as endpoint:
        telemetry = configure(endpoint=endpoint)
        call()
        tta_observe.flush(0.1)
        begun = time.monotonic()

        assert not tta_observe.shutdown(0.3)
        assert time.monotonic() - begun < 0.6
        assert {"shutdown": 1} == telemetry.stats().exporters[0].dropped


@contextmanager
def receiver_program(port):
    """A receiver that can be killed; yields its process."""
    path = Path(__file__).with_name("receiver.py")
    child = subprocess.Popen([sys.executable, str(path), str(port), "ok"], stdout=subprocess.PIPE, text=True)
    try:
        assert "ready\n" == child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def killed(child):
    """Kill a receiver; returns the requests that it got."""
    child.kill()
    return [json.loads(line) for line in child.stdout.read().splitlines()]


def test_everything_is_delivered_after_the_receiver_was_killed_and_started_again(caplog):
    """
    Collectors are restarted; one line says so, another that it is over, and no span is missing or doubled.
    """
    with receiving() as free:
        port = free.port
    configure(endpoint=f"http://127.0.0.1:{port}")
    with receiver_program(port) as first:
        for _ in range(3):
            call("first")
        assert tta_observe.flush()
        early = killed(first)
    for _ in range(20):
        call("meanwhile")
    assert not tta_observe.flush(0.5)
    with receiver_program(port) as second:
        for _ in range(3):
            call("second")
        deadline = time.monotonic() + 15
        while not tta_observe.flush(1.0) and time.monotonic() < deadline:
            time.sleep(0.1)
        stats = tta_observe.stats().exporters[0]
        late = killed(second)
    lines = [record.getMessage() for record in caplog.records]

    assert (26, 26, {}) == (stats.recorded, stats.delivered, stats.dropped)
    assert (3, 23) == tuple(sum(len(request["spans"]) for request in found) for found in (early, late))
    assert 2 == len(lines)
    assert "does not reach 127.0.0.1" in lines[0]
    assert "again" in lines[1]


# TLS


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(name="certificates", scope="module")
def _certificates(tmp_path_factory):
    """A CA, and a key and certificate for a server and for a client."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    directory = tmp_path_factory.mktemp("certificates")
    openssl(directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test CA",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1", encoding="utf-8")
    for who in ("server", "client"):
        openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={who}",
                "-keyout", f"{who}.key", "-out", f"{who}.csr")  # fmt: skip
        openssl(directory, "x509", "-req", "-in", f"{who}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "1",
                "-CAcreateserial", "-extfile", "names", "-out", f"{who}.pem")  # fmt: skip
    return directory


def server_credentials(certificates, *, ask_client):
    ca, key, certificate = ((certificates / name).read_bytes() for name in ("ca.pem", "server.key", "server.pem"))
    return grpc.ssl_server_credentials([(key, certificate)], ca if ask_client else None, require_client_auth=ask_client)


def test_tls_with_a_ca_file(certificates, monkeypatch):
    """
    Inside a company, certificates are signed by the company.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificates / "ca.pem"))
    with receiving(credentials=server_credentials(certificates, ask_client=False)) as receiver:
        configure(endpoint=f"https://localhost:{receiver.port}")
        call()

        assert tta_observe.flush(5)
        assert 1 == len(receiver.spans())


def test_tls_with_a_client_certificate(certificates, monkeypatch):
    """
    Some receivers want to know who sends.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificates / "ca.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(certificates / "client.key"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificates / "client.pem"))
    with receiving(credentials=server_credentials(certificates, ask_client=True)) as receiver:
        configure(endpoint=f"https://127.0.0.1:{receiver.port}")
        call()

        assert tta_observe.flush(5)
        assert 1 == len(receiver.spans())


def test_server_that_cannot_prove_who_it_is_gets_nothing(certificates):
    """
    Without the CA file the server is a stranger: no plaintext, no exception, one line.
    """
    with receiving(credentials=server_credentials(certificates, ask_client=False)) as receiver:
        configure(endpoint=f"https://localhost:{receiver.port}", headers={"authorization": "secret"})
        call()

        assert not tta_observe.flush(1.0)
        tta_observe.shutdown(0.3)
        assert [] == receiver.requests


@pytest.mark.parametrize("variable", ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"])
def test_missing_certificate_file_is_one_warning_and_no_export(receiver, monkeypatch, caplog, variable):
    """
    A silent fall back to plaintext, or to other certificates, would send telemetry to anybody.
    """
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", "/no/such/file.pem")
    configure(endpoint=f"https://127.0.0.1:{receiver.port}")
    call()

    assert not tta_observe.flush()
    assert not tta_observe.shutdown()
    assert [logging.WARNING] == [record.levelno for record in caplog.records]
    assert f"127.0.0.1:{receiver.port} does not take the telemetry" in caplog.text
    assert "/no/such/file.pem" in caplog.text
    assert [] == receiver.requests


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_certificates_on_a_disk_that_hangs_hold_nobody_up(receiver, monkeypatch, tmp_path, protocol):
    """
    Secrets are mounted from somewhere: while that is away a program must start, run and end.
    """
    if protocol == "http/protobuf":
        pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otlp-http")
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)  # to open it waits for somebody who writes
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(pipe))
    begun = time.monotonic()
    configure(endpoint=f"https://127.0.0.1:{receiver.port}", protocol=protocol)
    call()
    started = time.monotonic() - begun
    flushed, ended = tta_observe.flush(0.2), tta_observe.shutdown(0.3)
    took = time.monotonic() - begun
    with pipe.open("w"):
        pipe.unlink()  # whoever waits reads nothing, and finds nothing the next time
    for worker in [thread for thread in threading.enumerate() if thread.name == "tta-observe-otlp"]:
        worker.join(5)

    assert (False, False) == (flushed, ended)
    assert started < 0.1
    assert took < 1.0
    assert [] == receiver.requests


@pytest.mark.parametrize("variable", ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"])
def test_file_that_holds_something_else_is_one_warning(certificates, receiver, monkeypatch, caplog, capfd, variable):
    """
    Files get mixed up; gRPC alone would write four lines about it at every attempt, and not name the file.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificates / "ca.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(certificates / "client.key"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificates / "client.pem"))
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", __file__)
    configure(endpoint=f"https://localhost:{receiver.port}")
    call()

    assert not tta_observe.flush(1.0)
    assert 1 == len(caplog.records)
    assert __file__ in caplog.text
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize("given", ["CLIENT_KEY", "CLIENT_CERTIFICATE"])
def test_half_of_a_client_certificate_is_one_warning(certificates, receiver, monkeypatch, caplog, given):
    """
    The core of gRPC ends the whole process, without an exception, when it gets one without the other.
    """
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{given}", str(certificates / "client.key"))
    configure(endpoint=f"https://localhost:{receiver.port}")
    call()

    assert not tta_observe.flush()
    assert 1 == len(caplog.records)
    assert "CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" in caplog.text
