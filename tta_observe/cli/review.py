"""
A code-review agent over real files, traced with the public API alone.

Reading, caching, the checks and every failure are real. The model is not: a local stand-in counts the tokens of the
real text and writes the review from what the checks found. Every count is kept in a :class:`Tally` as well.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tta_observe import (
    Price,
    agent,
    record_cache_operation,
    record_llm_usage,
    step,
    traced_primitive,
    workflow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tta_observe.cli.tally import Tally

PROVIDER: Final = "simulated"
LARGE: Final = "simulated-large"
SMALL: Final = "simulated-small"
PRICES: Final = {LARGE: Price(input=3.0, output=15.0)}
"""USD per million tokens; the small model has no price on purpose, to show what that looks like."""

CONTEXT_TOKENS: Final = 8_000
"""More does not fit the stand-in's context."""

_SMALL_FILE_TOKENS: Final = 400
_LONGEST_LINE: Final = 120
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_RISKS: Final = {
    "runs a shell": re.compile(r"shell\s*=\s*True|os\.system\("),
    "evaluates text": re.compile(r"\b(?:eval|exec)\("),
    "unpickles": re.compile(r"\bpickle\.loads?\("),
    "may hold a secret": re.compile(r"(?i)\b(?:password|secret|api_key)\s*=\s*[\"']"),
}
_INSTRUCTION: Final = "Review this file. Name risks first, then style. Be brief."
_CONCLUSION: Final = "Sum up these reviews."


class ContextTooLongError(ValueError):
    """A text is longer than what the model can read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The review of one text, and whether it came from the cache."""

    text: str
    findings: int
    cached: bool = False


class Reviewer:
    """Reviews files one after the other; remembers what it has seen."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._seen: dict[str, Verdict] = {}

    async def review(self, path: Path) -> Verdict:
        """Review one file: one run of the workflow ``review-file``."""
        with workflow("review-file", attributes={"review.file": path.name}), self._tally.run("review-file"):
            text = await self.load_file(path)
            with (
                agent("code-reviewer"),
                self._tally.owner_of_misses(),
                self._tally.execution("code-reviewer", "agent", "load_file"),
            ):
                verdict = await self.look_up(text)
                if verdict is None:
                    with step("check"):
                        findings = await self._check(text)
                    with step("judge"):
                        verdict = await self._judge(text, findings)
            return await self.file_summary(path, verdict)

    async def conclude(self, verdicts: Sequence[Verdict]) -> str:
        """Sum up all reviews: one run of the workflow ``conclude-review``."""
        with workflow("conclude-review"), self._tally.run("conclude-review"):
            findings = await self.collect(verdicts)
            return await self.draft(findings)

    @traced_primitive(type="tool", action="load", name="load_file")
    async def load_file(self, path: Path) -> str:
        """Read a file as UTF-8."""
        with self._tally.execution("load_file", "tool", "review-file", how="nested"):
            return await asyncio.to_thread(path.read_text, encoding="utf-8")

    @traced_primitive(type="cache", action="lookup", name="look_up")
    async def look_up(self, text: str) -> Verdict | None:
        """Find the review of a text that was reviewed before."""
        with self._tally.execution("look_up", "cache", "code-reviewer", how="nested"):
            digest = _digest(text)
            found = self._seen.get(digest)
            record_cache_operation(hit=found is not None, key=digest)
            self._tally.lookup("look_up", hit=found is not None)
            return found and replace(found, cached=True)

    @traced_primitive(type="validator", action="check", name="check_security")
    async def check_security(self, text: str) -> list[str]:
        """Find lines that look risky."""
        with self._tally.execution("check_security", "validator", "look_up", how="parallel"):
            return await asyncio.to_thread(_risks, text)

    @traced_primitive(type="validator", action="check", name="check_style")
    async def check_style(self, text: str) -> list[str]:
        """Find long lines, and functions that do not say what they do."""
        with self._tally.execution("check_style", "validator", "look_up", how="parallel"):
            return await asyncio.to_thread(_style, text)

    @traced_primitive(type="router", action="select", name="pick_model")
    async def pick_model(self, text: str) -> str:
        """Send short texts to the small model."""
        with self._tally.execution("pick_model", "router", "check_security", "check_style", how="parallel"):
            return SMALL if count_tokens(text) < _SMALL_FILE_TOKENS else LARGE

    @traced_primitive(type="llm", action="generate", name="ask_model")
    async def ask_model(self, model: str, text: str, findings: Sequence[str]) -> Verdict:
        """Have a text reviewed."""
        with self._tally.execution("ask_model", "llm", "pick_model"):
            answer = f"{len(text.splitlines())} lines. " + ("; ".join(findings) or "Nothing to say.")
            await self._simulate(model, f"{_INSTRUCTION}\n{text}", answer)
            return Verdict(answer, len(findings))

    @traced_primitive(type="processor", action="summarize", name="file_summary")
    async def file_summary(self, path: Path, verdict: Verdict) -> Verdict:
        """Put the name of the file to its review."""
        with self._tally.execution("file_summary", "processor", "code-reviewer"):
            return replace(verdict, text=f"{path.name}: {verdict.text}")

    @traced_primitive(type="processor", action="collect", name="collect")
    async def collect(self, verdicts: Sequence[Verdict]) -> str:
        """Put all reviews into one text, as far as the model can read."""
        with self._tally.execution("collect", "processor", "conclude-review", how="nested"):
            return "\n".join(verdict.text for verdict in verdicts)[: CONTEXT_TOKENS // 2]

    @traced_primitive(type="llm", action="generate", name="draft")
    async def draft(self, reviews: str) -> str:
        """Have all reviews summed up."""
        with self._tally.execution("draft", "llm", "collect"):
            answer = f"{len(reviews.splitlines())} reviews; {reviews.count('risk')} lines look risky."
            await self._simulate(SMALL, f"{_CONCLUSION}\n{reviews}", answer)
            return answer

    async def _check(self, text: str) -> list[str]:
        # Both run to their end, also when one fails: what is counted must not depend on which is faster.
        results = await asyncio.gather(self.check_security(text), self.check_style(text), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [finding for result in results if isinstance(result, list) for finding in result]

    async def _judge(self, text: str, findings: Sequence[str]) -> Verdict:
        verdict = await self.ask_model(await self.pick_model(text), text, findings)
        self._seen[_digest(text)] = verdict
        return verdict

    async def _simulate(self, model: str, prompt: str, answer: str) -> None:
        """Be a model: real tokens, a short wait."""
        prompt_tokens, completion_tokens = count_tokens(prompt), count_tokens(answer)
        if prompt_tokens > CONTEXT_TOKENS:
            raise ContextTooLongError(f"{prompt_tokens} tokens, but {model} reads {CONTEXT_TOKENS}")
        await asyncio.sleep(0.02 + prompt_tokens / 25_000)
        record_llm_usage(
            provider=PROVIDER, model=model, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
        )
        cost_usd = None
        if model in PRICES:
            cost_usd = (prompt_tokens * PRICES[model].input + completion_tokens * PRICES[model].output) / 1e6
        self._tally.llm_call(model, prompt_tokens, completion_tokens, cost_usd)


def count_tokens(text: str) -> int:
    """Words and signs: close to what tokenizers of real models count."""
    return len(_TOKEN.findall(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _risks(text: str) -> list[str]:
    return [
        f"line {number} {what}: a risk"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in _RISKS.items()
        if pattern.search(line)
    ]


def _style(text: str) -> list[str]:
    undocumented = [
        f"line {found.lineno}: {found.name} has no docstring"
        for found in ast.walk(ast.parse(text))
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
        and not found.name.startswith("_")
        and not ast.get_docstring(found)
    ]
    lines = enumerate(text.splitlines(), 1)
    return undocumented + [f"line {number} is long" for number, line in lines if len(line) > _LONGEST_LINE]
