"""What goes on spans of arguments, results, prompts and answers: nothing, unless someone said so."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import pickle
import sqlite3
from dataclasses import dataclass

import pytest
from hostile import KINDS, RAN
from programs import clean
from receiver import receiving

import tta_observe
from tta_observe import ConfigurationError, configure, record_llm_usage, traced_primitive, workflow
from tta_observe._scalars import MARKED
from tta_observe.testing import captured_telemetry

CANARY = "c4n4ry" * 4
CONTENT = (
    "input.value",
    "output.value",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
)


@pytest.fixture(name="captured")
def _captured():
    """Telemetry in memory, with content."""
    with captured_telemetry(capture_content=True) as captured:
        yield captured


def content(captured, name):
    """The content on the span called *name*, by attribute."""
    return {key: value for key, value in captured.span(name).attributes.items() if key in CONTENT}


def completion(text="Because."):
    return {
        "model": "gpt-4o",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }


@traced_primitive(type="tool", name="find")
def find(query, limit=10, *more, token=None, **options):
    return {"found": [query]}


@traced_primitive(type="llm", name="ask")
def ask(messages, *, model="gpt-4o", system=None):
    return completion()


def test_arguments_by_name_and_the_result(captured):
    """
    Half of debugging an agent is to see what a tool was asked, and what it said.
    """
    find("tea", 3, "x", token=CANARY, page=2)
    attributes = captured.span("find").attributes

    assert {"query": "tea", "limit": 3, "args": ["x"], "token": "[redacted]", "page": 2} == json.loads(
        attributes["input.value"]
    )
    assert {"found": ["tea"]} == json.loads(attributes["output.value"])
    assert {"application/json"} == {attributes["input.mime_type"], attributes["output.mime_type"]}


def test_llm_calls_as_messages(captured):
    """
    Backends show a conversation where they find one in the form of the conventions.
    """
    ask([{"role": "user", "content": "Why?"}], system="Be brief.")

    assert {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [{"type": "text", "content": "Because."}], "finish_reason": "stop"}
        ],
    } == {key: json.loads(value) for key, value in content(captured, "ask").items()}


def test_an_llm_call_of_another_shape_is_a_value(captured):
    """
    What is no message is shown all the same.
    """

    @traced_primitive(type="llm", name="odd")
    def odd(question):
        return {"said": "Because.", "sure": 0.9}

    odd("Why?")

    assert {"input.value": {"question": "Why?"}, "output.value": {"said": "Because.", "sure": 0.9}} == {
        key: json.loads(value) for key, value in content(captured, "odd").items()
    }


def test_prompts_are_as_they_were_when_the_call_began(captured):
    """
    Agents append the answer to the very list that they passed.
    """

    @traced_primitive(type="llm", name="loop")
    def loop(messages):
        messages.append({"role": "assistant", "content": "Because."})
        return "Because."

    loop([{"role": "user", "content": "Why?"}])

    assert "Because." not in content(captured, "loop")["gen_ai.input.messages"]


def test_methods_leave_themselves_out(captured):
    """
    The object is no argument that anybody passed; and not every first parameter is one.
    """

    class Agent:
        @traced_primitive(name="method")
        def method(self, q):
            return q

        @traced_primitive(name="of_class")
        @classmethod
        def of_class(cls, q):
            return q

        @staticmethod
        @traced_primitive(name="static")
        def static(q):
            return q

        def __call__(self, q):
            return q

    @traced_primitive(name="plain")
    def plain(self, q):
        return q

    Agent().method("a")
    Agent.of_class("a")
    Agent.static("a")
    plain("s", "a")
    traced_primitive(name="partial")(functools.partial(find.__wrapped__, "a"))(2)
    traced_primitive(name="object")(Agent())("a")
    found = {span.shown: json.loads(span.attributes["input.value"]) for span in captured.spans}

    assert {
        "method": {"q": "a"},
        "of_class": {"q": "a"},
        "static": {"q": "a"},
        "plain": {"self": "s", "q": "a"},
        "partial": {"limit": 2},
        "object": {"q": "a"},
    } == found


def test_coroutines_are_captured_as_well(captured):
    """
    Most agents are asynchronous.
    """

    @traced_primitive(name="later")
    async def later(q):
        await asyncio.sleep(0)
        return q * 2

    asyncio.run(later("a"))

    assert {"input.value": '{"q": "a"}', "output.value": "aa"} == content(captured, "later")


def chunk(text):
    return {"model": "gpt-4o", "choices": [{"delta": {"content": text}}]}


def test_streams_are_put_together(captured):
    """
    Nobody reads an answer of a thousand chunks; neither the consumer nor its chunks are changed.
    """

    @traced_primitive(type="llm", name="stream")
    def stream(prompt):
        yield from (chunk(text) for text in ("Be", "cause", "."))

    @traced_primitive(type="llm", name="returned")
    def returned(prompt):
        return (chunk(text) for text in ("Be", "cause", "."))

    @traced_primitive(type="llm", name="asynchronous")
    async def asynchronous(prompt):
        for text in ("Be", "cause", "."):
            yield chunk(text)

    async def consume():
        return [item async for item in asynchronous("Why?")]

    items = [list(stream("Why?")), list(returned("Why?")), asyncio.run(consume())]
    expected = [{"role": "assistant", "parts": [{"type": "text", "content": "Because."}]}]

    assert [[chunk("Be"), chunk("cause"), chunk(".")]] * 3 == items
    for name in ("stream", "returned", "asynchronous"):
        assert expected == json.loads(content(captured, name)["gen_ai.output.messages"])


def test_generators_are_put_together_as_text_or_as_a_list(captured):
    """
    What a generator gave is its result.
    """

    @traced_primitive(name="count")
    def count(n):
        for i in range(n):
            yield {"i": i}

    @traced_primitive(name="words")
    def words():
        yield from ("a ", "b")

    list(count(2))
    list(words())

    assert [{"i": 0}, {"i": 1}] == json.loads(content(captured, "count")["output.value"])
    assert {"output.value": "a b"} == content(captured, "words")


def test_a_stream_that_is_left_early_shows_what_it_gave(captured):
    """
    What the user saw of an answer before he left is what there is.
    """

    @traced_primitive(type="llm", name="stream")
    def stream(prompt):
        for text in ("Be", "cause", "."):
            yield chunk(text)

    left = stream("Why?")
    next(left)
    left.close()

    assert '"content": "Be"' in content(captured, "stream")["gen_ai.output.messages"]


@pytest.mark.parametrize("item", ["word ", {"n": "x" * 50}], ids=["text", "items"])
def test_a_stream_without_end_takes_no_more_room(captured, item):
    """
    Ten megabytes of an answer go by; 8 KiB of it are kept, and it says so.
    """

    @traced_primitive(name="endless")
    def endless():
        for _ in range(100_000):
            yield item

    before = MARKED["cut"]
    for _ in endless():
        pass
    found = content(captured, "endless")["output.value"]

    assert 8 * 1024 >= len(found.encode())
    assert "…[cut]" in found
    assert before < MARKED["cut"]


def test_embeddings_show_what_was_asked_and_no_vectors(captured):
    """
    Thousands of numbers say nothing to a reader.
    """

    @traced_primitive(type="embedding", name="embed")
    def embed(texts):
        return [[0.1] * 1536]

    embed(["tea"])

    assert {"input.value": '{"texts": ["tea"]}'} == content(captured, "embed")


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("args", [None, False, True])
@pytest.mark.parametrize("result", [None, False, True])
def test_a_primitive_decides_for_itself(configured, args, result):
    """
    One primitive handles passwords, another one is being debugged; all others follow what was configured.
    """

    @traced_primitive(name="step", capture_args=args, capture_result=result)
    def step(q):
        return q

    with captured_telemetry(capture_content=configured) as captured:
        step("a")
    wanted = {"input.value": args, "output.value": result}

    assert {key for key, value in wanted.items() if (configured if value is None else value)} == set(
        content(captured, "step")
    )


@dataclass
class Double:
    factor: int

    def __call__(self, n):
        return n * self.factor


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies_capture_as_their_original(again):
    """
    In a process pool a primitive is decorated anew.
    """
    made = again(traced_primitive(name="double", capture_result=True)(Double(2)))
    with captured_telemetry() as captured:
        made(4)

    assert {"output.value": "8"} == content(captured, "double")


@pytest.mark.parametrize("option", ["capture_args", "capture_result"])
@pytest.mark.parametrize("value", [1, "yes", []])
def test_a_switch_that_is_none_is_refused_where_it_is_written(option, value):
    """
    ``capture_args="False"`` would be true.
    """
    with pytest.raises(ConfigurationError, match=rf"{option}=.*Write {option}=True or {option}=False"):
        traced_primitive(**{option: value})


@pytest.mark.parametrize("kind", KINDS)
def test_no_code_of_arguments_or_results_runs(captured, kind):
    """
    A proxy that asks a server for each attribute must not be asked.
    """
    value = KINDS[kind]

    @traced_primitive(name="plain")
    def plain(given):
        return given

    @traced_primitive(type="llm", name="llm")
    def llm(messages):
        yield messages
        yield [messages]

    RAN.clear()
    result = plain(value)
    items = list(llm(value))

    assert [] == list(RAN)
    assert value is result
    assert value is items[0]


def test_a_failing_capture_leaves_the_call_and_its_usage_alone(captured, monkeypatch):
    """
    Content is the least of what a span is for.
    """
    monkeypatch.setattr("tta_observe._content.written", lambda value: 1 / 0)
    monkeypatch.setattr("tta_observe._guard.STATE.reraise", False)

    assert completion() == ask("Why?")
    assert 3 == captured.span("ask").attributes["llm.prompt_tokens"]
    assert {} == content(captured, "ask")


class SecretError(Exception):
    """Carries what nobody may see."""


@traced_primitive(name="work")
def work(secret, *, prompt):
    return [secret]


@traced_primitive(type="llm", name="answer")
def answer(messages, system):
    record_llm_usage(model="m", prompt_tokens=1, completion_tokens=1, cost_usd=0.1)
    return completion(messages)


@traced_primitive(type="llm", name="chunks")
def chunks(prompt):
    yield chunk(prompt)


@traced_primitive(name="fail")
def fail(secret):
    raise SecretError(secret, {"deep": secret})


def everything():
    """Run with the canary in every argument, result, prompt, chunk and exception."""
    with workflow("all"):
        work(CANARY, prompt=CANARY)
        answer(CANARY, CANARY)
        list(chunks(CANARY))
        with pytest.raises(SecretError):
            fail(CANARY)


@pytest.fixture(name="clean")
def _clean(monkeypatch, tmp_path):
    clean(monkeypatch, tmp_path)
    yield
    tta_observe.shutdown(0.5)


def files(path):
    """Every byte beside *path*: SQLite keeps some of them in files of its own."""
    return b"".join(each.read_bytes() for each in path.parent.iterdir() if each.is_file())


@pytest.mark.parametrize("variable", [None, "NO_CONTENT", "EVENT_ONLY", "false", "nonsense"])
def test_off_means_off_to_the_last_byte(clean, tmp_path, monkeypatch, variable):
    """
    Nobody has to trust a switch that was never touched: neither the store nor the wire holds a piece of it.
    """
    if variable is not None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", variable)
    store = tmp_path / "s" / "store.db"
    with receiving() as receiver:
        configure(exporter=("local", "otlp"), endpoint=receiver.endpoint, store=store, error_detail="type")
        everything()
        assert tta_observe.shutdown(10)
        sent = b"".join(request.message.SerializeToString() for request in receiver.requests)
    stored = files(store)

    assert b"work" in stored
    assert b"work" in sent
    assert CANARY.encode() not in stored + sent


def stored_content(store):
    rows = sqlite3.connect(store).execute("SELECT attributes FROM spans")
    return [value for (text,) in rows for key, value in json.loads(text).items() if key in CONTENT]


def test_the_variable_of_opentelemetry_is_about_llm_calls(clean, tmp_path, monkeypatch):
    """
    Whoever asks for message content gets the messages, not the arguments of every function.
    """
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    store = tmp_path / "store.db"
    configure(exporter="local", store=store, error_detail="type")
    work(CANARY, prompt=CANARY)
    answer("Why?", "Be brief.")
    assert tta_observe.shutdown(10)
    found = stored_content(store)

    assert 3 == len(found)
    assert CANARY not in str(found)


def broken(key, value):
    raise RuntimeError(key)


@pytest.mark.parametrize(
    ("redact", "left"),
    [
        (None, True),
        (broken, False),
        (lambda key, value: None if key in CONTENT else value, False),
        (lambda key, value: value.replace(CANARY, "X") if isinstance(value, str) else value, False),
    ],
    ids=["none", "failing", "dropping", "masking"],
)
def test_the_redactor_sees_all_content_and_fails_closed(clean, tmp_path, redact, left):
    """
    A redactor with a bug costs the content, not the secret.
    """
    store = tmp_path / "s" / "store.db"
    with receiving() as receiver:
        configure(
            exporter=("local", "otlp"),
            endpoint=receiver.endpoint,
            store=store,
            error_detail="type",
            capture_content=True,
            redact=redact,
        )
        everything()
        assert tta_observe.shutdown(10)
        sent = b"".join(request.message.SerializeToString() for request in receiver.requests)
    stored = files(store)

    assert (left, left) == (CANARY.encode() in stored, CANARY.encode() in sent)


def test_secrets_in_content_are_masked_by_their_shape(clean, tmp_path):
    """
    A key in the middle of a prompt is a key.
    """
    store = tmp_path / "store.db"
    configure(exporter="local", store=store, capture_content=True)
    answer(f"My key is sk-{CANARY}, see api_key={CANARY}", "Be brief.")
    assert tta_observe.shutdown(10)
    found = str(stored_content(store))

    assert "My key is [redacted]" in found
    assert CANARY not in found
