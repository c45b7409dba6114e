"""A run with one span of every kind, and numbers that no two places share."""

from __future__ import annotations

from tta_observe import Price, agent, primitive, record_llm_usage, step, traced_primitive, workflow

PRICES = {"large-1": Price(input=3.0, output=15.0, cached_input=0.3), "embed-1": Price(input=0.1, output=0.0)}
"""USD per million tokens. ``small-1``, the model of the context, has none."""

SESSION = "session-7"
COST_USD = {"answer": 0.00411, "embed": 0.000002, "verify": 0.00009}
"""By primitive: (1,000 - 400) × 3 + 400 × 0.3 + 146 × 15; 20 × 0.1; 5 × 3 + 5 × 15; a millionth each."""


def answer_a_question():
    """One run: everything inside works for a session, and names a model that only the context knows."""
    with workflow("support", session_id=SESSION, agent_type="helper", llm_provider="openai", llm_model_name="small-1"):
        route()
        with agent("researcher", agent_id="r-1"), step("gather"):
            embed()
            search()
            look_up()
            call_tool()
        with primitive("again", type="retry"):
            answer()
        with primitive("check", type="validator"):
            record_llm_usage(provider="openai", model="large-1", prompt_tokens=5, completion_tokens=5)
        outer()
        fail()


@traced_primitive(type="router", action="select")
def route():
    return "large-1"


@traced_primitive(type="embedding", action="embed")
def embed():
    record_llm_usage(provider="openai", model="embed-1", prompt_tokens=20)


@traced_primitive(type="retriever", action="search")
def search():
    return []


@traced_primitive(type="cache", action="lookup")
def look_up():
    return None


@traced_primitive(type="tool", action="call", name="calculator")
def call_tool():
    return 42


@traced_primitive(type="llm", action="generate")
def answer():
    record_llm_usage(
        provider="bedrock",
        model="large-1",
        prompt_tokens=1000,
        cached_tokens=400,
        completion_tokens=146,
        temperature=0.5,
        max_tokens=512,
    )


@traced_primitive(type="llm", action="plan")
def outer():
    """Calls a model by way of another primitive: its usage stands there."""
    return inner()


@traced_primitive(type="llm", action="generate")
def inner():
    record_llm_usage(model="unheard-of", prompt_tokens=11, completion_tokens=3)
    return "an answer"


@traced_primitive(type="agent", action="run", name="closer")
def fail():
    try:
        _refuse()
    except PermissionError:
        return


@traced_primitive(type="tool", action="call", name="refused")
def _refuse():
    raise PermissionError("no")
