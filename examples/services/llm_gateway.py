"""tta-llm-gateway: chooses a model, asks it, and knows what it cost."""

from __future__ import annotations

from http_json import serve

from tta_observe import Price, configure, record_llm_usage, traced_primitive

MANY_WORDS = 4
PRICES = {"small": Price(input=0.15, output=0.60), "large": Price(input=2.50, output=10.00)}


@traced_primitive(type="router", action="select")
def choose_model(question: str) -> str:
    """Long questions are for the large one."""
    return "large" if len(question.split()) > MANY_WORDS else "small"


@traced_primitive(type="llm", action="generate")
def ask_model(question: str, *, model: str) -> str:
    """Stand in for a model; a real one reports its own numbers of tokens."""
    text = f"{question}? That is a long story."
    record_llm_usage(provider="example", model=model, prompt_tokens=len(question), completion_tokens=len(text))
    return text


@traced_primitive(type="processor", action="complete")
def complete(question: str) -> str:
    """Answer one request."""
    return ask_model(question, model=choose_model(question))


if __name__ == "__main__":
    configure(service_name="tta-llm-gateway", prices=PRICES)
    serve({"/complete": complete})
