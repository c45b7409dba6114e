"""Class methods, called on the class, on an instance and on a class that inherits."""

import asyncio
import inspect

from probe import inside, unchanged

OBSERVED = {"Client.named": "tool.call", "Client.ask": "llm.complete"}
WORKFLOWS = {"Client.review": "review"}

SPANS = """
review: success
  Client.named: success
  Client.named: success
  Client.named: success
  Client.ask: success
"""
EDGES = """
review -> Client.named nested
Client.named -> Client.named sequential 2
Client.named -> Client.ask sequential
"""


class Client:
    @classmethod
    def named(cls, name):
        inside("Client.named")
        return cls.__name__, name

    @classmethod
    async def ask(cls, prompt):
        inside("Client.ask")
        await asyncio.sleep(0)
        return prompt.upper()

    @classmethod
    async def review(cls):
        inside("review")
        with unchanged("named"):
            found = [cls.named("a"), cls().named("b"), Other.named("c")]
        with unchanged("ask"):
            return found, await cls.ask("d")


class Other(Client):
    pass


async def start():
    with unchanged("review"):
        print(await Client.review())


def main():
    asyncio.run(start())
    print(inspect.signature(Client.named), isinstance(inspect.getattr_static(Client, "ask"), classmethod))
