"""Another library's instrumentation of OpenAI's client, underneath a primitive of ours."""

from __future__ import annotations

import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_documents import documents
from providers.server import answer_server

from tta_observe import Price, semconv, traced_primitive, workflow
from tta_observe.instruments import EXECUTIONS, LLM_COST, LLM_TOKENS
from tta_observe.testing import captured_telemetry

(ANSWER,) = [d for d in documents("openai") if d.case == "chat_cached"]
(STREAM,) = [d for d in documents("openai") if d.case == "chat_stream_cached"]
PRICES = {model: Price(3.0, 15.0, 0.3) for model in ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")}
TOKENS = 2306
COST = (86 * 3.0 + 1920 * 0.3 + 300 * 15.0) / 1_000_000


class Their:
    """What the other library records: spans by a provider of its own, as its users configure it."""

    def __init__(self, instrumentor):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.instrumentor = instrumentor

    def __enter__(self):
        self.instrumentor.instrument(tracer_provider=self.provider)
        return self

    def __exit__(self, *error):
        self.instrumentor.uninstrument()

    def usages(self):
        """Input tokens of each span that says some, in whatever convention."""
        names = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
        found = [span.attributes.get(name) for span in self.exporter.get_finished_spans() for name in names]
        return [number for number in found if number is not None]


@traced_primitive(type="llm", action="generate", name="ask")
def ask(client, **how):
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello!"}], **how)


def run(document, instrumentor):
    """One call inside a workflow: what we recorded, and what they did."""
    how = {"stream": True, "stream_options": {"include_usage": True}} if document.streamed else {}
    with answer_server() as server, Their(instrumentor) as their, captured_telemetry(prices=PRICES) as telemetry:
        server.document = document
        with openai.OpenAI(base_url=server.url, api_key="none") as client, workflow("review"):
            answer = ask(client, **how)
            for _ in answer if document.streamed else ():
                pass
    return telemetry, their


def check_counted_once(telemetry, their):
    """One call: on the metrics, on the span and in the workflow's roll-up; and they saw it, too."""
    root = telemetry.span("review").attributes

    assert TOKENS == telemetry.total(LLM_TOKENS)
    assert round(COST, 12) == round(telemetry.total(LLM_COST), 12)
    assert 1 == telemetry.total(EXECUTIONS, {semconv.PRIMITIVE_TYPE: "llm"})
    assert (1, TOKENS) == (root[semconv.WORKFLOW_LLM_CALLS], root[semconv.WORKFLOW_TOTAL_TOKENS])
    assert [2006] == sorted(set(their.usages()))
