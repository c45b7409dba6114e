"""Our spans and another library's, of the same calls, on one provider: what backends would bill."""

from __future__ import annotations

from contextlib import contextmanager

import openai
from interop import langfuse, logfire, openlit, phoenix
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from providers.server import answer_server
from providers.underneath import ANSWER, COST, PRICES, STREAM

from tta_observe import configure, traced_primitive

INPUT, OUTPUT = 2006, 300
BACKENDS = {
    "langfuse": lambda told: sum(langfuse.read(told).tokens.get(key, 0) for key in ("input", "input_cached_tokens")),
    "phoenix": lambda told: phoenix.read(told).tokens.get("prompt", 0),
    "openlit": lambda told: openlit.read(told).tokens.get("input_tokens", 0),
    "logfire": lambda told: logfire.read(told).tokens.get("input_tokens", 0),
}
"""The input tokens of a span, by backend."""


@traced_primitive(type="llm", name="whole")
def whole(client):
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello!"}])


@traced_primitive(type="llm", name="text")
def text(client):
    """As most programs have it: what the usage was is gone when the function returns."""
    return whole.__wrapped__(client).choices[0].message.content


@traced_primitive(type="llm", name="streamed")
def streamed(client):
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hello!"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    yield from (chunk.choices[0].delta.content for chunk in answer if chunk.choices)


@contextmanager
def both(instrumentor, directory):
    """An application with a provider of its own, their instrumentation and us on it; yields where its spans go."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = configure(exporter="local", store=directory / "store.db", tracer_provider=provider, prices=PRICES)
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()
        assert telemetry.shutdown(10)


def check_one_bill(instrumentor, directory, call):
    """One call, two LLM spans: every backend counts the tokens of one."""
    with both(instrumentor, directory) as exporter, answer_server() as server:
        server.document = STREAM if call is streamed else ANSWER
        with openai.OpenAI(base_url=server.url, api_key="none") as client:
            answer = call(client)
            for _ in answer if call is streamed else ():
                pass
    spans = [dict(span.attributes) for span in exporter.get_finished_spans()]
    (ours,) = [told for told in spans if told.get("primitive.name") == call.__name__]
    counted = {name: sum(map(tokens, spans)) for name, tokens in BACKENDS.items()}

    assert len(spans) == 2
    assert ours["openinference.span.kind"] == "CHAIN"
    assert (INPUT, OUTPUT) == (ours["llm.prompt_tokens"], ours["llm.completion_tokens"])
    assert round(COST, 12) == round(ours["llm.cost_usd"], 12)
    assert {INPUT} == set(counted.values()) - {0}  # some read the words of one of the two libraries alone
