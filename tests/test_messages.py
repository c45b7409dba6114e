"""Prompts and answers in one form, whoever's client they are of."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile import KINDS, RAN

from tta_observe._messages import chunk_text, input_messages, output_messages, system_instructions

DOCUMENTS = Path(__file__).parent / "providers" / "documents"
WHOLE = ("body", "response")


def text(content):
    return {"type": "text", "content": content}


def user(*parts):
    return {"role": "user", "parts": list(parts)}


@dataclass
class HumanMessage:
    content: object
    type: str = "human"


TOOL_CALL = {"type": "tool_call", "id": "c1", "name": "find", "arguments": '{"q": 1}'}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"prompt": "Why?"}, [user(text("Why?"))]),
        ({"messages": "Why?"}, [user(text("Why?"))]),
        ({"messages": [{"role": "user", "content": "Why?"}]}, [user(text("Why?"))]),
        (
            {"messages": [{"role": "system", "content": "Be brief."}]},
            [{"role": "system", "parts": [text("Be brief.")]}],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "See:"},
                            {"type": "image_url", "image_url": {"url": "data:"}},
                        ],
                    }
                ]
            },
            [user(text("See:"), {"type": "image_url"})],
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
                        ],
                    }
                ]
            },
            [{"role": "assistant", "parts": [TOOL_CALL]}],
        ),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "42"}]},
            [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]}],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]}
                ]
            },
            [user({"type": "tool_call_response", "id": "c1", "response": "42"})],
        ),
        (
            {"messages": [HumanMessage("Why?"), ("ai", "Because.")]},
            [user(text("Why?")), {"role": "assistant", "parts": [text("Because.")]}],
        ),
        ({"messages": [{"role": "user", "content": [{"text": "Why?"}]}]}, [user(text("Why?"))]),
        ({"contents": "Why?"}, [user(text("Why?"))]),
        (
            {"contents": [{"role": "model", "parts": [{"text": "Hm."}]}]},
            [{"role": "assistant", "parts": [text("Hm.")]}],
        ),
        ({"input": "Why?"}, [user(text("Why?"))]),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "Why?"}]},
                    {"type": "function_call_output", "call_id": "c1", "output": "42"},
                ]
            },
            [user(text("Why?")), user({"type": "tool_call_response", "id": "c1", "response": "42"})],
        ),
        (
            {"input": [{"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q": 1}'}]},
            [{"role": "assistant", "parts": [TOOL_CALL]}],
        ),
        ({"messages": []}, None),
        ({"messages": 7}, None),
        ({"messages": [{"role": "user", "content": "Why?"}, object()]}, None),
        ({"path": "x"}, None),
        ({}, None),
    ],
)
def test_prompts(arguments, expected):
    """
    A trace is read by someone who knows one form, not six clients; what is no prompt is not made to look like one.
    """
    assert expected == input_messages(arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"system": "Be brief."}, [text("Be brief.")]),
        (
            {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
            [text("Be brief.")],
        ),
        ({"system": [{"text": "Be brief."}]}, [text("Be brief.")]),
        ({"instructions": "Be brief."}, [text("Be brief.")]),
        ({"messages": "Be brief."}, None),
    ],
)
def test_system_instructions(arguments, expected):
    """
    Half of what goes wrong is said there.
    """
    assert expected == system_instructions(arguments)


def documents(*, streams):
    return [path for path in sorted(DOCUMENTS.rglob("*.json")) if ("stream" in path.name) == streams]


def names(path):
    return path.relative_to(DOCUMENTS).as_posix()


@pytest.mark.parametrize("path", documents(streams=False), ids=names)
def test_answers_of_every_provider(path):
    """
    Whatever a provider documents as an answer is shown as one; embeddings are none.
    """
    document = json.loads(path.read_text())
    found = output_messages(document["body"])
    silent = "embedding" in path.name or "without_output" in path.name

    assert silent is (found is None)
    for message in found or ():
        assert "assistant" == message["role"]
        assert {"text", "tool_call", "reasoning"} >= {part["type"] for part in message["parts"]}
        assert message["parts"]
    assert "tool" not in path.name.split("_") or "prompt" in path.name or "tool_call" in json.dumps(found)


@pytest.mark.parametrize("path", documents(streams=True), ids=names)
def test_streams_of_every_provider_are_put_together(path):
    """
    The text of an answer is the same whether it came at once or in chunks; arguments of tools are no text.
    """
    document = json.loads(path.read_text())
    texts = [chunk_text(event) for event in document["events"]]
    joined = "".join(text for text in texts if text)

    assert "tool_call" in path.name or joined
    assert all(joined.count(text) == 1 for text in texts if text and len(text) > 3)  # nothing is said twice
    assert "{" not in joined


def test_reasoning_is_told_apart():
    """
    What a model thought is not what it said.
    """
    response = {"choices": [{"message": {"content": "3", "reasoning_content": "Count."}, "finish_reason": "stop"}]}

    assert [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "Count."}, text("3")],
            "finish_reason": "stop",
        }
    ] == output_messages(response)


@pytest.mark.parametrize(
    "value", [None, 7, {}, {"text": "t", "score": 1}, {"content": "c", "score": 1}, object(), [], b"x"]
)
def test_what_is_no_answer_is_left_as_it_is(value):
    """
    A dict of the application's own would lose half of what it holds.
    """
    assert output_messages(value) is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_code_of_a_message_runs(kind):
    """
    A prompt is never asked what it is.
    """
    RAN.clear()
    value = KINDS[kind]
    for given in (
        value,
        [value],
        {"role": value, "content": value, "tool_calls": value},
        {"choices": [{"message": value}]},
    ):
        input_messages({"messages": given})
        output_messages(given)
        chunk_text(given)
        system_instructions({"system": given})

    assert [] == list(RAN)
