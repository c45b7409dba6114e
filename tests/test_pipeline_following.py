"""An application that sets its provider after ``configure()``; a process of its own each, because it is set once."""

from programs import run
from receiver import receiving

APPLICATION = """
import threading
import tta_observe
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()

def own_tracers(*exporters, made=TracerProvider):
    provider = made()
    for exporter in (spans, *exporters):
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider

def span_names():
    return [span.name for span in spans.get_finished_spans()]

def delivered():
    return [tta_observe.flush(), *(lane.delivered for lane in tta_observe.stats().exporters)]

@tta_observe.traced_primitive(type="tool")
def fetch():
    return 5
"""


def application(source, directory, **variables):
    ended = run(APPLICATION + source, directory, **variables)

    assert (0, "") == (ended.code, ended.err)
    return ended.out.splitlines()


def test_our_spans_join_a_provider_that_is_set_later(tmp_path):
    """
    A backend that gets the children and not their parents shows a heap of fragments.
    """
    source = """
telemetry = tta_observe.configure()
theirs = own_tracers()
with theirs.get_tracer("theirs").start_as_current_span("request"):
    fetch()
print(span_names(), telemetry.tracer_provider is theirs)
print(delivered())
"""

    assert ["['primitive.tool.execute', 'request'] True", "[True, 2]"] == application(source, tmp_path)


def test_what_runs_meanwhile_arrives_in_both_places_once(tmp_path):
    """
    A span that began on our provider ends there, and its children go with the application's.
    """
    source = """
tta_observe.configure()
with tta_observe.workflow("job"):
    fetch()
    own_tracers()
    fetch()
fetch()
print(span_names())
print(delivered())
"""

    assert ["['primitive.tool.execute', 'primitive.tool.execute']", "[True, 4]"] == application(source, tmp_path)


def test_the_same_endpoint_gets_each_span_once(tmp_path):
    """
    The variable is the application's as well: its pipeline sends from now on.
    """
    source = """
tta_observe.configure()
fetch()
own_tracers(OTLPSpanExporter())
fetch()
print(len(span_names()))
print(delivered())
"""
    with receiving() as receiver:
        said = application(source, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    assert ["1", "[True, 1]"] == said
    assert 2 == len(receiver.span_names()) == len({span.span_id for _, _, span in receiver.spans()})


def test_an_application_that_sends_elsewhere_takes_nothing_from_the_endpoint(tmp_path):
    """
    Langfuse, Phoenix and OpenLLMetry go by variables of their own: the collector would get nothing at all.
    """
    for order in ("tta_observe.configure(); own_tracers(elsewhere)", "own_tracers(elsewhere); tta_observe.configure()"):
        with receiving() as receiver, receiving() as other:
            source = f"elsewhere = OTLPSpanExporter(endpoint={other.endpoint!r}, insecure=True); {order}"
            source += "\nfetch()\nprint(delivered())\n"
            said = application(source, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

        assert ["[True, 1]"] == said
        assert ["primitive.tool.execute"] == receiver.span_names() == other.span_names()


def test_many_threads_join_once(tmp_path):
    """
    A processor that is added twice sends everything twice.
    """
    source = """
tta_observe.configure()
own_tracers()
threads = [threading.Thread(target=fetch) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(delivered())
"""

    assert ["[True, 20]"] == application(source, tmp_path)


def test_our_own_provider_set_by_the_application_is_no_other(tmp_path):
    """
    The documented way to have one's own spans join ours.
    """
    source = """
telemetry = tta_observe.configure()
trace.set_tracer_provider(telemetry.tracer_provider)
fetch()
print(delivered())
"""

    assert ["[True, 1]"] == application(source, tmp_path)


def test_a_provider_that_fails_leaves_us_with_our_own(tmp_path):
    """
    What somebody else's class raises is no reason to record nothing.
    """
    source = """
class Failing(TracerProvider):
    def get_tracer(self, *args, **kwargs):
        raise RuntimeError("not today")

tta_observe.configure()
own_tracers(made=Failing)
print(fetch(), fetch(), delivered())
"""
    ended = run(APPLICATION + source, tmp_path)

    assert (0, "5 5 [True, 2]\n") == (ended.code, ended.out)
    assert 1 == ended.err.count("internal error")


def test_no_op_provider_changes_nothing(tmp_path):
    """
    Some libraries set OpenTelemetry's stand-in; our store has nothing to do with it.
    """
    source = """
tta_observe.configure()
trace.set_tracer_provider(trace.NoOpTracerProvider())
fetch()
print(delivered())
"""

    assert ["[True, 1]"] == application(source, tmp_path)


def test_calls_whose_prices_are_being_read_reach_a_provider_that_ends_with_the_process(tmp_path):
    """
    Their spans end late; a pipeline that was set up last ends first, and takes nothing any more.
    """
    source = """
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

tta_observe.configure()
own_tracers(ConsoleSpanExporter(formatter=lambda span: span.name + " "))
with tta_observe.workflow("chat"), tta_observe.primitive("ask", type="llm"):
    tta_observe.record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=10)
"""

    assert ["primitive.llm.execute workflow.chat.execute "] == application(source, tmp_path)
