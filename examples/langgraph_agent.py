"""
A graph of LangGraph, observed without its knowledge: a few names at the start of the program, no line inside it.

Run ``pip install langgraph``, ``python examples/langgraph_agent.py``, then type ``tta-observe report``: the nodes of
the graph, where two that ran side by side join, and each answer of the model with its tokens and its cost.
The model stands in for a real one; every chat model of LangChain is observed by the same name.
"""

from __future__ import annotations

from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph

from tta_observe import Price, configure, instrument, workflow


class State(TypedDict):
    """What the nodes hand on: remarks of both reviewers are added up."""

    text: str
    remarks: Annotated[list[str], add]
    verdict: str


def said(text: str, prompt: int) -> AIMessage:
    """One answer of a model, with the numbers that a provider sends along."""
    completion = len(text.split())
    usage = {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}
    return AIMessage(text, usage_metadata=usage, response_metadata={"model_name": "small"})


STYLE = GenericFakeChatModel(messages=iter([said("The second sentence is long.", 40)]))
FACTS = GenericFakeChatModel(messages=iter([said("The year is wrong.", 40)]))
EDITOR = GenericFakeChatModel(messages=iter([said("Rewrite it, please.", 90)]))


def load(state: State) -> dict[str, Any]:
    """Fetch the text."""
    return {"text": f"a draft about {state['text']}"}


def check_style(state: State) -> dict[str, Any]:
    """Let one model look at how it is said."""
    return {"remarks": [STYLE.invoke(f"How is this written? {state['text']}").text]}


def check_facts(state: State) -> dict[str, Any]:
    """Let another look at what is said, at the same time."""
    return {"remarks": [FACTS.invoke(f"Is this true? {state['text']}").text]}


def decide(state: State) -> dict[str, Any]:
    """Let a third sum up."""
    return {"verdict": EDITOR.invoke(f"What shall be done? {state['remarks']}").text}


def build() -> Any:
    """Load, two checks side by side, decide."""
    graph = StateGraph(State)
    for node in (load, check_style, check_facts, decide):
        graph.add_node(node)
    graph.add_edge(START, "load")
    for check in ("check_style", "check_facts"):
        graph.add_edge("load", check)
        graph.add_edge(check, "decide")
    graph.add_edge("decide", END)
    return graph.compile()


def observe() -> None:
    """Name what is to be seen; this may stand in a file that the graph's authors never open."""
    configure(service_name="review-graph", prices={"small": Price(input=0.15, output=0.60)})
    models = "langchain_core.language_models.chat_models:BaseChatModel.invoke"
    instrument(models, type="llm", action="chat", name="model")
    instrument(f"{__name__}:check_*", type="validator", action="check")
    for node in ("load", "decide"):
        instrument(f"{__name__}:{node}", type="agent", action="run")


def main() -> None:
    """Review one draft."""
    observe()
    with workflow("review-draft"):
        found = build().invoke({"text": "spans", "remarks": []})
    print(*found["remarks"], found["verdict"], sep="\n")


if __name__ == "__main__":
    main()
