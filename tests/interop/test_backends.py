"""One run with a span of every kind, as four backends show it by their own published rules."""

from datetime import datetime

import pytest
from interop import langfuse, logfire, openlit, phoenix
from interop.program import COST_USD, PRICES, SESSION, answer_a_question
from opentelemetry.trace import SpanKind

from tta_observe import semconv, traced_primitive
from tta_observe.testing import captured_telemetry

LLM_SPANS = {"answer", "embed", "inner", "outer", semconv.LLM_USAGE_SPAN}


@pytest.fixture(name="run", scope="module")
def _run():
    with captured_telemetry(prices=PRICES) as captured:
        answer_a_question()
        return {span.shown: span for span in captured.spans}


@pytest.fixture(name="spans")
def _spans(run):
    return {name: span.attributes for name, span in run.items()}


def read_by(backend, spans):
    return {name: backend.read(attributes) for name, attributes in spans.items()}


def test_what_is_what(spans):
    """
    A tool that is shown as a model call, or an agent as a mere span, makes a trace unreadable.
    """
    kinds = {
        "support": "CHAIN",
        "route": "CHAIN",
        "again": "CHAIN",
        "check": "CHAIN",
        "gather": "CHAIN",
        "look_up": "CHAIN",
        "researcher": "AGENT",
        "closer": "AGENT",
        "calculator": "TOOL",
        "refused": "TOOL",
        "search": "RETRIEVER",
        "embed": "EMBEDDING",
        "answer": "LLM",
        "inner": "LLM",
        semconv.LLM_USAGE_SPAN: "LLM",
    }
    generations = {name: {"LLM": "GENERATION"}.get(kind, kind) for name, kind in kinds.items()}
    seen = read_by(phoenix, spans), read_by(langfuse, spans)

    assert kinds == {name: seen[0][name].kind for name in kinds}
    assert generations == {name: seen[1][name].kind for name in kinds}


def test_openlit_gets_the_operation(spans):
    """
    Its list of requests is filtered by it.
    """
    operations = {
        "support": "invoke_workflow",
        "researcher": "invoke_agent",
        "closer": "invoke_agent",
        "calculator": "execute_tool",
        "embed": "embeddings",
        "answer": "chat",
        "route": "",
    }
    seen = read_by(openlit, spans)

    assert operations == {name: seen[name].kind for name in operations}


def test_input_without_the_cached_part_where_it_is_subtracted(spans):
    """
    Cached tokens that are counted as input and again as cached are billed twice.
    """
    answer = spans["answer"]
    parts = {"input": 600, "input_cached_tokens": 400, "output": 146, "total": 1146}

    assert parts == langfuse.read(answer).tokens
    assert {"prompt": 1000, "completion": 146, "cache_read": 400} == phoenix.read(answer).tokens
    assert {"total_tokens": 1146, "input_tokens": 1000, "output_tokens": 146} == openlit.read(answer).tokens
    assert {"input_tokens": 1000, "output_tokens": 146} == logfire.read(answer).tokens


@pytest.mark.parametrize("backend", [langfuse, openlit, logfire], ids=lambda backend: backend.__name__)
def test_the_cost_that_we_told_is_the_cost_that_is_shown(backend, spans):
    """
    A backend that knows another price, or none, would contradict our own report.
    """
    seen = read_by(backend, spans)

    assert {"answer", "embed", semconv.LLM_USAGE_SPAN} == {name for name, span in seen.items() if span.cost_usd}
    assert sum(COST_USD.values()) == pytest.approx(sum(span.cost_usd or 0 for span in seen.values()), abs=1e-9)


@pytest.mark.parametrize("backend", [langfuse, logfire], ids=lambda backend: backend.__name__)
def test_unknown_prices_are_left_to_the_backend(backend, spans):
    """
    A cost of 0 would be taken for the truth; a backend may know the price that we do not.
    """
    inner = backend.read(spans["inner"])

    assert inner.cost_usd is None
    assert inner.prices_itself
    assert "unheard-of" == inner.model


@pytest.mark.parametrize("backend", [langfuse, phoenix, openlit, logfire], ids=lambda backend: backend.__name__)
def test_only_llm_spans_are_billed(backend, spans):
    """
    Every span in a workflow carries the model of its context: none of them may be paid for.
    """
    billed = {name for name, span in read_by(backend, spans).items() if span.is_billed}

    assert billed <= LLM_SPANS - {"outer"}
    assert {"answer", semconv.LLM_USAGE_SPAN} <= billed


@pytest.mark.parametrize("backend", [langfuse, phoenix], ids=lambda backend: backend.__name__)
def test_the_session_reaches_every_span(backend, spans):
    """
    Conversations are put together by it.
    """
    assert {SESSION} == {span.session for span in read_by(backend, spans).values()}


@pytest.mark.parametrize("backend", [langfuse, phoenix, openlit, logfire], ids=lambda backend: backend.__name__)
def test_the_model_is_the_one_that_our_own_report_names(backend, spans):
    """
    The model of the context is a default: a call that used another one is booked on that.
    """
    models = {"answer": "large-1", "embed": "embed-1", "inner": "unheard-of", semconv.LLM_USAGE_SPAN: "large-1"}
    seen = read_by(backend, spans)

    assert models == {name: seen[name].model for name in models}
    assert models == {name: spans[name]["llm.model_name"] for name in models}


def test_providers_have_the_names_of_the_conventions(spans):
    """
    "bedrock" and "aws.bedrock" would be two providers in one list; ours stays what the program said.
    """
    answer = spans["answer"]

    assert "aws.bedrock" == answer["gen_ai.provider.name"]
    assert "aws.bedrock" == openlit.read(answer).provider
    assert "aws.bedrock" == logfire.read(answer).provider
    assert "bedrock" == answer["llm.provider"]


def test_the_request_is_told(spans):
    """
    The same model costs and answers differently with other settings.
    """
    assert {"temperature": 0.5, "max_tokens": 512} == langfuse.model_parameters(spans["answer"])


def test_model_calls_are_calls_to_somebody_else(run):
    """
    Dashboards of services look for clients and servers.
    """
    clients = {name for name, span in run.items() if span.span.kind is SpanKind.CLIENT}

    assert clients == LLM_SPANS


def test_one_key_for_one_number(spans):
    """
    Langfuse folds ``llm.token_count.*`` and ``gen_ai.usage.*`` into the same numbers.
    """
    assert not [key for attributes in spans.values() for key in attributes if key.startswith("llm.token_count")]


def test_captured_content_is_not_paid_for(spans):
    """
    Langfuse counts and prices the content of a span, whatever its kind, that has a model's name and no usage.
    """
    with captured_telemetry(prices=PRICES, capture_content=True) as captured:
        answer_a_question()
        found = {span.shown: span.attributes for span in captured.spans}
    content = {name for name, told in found.items() if any(key in told for key in langfuse.CONTENT)}
    billed = {name for name, told in found.items() if langfuse.read(told).is_billed}

    assert {"route", "search", "calculator", "outer"} <= content
    assert billed == {name for name, told in spans.items() if langfuse.read(told).is_billed}


def test_streams_say_when_the_answer_began():
    """
    The wait for the first word is what a person feels.
    """

    @traced_primitive(type="llm", name="speak")
    def speak():
        yield "One"
        yield " word."

    with captured_telemetry() as captured:
        list(speak())
        span = captured.span("speak")
    began = datetime.fromisoformat(langfuse.completion_started(span.attributes)).timestamp()

    assert span.span.start_time / 1e9 - 0.001 <= began <= span.span.end_time / 1e9
    assert 0 <= span.attributes["gen_ai.response.time_to_first_chunk"] < 60
    assert {"stream": True} == langfuse.model_parameters(span.attributes)
