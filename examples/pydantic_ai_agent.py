"""
An agent of pydantic-ai, observed without its knowledge: three names at the start of the program, no line inside it.

Run ``pip install pydantic-ai-slim``, ``python examples/pydantic_ai_agent.py``, then type ``tta-observe report``: the
run of the agent, each request to its model with tokens and cost, and the tools, which it calls side by side. The model
stands in for a real one; for OpenAI's name ``pydantic_ai.models.openai:OpenAIChatModel.request`` instead.
"""

from __future__ import annotations

import asyncio

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from tta_observe import Price, configure, instrument, workflow

TEMPERATURES = {"Oslo": 4, "Lisbon": 19}


async def temperature(city: str) -> int:
    """Degrees Celsius in a city."""  # what the model is told about the tool: an observed function keeps it
    await asyncio.sleep(0.02)
    return TEMPERATURES[city]


async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stand in for a model: ask the tool about both cities at once, then answer."""
    await asyncio.sleep(0.03)
    told = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if not told:
        tool = info.function_tools[0].name
        return ModelResponse(parts=[ToolCallPart(tool, {"city": city}) for city in TEMPERATURES])
    oslo, lisbon = (part.content for part in told)
    return ModelResponse(parts=[TextPart(f"In Lisbon: {lisbon} degrees there, {oslo} in Oslo.")])


def observe() -> None:
    """Name what is to be seen; this may stand in a file that the agent's authors never open."""
    configure(service_name="weather-agent", prices={"small": Price(input=0.15, output=0.60)})
    instrument("pydantic_ai:Agent.run", type="agent", action="run", name="weather-agent")
    instrument("pydantic_ai.models.function:FunctionModel.request", type="llm", action="chat")
    instrument(f"{__name__}:temperature", type="tool", action="call")


async def main() -> None:
    """Ask one question."""
    observe()
    agent = Agent(FunctionModel(model, model_name="small"), tools=[temperature])
    with workflow("compare-weather"):
        result = await agent.run("Where is it warmer?")
    print(result.output)


if __name__ == "__main__":
    asyncio.run(main())
