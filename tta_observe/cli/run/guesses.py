"""What a function probably is, judged by its text alone: nothing is imported, nothing is run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_WORD: Final = {
    "cache": ("cache", "cached", "memo", "memoized"),
    "embedding": ("embed", "embedding", "embeddings"),
    "retriever": ("search", "retrieve", "retrieval", "retriever", "lookup", "rag"),
    "llm": ("llm", "chat", "complete", "completion", "generate"),
    "router": ("route", "router", "dispatch", "triage"),
    "validator": ("validate", "validator", "check", "verify", "moderate"),
    "tool": ("tool", "tools"),
    "retry": ("retry",),
    "fallback": ("fallback",),
}
_BY_CALL: Final = (
    ("embedding", re.compile(r"embeddings\.create|a?embed_(documents|query|content)|aembedding|litellm\.embedding")),
    (
        "llm",
        re.compile(
            r"completions\.create|responses\.create|messages\.(create|stream)|generate_content(_stream)?|acompletion"
            r"|litellm\.completion|ollama\.(chat|generate)|(llm|model|chat|chain)\.a?(invoke|stream)|converse(_stream)?"
        ),
    ),
    ("retriever", re.compile(r"similarity_search\w*|(cursor|connection|conn|db|session)\.(execute|fetch\w*|scalars)")),
    ("tool", re.compile(r"(requests|httpx|session|client)\.(get|post|put|patch|delete|request|stream)|urlopen")),
)
"""Ends of dotted names that are called: of clients of language models, of databases, of HTTP."""

_SURE: Final = ("embedding", "llm")
"""What such a call says is true whatever the function is called."""

_LEFT_ALONE: Final = ("property", "cached_property", "overload", "abstractmethod", "setter", "getter", "fixture")
_OURS: Final = ("traced_primitive", "traced_cache", "workflow")
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a module or class, as far as its text tells; *type* is None when nothing about it is telling."""

    qualname: str
    line: int
    type: str | None
    action: str
    calls: frozenset[str]
    """Bare names of what it calls."""

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.qualname.rpartition(".")[2]


def functions_in(tree: ast.Module) -> Iterator[Function]:
    """The public functions of a module and its classes, in order."""
    yield from _functions(tree, "")


def _functions(owner: ast.AST, prefix: str) -> Iterator[Function]:
    for node in ast.iter_child_nodes(owner):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, _FUNCTIONS):
            if not node.name.startswith("_") and not _is_left_alone(node):
                yield _function(node, prefix)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _functions(node, prefix)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> Function:
    calls = [name for child in ast.walk(node) if isinstance(child, ast.Call) and (name := _dotted(child.func))]
    words = [word.lower() for word in _WORD.findall(node.name)]
    bare = frozenset(name.rpartition(".")[2] for name in calls)
    action = words[0] if words and _ACTION.fullmatch(words[0]) else "execute"
    type_ = _type(node, words, calls)
    return Function(prefix + node.name, node.lineno, type_, action, bare)


def _type(node: ast.AST, words: list[str], calls: list[str]) -> str | None:
    by_call = next((type_ for type_, known in _BY_CALL if any(_ends_with(known, call) for call in calls)), None)
    if by_call in _SURE:
        return by_call
    by_word = next((type_ for word in words for type_, known in _BY_WORD.items() if word in known), None)
    return by_word or by_call or ("function" if isinstance(node, ast.AsyncFunctionDef) else None)


def _ends_with(known: re.Pattern[str], call: str) -> bool:
    parts = call.split(".")
    return any(known.fullmatch(".".join(parts[start:])) for start in range(len(parts)))


def _dotted(node: ast.expr) -> str:
    """``client.chat.completions.create``, with what is no name left out; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".").lstrip("_")
    return node.id if isinstance(node, ast.Name) else ""


def _is_left_alone(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = (_dotted(found.func if isinstance(found, ast.Call) else found) for found in node.decorator_list)
    return any(name.rpartition(".")[2] in (*_LEFT_ALONE, *_OURS) for name in names) or _is_stub(node)


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(isinstance(line, (ast.Expr, ast.Pass)) and not _does(line) for line in node.body)


def _does(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and not isinstance(line.value, ast.Constant)
