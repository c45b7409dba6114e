"""
Prompts and answers of LLM calls as OpenTelemetry's conventions have them: ``[{"role": …, "parts": […]}]``.

Recognised by shape: what the clients of OpenAI, Anthropic, Google, Bedrock, Cohere, Ollama and LangChain take and
return, as objects and dicts. Images and files are named, not copied. What has none of these shapes is None.
Source: OpenTelemetry semantic conventions for generative AI, version 1.41, ``gen_ai.input.messages``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tta_observe._responses.fields import MOST_ITEMS, Fields, fields_of, get, has, items, name, part
from tta_observe._scalars import is_a, scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Message = dict[str, Any]
Part = dict[str, Any]

PROMPTS: Final = ("messages", "prompt", "contents", "input")
"""What clients call the argument that holds the prompt."""

_SYSTEM: Final = ("system", "instructions", "system_instruction", "system_prompt")
_ROLES: Final = {"human": "user", "ai": "assistant", "model": "assistant", "chatbot": "assistant"}
_REASONING: Final = ("thinking", "reasoning_content", "reasoning", "thought")


def input_messages(arguments: Mapping[str, Any]) -> list[Message] | None:
    """The prompt among the *arguments* of a call; None when none of them is one."""
    for key in PROMPTS:
        value = arguments.get(key)
        if value is not None and (found := _messages(value, "user")):
            return found
    return None


def system_instructions(arguments: Mapping[str, Any]) -> list[Part] | None:
    """What the model is told beside the conversation, among the *arguments* of a call."""
    for key in _SYSTEM:
        found = _parts(arguments.get(key))
        if found:
            return found
    return None


def output_messages(response: object) -> list[Message] | None:
    """The answers in a *response*: text, or an object or dict of one of the clients."""
    if is_a(response, str):
        return [_message("assistant", _parts(response))]
    fields = fields_of(response)
    if fields is None:
        return None
    for key, answers in _ANSWERS:
        if has(fields, key) and (found := list(answers(fields))):
            return found
    return None


def chunk_text(chunk: object) -> str | None:
    """The text that one *chunk* of a stream adds to the answer; None when it is of no kind that is known here."""
    if is_a(chunk, str):
        return str.__str__(chunk)
    fields = fields_of(chunk)
    if fields is None:
        return None
    if has(fields, "delta"):  # events of OpenAI's responses, Anthropic and Cohere
        return _text(get(fields, "delta")) or ""
    for key in ("data", "contentBlockDelta"):  # Mistral's, Bedrock's
        if has(fields, key):
            return chunk_text(get(fields, key))
    deltas = (part(choice, "delta") for choice in _held(get(fields, "choices")))
    texts = [_text(delta) for delta in deltas] or [_joined(answer) for answer in output_messages(chunk) or ()]
    return "".join(text for text in texts if text) if texts or has(fields, "type") else None


def _messages(value: object, role: str) -> list[Message]:
    """The conversation that *value* is: one text, one message, or several of either."""
    if is_a(value, str):
        return [_message(role, _parts(value))]
    if is_a(value, (list, tuple)):
        found = [_of(item, role) for item in items(value)]
        return [message for message in found if message is not None] if None not in found else []
    message = _of(value, role)
    return [message] if message is not None else []


def _of(value: object, role: str) -> Message | None:
    if is_a(value, str):
        return _message(role, _parts(value))
    if is_a(value, tuple) and len(pair := items(value)) == 2 and is_a(pair[0], str):  # noqa: PLR2004 - LangChain's short form
        return _message(_role(pair[0]), _parts(pair[1]))
    fields = fields_of(value)
    return None if fields is None else _said(fields, role)


def _said(fields: Fields, role: str) -> Message | None:
    """One message, whoever's: ``content`` or ``parts``, and the tools that it calls."""
    kind = name(fields, "type")
    if not any(has(fields, key) for key in ("content", "parts", "role", "tool_calls")):
        found = _part(fields)
        return _message("assistant" if found and found["type"] == "tool_call" else role, [found]) if found else None
    spoken = _parts(get(fields, "parts") if has(fields, "parts") else get(fields, "content"))
    thought = next((text for key in _REASONING if (text := _plain(get(fields, key)))), None)
    called = [_call(call) for call in _held(get(fields, "tool_calls"))]
    answered = name(fields, "tool_call_id")
    if answered is not None:
        spoken = [{"type": "tool_call_response", "id": answered, "response": "".join(map(_content, spoken))}]
    before = [{"type": "reasoning", "content": thought}] if thought else []
    return _message(
        _role(name(fields, "role") or (kind if kind != "message" else None), role), before + spoken + called
    )


def _message(role: str, parts: list[Part], finish_reason: str | None = None) -> Message:
    end = {"finish_reason": finish_reason} if finish_reason else {}
    return {"role": role, "parts": parts, **end}


def _role(said: str | None, otherwise: str = "user") -> str:
    return _ROLES.get(said.lower(), said) if said else otherwise


def _parts(content: object) -> list[Part]:
    """What a message consists of."""
    if is_a(content, str):
        text = str.__str__(content)  # of a subclass, too, without its code
        return [{"type": "text", "content": text}] if text else []
    if is_a(content, (list, tuple)):
        return [each for item in items(content) for each in (_parts(item) if is_a(item, str) else _one_part(item))]
    fields = fields_of(content)
    return _parts(get(fields, "parts")) if fields is not None and has(fields, "parts") else _one_part(content)


def _one_part(value: object) -> list[Part]:
    fields = fields_of(value)
    found = None if fields is None else _part(fields)
    return [] if found is None else [found]


def _part(fields: Fields) -> Part | None:
    """One part of a message: text, reasoning, a call of a tool or its result, or only what kind of thing it is."""
    kind = name(fields, "type")
    for key, make in _TOOLS:
        if kind == key or (kind is None and fields_of(get(fields, key)) is not None):
            return make(fields if kind == key else part(fields, key))
    thought = next((text for key in _REASONING if (text := _plain(get(fields, key)))), None)
    if thought is not None:
        return {"type": "reasoning", "content": thought}
    text = _plain(get(fields, "text"))
    if text is not None:
        return {"type": "reasoning" if get(fields, "thought") is True else "text", "content": text}
    return {"type": kind or str(scalar(next(dict.__iter__(fields))))} if dict.__len__(fields) else None


def _call(fields: Fields) -> Part:
    """A call of a tool; OpenAI's chat has its name and arguments a level deeper."""
    inner = part(fields, "function") if has(fields, "function") else fields
    arguments = next((get(inner, key) for key in ("arguments", "input", "args") if has(inner, key)), None)
    known = {"id": _id(fields), "name": name(inner, "name"), "arguments": arguments}
    return {"type": "tool_call", **{key: value for key, value in known.items() if value is not None}}


def _result(fields: Fields) -> Part:
    """What a tool returned."""
    response = next((get(fields, key) for key in ("output", "content", "response") if has(fields, key)), None)
    known = {"id": _id(fields), "response": response}
    return {"type": "tool_call_response", **{key: value for key, value in known.items() if value is not None}}


def _id(fields: Fields) -> str | None:
    keys = ("call_id", "tool_use_id", "toolUseId", "tool_call_id", "id")
    return next((found for key in keys if (found := name(fields, key))), None)


_TOOLS: Final[tuple[tuple[str, Callable[[Fields], Part]], ...]] = (
    ("tool_use", _call),
    ("toolUse", _call),
    ("tool_call", _call),
    ("function_call", _call),
    ("functionCall", _call),
    ("tool_result", _result),
    ("toolResult", _result),
    ("function_call_output", _result),
    ("function_response", _result),
    ("functionResponse", _result),
)
"""What a part is called that has to do with tools, as its type or as what holds it."""


def _choices(fields: Fields) -> Iterator[Message]:
    for choice in _held(get(fields, "choices")):
        said = _said(part(choice, "message"), "assistant") if has(choice, "message") else None
        spoken = said["parts"] if said else _parts(get(choice, "text"))
        yield _message("assistant", spoken, name(choice, "finish_reason"))


def _candidates(fields: Fields) -> Iterator[Message]:
    for candidate in _held(get(fields, "candidates")):
        reason = name(candidate, "finish_reason") or name(candidate, "finishReason")
        yield _message("assistant", _parts(get(candidate, "content")), reason)


def _output(fields: Fields) -> Iterator[Message]:
    """OpenAI's responses: a list of items; Bedrock: one message; pydantic-ai: what the agent made."""
    output = get(fields, "output")
    inner = part(part(fields, "output"), "message")
    if has(inner, "content"):
        yield _message("assistant", _parts(get(inner, "content")), name(fields, "stopReason"))
    elif is_a(output, str) and has(fields, "_state"):
        yield _message("assistant", _parts(output))
    spoken: list[Part] = []
    for item in _held(output):
        called = _part(item) if name(item, "type") != "message" else None
        spoken += [called] if called else _parts(get(item, "content"))
    if spoken:
        yield _message("assistant", spoken, name(fields, "status"))


def _one(fields: Fields) -> Iterator[Message]:
    """Ollama and Cohere: one message."""
    said = _said(part(fields, "message"), "assistant")
    if said is not None:
        yield _message("assistant", said["parts"], name(fields, "done_reason") or name(fields, "finish_reason"))


def _content_blocks(fields: Fields) -> Iterator[Message]:
    """Anthropic and LangChain: the response is the message."""
    said = _said(fields, "assistant") if any(has(fields, key) for key in _MARKS) else None
    if said is not None and (said["parts"] or has(fields, "stop_reason")):
        yield _message("assistant", said["parts"], name(fields, "stop_reason"))


def _completed(fields: Fields) -> Iterator[Message]:
    """One text: the first version of Cohere's chat, and Ollama's generate."""
    text = get(fields, "text" if has(fields, "generation_id") else "response" if has(fields, "done") else "")
    if parts := _parts(text):
        yield _message("assistant", parts, name(fields, "finish_reason") or name(fields, "done_reason"))


_MARKS: Final = ("role", "type", "stop_reason", "response_metadata")
"""What a response has beside its content; without one of them it may be anything of the application's own."""

_ANSWERS: Final[tuple[tuple[str, Callable[[Fields], Iterator[Message]]], ...]] = (
    ("choices", _choices),
    ("candidates", _candidates),
    ("output", _output),
    ("message", _one),
    ("content", _content_blocks),
    ("text", _completed),
    ("response", _completed),
)
"""What a response holds, and how its answers are read."""


def _held(value: object) -> list[Fields]:
    found = [fields_of(item) for item in items(value)][:MOST_ITEMS]
    return [fields for fields in found if fields is not None]


def _plain(value: object) -> str | None:
    return value or None if type(value) is str else None


def _text(delta: object) -> str | None:
    """The text in the part of an answer that a chunk brings."""
    if is_a(delta, str):
        return str.__str__(delta)
    fields = fields_of(delta)
    return None if fields is None else "".join(map(_content, _parts_of_delta(fields))) or None


def _parts_of_delta(fields: Fields) -> list[Part]:
    inner = part(fields, "message") if has(fields, "message") else fields  # Cohere's
    return _parts(get(inner, "content")) or _parts(get(inner, "text"))


def _joined(message: Message) -> str:
    return "".join(map(_content, message["parts"]))


def _content(each: Part) -> str:
    return each.get("content", "") if each["type"] == "text" else ""
