"""
One workflow, three primitives, one LLM call: the smallest program worth looking at.

Run it, then type ``tta-observe report``.
"""

from __future__ import annotations

from tta_observe import Price, configure, record_llm_usage, traced_primitive, workflow


@traced_primitive(type="retriever", action="search")
def find_sources(question: str) -> list[str]:
    """Stand in for a search."""
    return [f"notes on {word}" for word in question.split()]


@traced_primitive(type="llm", action="generate")
def answer(question: str, sources: list[str]) -> str:
    """Stand in for a model; a real one reports its own numbers of tokens."""
    text = f"{question}? See {', '.join(sources)}."
    record_llm_usage(provider="example", model="small", prompt_tokens=len(question), completion_tokens=len(text))
    return text


@traced_primitive(type="validator", action="check")
def check(text: str) -> str:
    """Refuse an empty answer."""
    if not text:
        raise ValueError("the answer is empty")
    return text


def main() -> None:
    """Answer one question."""
    configure(service_name="quickstart", prices={"small": Price(input=0.15, output=0.60)})
    with workflow("chat", session_id="demo-session"):
        print(check(answer("what is a span", find_sources("what is a span"))))


if __name__ == "__main__":
    main()
