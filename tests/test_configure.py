"""``configure()`` once, twice, wrongly and from everywhere; ``flush``, ``shutdown`` and ``stats``."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.sdk.trace import TracerProvider
from programs import clean, run
from receiver import receiving, refusing

import tta_observe
from tta_observe import ConfigurationError, Price, configure
from tta_observe.instruments import EXECUTIONS
from tta_observe.testing import captured_telemetry

SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.5)


@pytest.fixture(name="receiver")
def _receiver():
    with receiving() as receiver:
        yield receiver


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tta-observe")]


def test_equal_settings_give_the_same_object_without_a_word(caplog):
    """
    Libraries and applications both call it; the second call is no mistake.
    """
    arguments = {"service_name": "checkout", "prices": {"m": Price(1, 2)}, "resource_attributes": {"a": [1, 2]}}
    first = configure(**arguments)

    assert first is configure(**arguments)
    assert first is configure(**dict(reversed(arguments.items())))
    assert [] == caplog.records
    assert 1 == len(workers())


def test_other_settings_warn_once_and_the_first_ones_stay(receiver, caplog):
    """
    Two pipelines in one process would double every figure.
    """
    first = configure(endpoint=receiver.endpoint)
    found = [configure(exporter="local"), configure(exporter="none"), configure(tracer_provider=TracerProvider())]
    call()

    assert [first] * 3 == found
    assert ["configure() was called again with other settings: the first ones stay. Call shutdown() in between."] == [
        record.getMessage() for record in caplog.records
    ]
    assert tta_observe.flush()
    assert 1 == len(receiver.spans())


def test_new_settings_hold_after_shutdown(receiver, caplog):
    """
    Notebooks and test suites change their minds.
    """
    first = configure(exporter="local")
    assert tta_observe.shutdown()
    second = configure(endpoint=receiver.endpoint)
    call()

    assert first is not second
    assert tta_observe.flush()
    assert 1 == len(receiver.spans())
    assert [] == caplog.records


def test_eight_threads_at_once_make_one_pipeline(receiver, caplog):
    """
    Web servers initialise lazily, in whatever request comes first.
    """
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        barrier = threading.Barrier(8)

        def race():
            barrier.wait()
            return configure(endpoint=receiver.endpoint)

        with ThreadPoolExecutor(8) as pool:
            found = {id(made.result()) for made in [pool.submit(race) for _ in range(8)]}
    finally:
        sys.setswitchinterval(switching)
    call()

    assert 1 == len(found)
    assert 1 == len(workers())
    assert tta_observe.flush()
    assert 1 == len(receiver.spans())
    assert [] == caplog.records


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"endpoint": "localhost:4317"}, "Write endpoint='http://localhost:4317'"),
        ({"export_interval_s": -1}, "Write a positive number of seconds"),
        ({"exporter": "jaeger"}, "Write one of auto, local, otlp, prometheus, console, none"),
        ({"servicename": "x"}, "Did you mean 'service_name'?"),
        ({"tracer_provder": None}, "Did you mean 'tracer_provider'?"),
        ({"capture_content": "yes"}, "Write capture_content=True"),
        ({"flush_on_sigterm": 1}, "Write flush_on_sigterm=True"),
        ({"redact": "mask"}, "Write redact=mask with def mask(key, value)"),
        ({"tracer_provider": "mine"}, "tracer_provider='mine' has no get_tracer()"),
        ({"meter_provider": TracerProvider()}, "has no get_meter()"),
    ],
    ids=str,
)
def test_wrong_argument_raises_where_it_is_written_and_configures_nothing(arguments, advice):
    """
    Start-up is when a mistake costs least; half a configuration would be worse than none.
    """
    with pytest.raises(ConfigurationError) as caught:
        configure(**arguments)

    assert advice in str(caught.value)
    assert not tta_observe.stats().configured
    assert [] == workers()


def test_wrong_variables_are_each_told_once_and_never_raise(monkeypatch, caplog, tmp_path):
    """
    The operator reads the log, the program runs.
    """
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", SECRET)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "jaeger")
    configure()
    call()

    assert tta_observe.flush()
    assert ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_TRACES_EXPORTER"] == sorted(
        record.getMessage().split()[0] for record in caplog.records
    )
    assert ("local", str(tmp_path / "store.db")) == (
        tta_observe.stats().exporters[0].exporter,
        tta_observe.stats().exporters[0].target,
    )
    assert SECRET not in caplog.text


def test_disabled_by_the_standard_variable_records_nothing_anywhere(monkeypatch, receiver, caplog, tmp_path):
    """
    One switch for an incident in which telemetry is under suspicion.
    """
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = configure(endpoint=receiver.endpoint, exporter=("otlp", "local"))
    with tta_observe.workflow("chat") as context:
        call()
        name = context.workflow_name

    assert "chat" == name
    assert tta_observe.flush()
    assert (False, None) == (tta_observe.stats().configured, telemetry.tracer_provider)
    assert [] == receiver.requests + workers() + caplog.records
    assert not (tmp_path / "store.db").exists()


def test_console_prints_spans_and_metrics_as_lines_of_json(capsys):
    """
    The quickest look of all needs no store and no server.
    """
    configure(exporter="console")
    call()

    assert tta_observe.flush()
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["primitive.function.execute"] == [found["name"] for found in documents if "name" in found]
    assert any("resource_metrics" in found for found in documents)


def test_console_that_is_closed_is_no_reason_to_stop(monkeypatch, caplog):
    """
    Daemons close their standard output.
    """
    configure(exporter="console")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    call()

    assert not tta_observe.flush()
    assert 1 == len(caplog.records)


def test_secrets_stay_out_of_logs_and_reprs(caplog, capfd):
    """
    What authorises us to send is the customer's password.
    """
    caplog.set_level(logging.DEBUG)
    with refusing() as endpoint:
        telemetry = configure(
            endpoint=endpoint.replace("//", f"//user:{SECRET}@"), headers={"authorization": f"Bearer {SECRET}"}
        )
        call()
        tta_observe.flush(0.5)
        configure(headers={"authorization": SECRET + "2"}, endpoint=endpoint)
        shown = [repr(telemetry), str(telemetry.decided), repr(telemetry.stats()), repr(tta_observe.stats())]
        tta_observe.shutdown(0.3)
    captured = capfd.readouterr()

    assert 2 == len([record for record in caplog.records if record.name == "tta_observe"])
    assert SECRET not in caplog.text + captured.out + captured.err + "".join(shown)


def test_flush_and_shutdown_without_configure_are_true():
    """
    A library may call them, whoever configured.
    """
    assert [True, True] == [tta_observe.flush(0.1), tta_observe.shutdown(0.1)]


@pytest.mark.parametrize("mode", ["ok", "err:INVALID_ARGUMENT"])
def test_flush_and_shutdown_again_after_shutdown_tell_the_same_truth(receiver, mode, caplog):
    """
    The second hook that runs at exit must not report success for what the first one lost.
    """
    receiver.mode = mode
    telemetry = configure(endpoint=receiver.endpoint)
    call()
    first = telemetry.shutdown()
    again = [telemetry.flush(), telemetry.shutdown(), telemetry.flush(), telemetry.shutdown(0)]

    assert (mode == "ok") == first
    assert [first] * 4 == again
    assert (mode != "ok") == len(caplog.records)
    assert (1, 1) == (telemetry.stats().exporters[0].recorded, sum_of(telemetry.stats().exporters[0]))


def sum_of(row):
    return row.delivered + sum(row.dropped.values()) + row.waiting


def test_shutdown_from_many_threads_delivers_once_and_all_hear_the_same(receiver):
    """
    Frameworks run their hooks in threads.
    """
    telemetry = configure(endpoint=receiver.endpoint)
    for _ in range(50):
        call()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(telemetry.shutdown) for _ in range(8)]

        assert [True] * 8 == [answer.result() for answer in answers]
    assert 50 == len(receiver.spans())


def test_flush_and_shutdown_inside_a_running_event_loop(receiver):
    """
    ``asyncio.run(main())`` is where agents live, and where they end.
    """

    async def main():
        call()
        await asyncio.sleep(0)
        return tta_observe.flush(), tta_observe.shutdown()

    configure(endpoint=receiver.endpoint)

    assert (True, True) == asyncio.run(main())
    assert 1 == len(receiver.spans())


def test_decorated_code_runs_on_after_shutdown_and_records_nothing(receiver):
    """
    The last requests of a server end after its shutdown hook.
    """
    configure(endpoint=receiver.endpoint)
    with tta_observe.workflow("chat"):
        call()
        tta_observe.shutdown()
        call()
    call()

    assert ["primitive.function.execute"] == receiver.span_names()


def test_capture_comes_before_whatever_is_configured_meanwhile(receiver):
    """
    A test of a program whose main() configures sees what it records, and sends none of it.
    """
    with captured_telemetry() as captured:
        configure(endpoint=receiver.endpoint)
        call("inside")
    call("after")

    assert ["inside"] == captured.tree()
    assert tta_observe.flush()
    assert [0, 1] == [point.value for point in receiver.points(EXECUTIONS.name)]
    assert {"after"} == {point.labels["primitive.name"] for point in receiver.points(EXECUTIONS.name)}


def test_stats_tell_what_became_of_everything(receiver):
    """
    Whoever doubts a dashboard looks here.
    """
    telemetry = configure(endpoint=receiver.endpoint, label_limit=2)
    for i in range(4):
        call(f"name_{i}")
    tta_observe.record_llm_tokens("openai", "gpt-4o", "prompt", float("nan"))
    tta_observe.flush()
    stats = telemetry.stats()
    row = stats.exporters[0]

    assert stats.configured
    assert ("otlp", f"127.0.0.1:{receiver.port}") == (row.exporter, row.target)
    assert (4, 4, {}, 0, 0) == (row.recorded, row.delivered, row.dropped, row.waiting, row.requests_failed)
    assert {"primitive.name"} <= set(stats.overflows)
    assert {"llm.tokens.total": 1} == dict(stats.rejected)
    assert {} == dict(stats.internal_errors)


def test_stats_without_configure_are_empty():
    """
    Nothing known is an answer too.
    """
    stats = tta_observe.stats()

    assert (False, (), {}, {}) == (stats.configured, stats.exporters, dict(stats.overflows), dict(stats.rejected))


@pytest.mark.swallowed
def test_provider_that_raises_is_kept_from_the_host(caplog):
    """
    The application's provider may be anybody's code; start-up goes on.
    """

    class Broken(TracerProvider):
        def get_tracer(self, *args, **kwargs):
            raise ZeroDivisionError

    configure(exporter="none", tracer_provider=Broken(shutdown_on_exit=False))
    call()

    assert 1 == len([record for record in caplog.records if record.levelno == logging.WARNING])
    assert tta_observe.flush()


@pytest.mark.swallowed
def test_worker_that_cannot_be_started_is_kept_from_the_host(monkeypatch, receiver):
    """
    Containers limit threads; the program has a better use for the last one.
    """

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    configure(endpoint=receiver.endpoint)
    call()
    monkeypatch.undo()

    assert [] == receiver.spans()


WHO = """
import tta_observe
telemetry = tta_observe.configure(exporter="none")
print(telemetry.tracer_provider.resource.attributes["service.instance.id"])
tta_observe.shutdown()
telemetry = tta_observe.configure(exporter="none", service_name="other")
print(telemetry.tracer_provider.resource.attributes["service.instance.id"])
"""


def test_each_process_is_an_instance_of_its_own(tmp_path):
    """
    Counters of two processes under one identity look like resets, and rates become nonsense.
    """
    variables = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=copied-into-every-worker"}
    first, second = (run(WHO, tmp_path, **variables).out.split() for _ in range(2))

    assert 1 == len(set(first)) == len(set(second))
    assert first != second


def test_service_is_called_after_the_script_when_nobody_names_it(tmp_path):
    """
    Two scripts of one machine are told apart without any setting.
    """
    source = """
    import tta_observe
    print(tta_observe.configure(exporter="none").tracer_provider.resource.attributes["service.name"])
    """

    assert "unknown_service:program_" in run(source, tmp_path).out


def test_limit_that_the_sdk_refuses_to_be_imported_with_is_one_line(tmp_path):
    """
    The SDK raises over this variable as soon as it is imported; the program must not.
    """
    source = """
    import tta_observe
    tta_observe.configure()
    with tta_observe.workflow("chat"):
        print("works", tta_observe.flush())
    """
    ended = run(source, tmp_path, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="-1")

    assert (0, "works True\n") == (ended.code, ended.out)
    assert 1 == len(ended.err.splitlines())
    assert "Look at the OTEL_*_LIMIT variables" in ended.err


def test_configure_returns_quickly(tmp_path):
    """
    Start-up time is paid by every command line and every cold start; names are not resolved, nobody is called.
    """
    source = """
    import time
    import tta_observe
    tta_observe.configure(exporter="none")
    tta_observe.shutdown()
    import tta_observe._pipeline.otlp, tta_observe.local.exporters
    begun = time.perf_counter()
    tta_observe.configure(exporter=("otlp", "local"), endpoint="http://no-such-host.invalid:4317")
    print(time.perf_counter() - begun)
    tta_observe.shutdown(0.1)
    """

    assert float(run(source, tmp_path).out) < 0.1
