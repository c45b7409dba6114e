"""Static methods, called on the class and on an instance."""

import asyncio
import inspect

from probe import inside, unchanged

OBSERVED = {"Client.checked": "validator.check", "Client.ask": "llm.complete"}
WORKFLOWS = {"Client.review": "review"}

SPANS = """
review: success
  Client.checked: success
  Client.checked: success
  Client.ask: success
"""
EDGES = """
review -> Client.checked nested
Client.checked -> Client.checked sequential
Client.checked -> Client.ask sequential
"""


class Client:
    @staticmethod
    def checked(name):
        inside("Client.checked")
        return name * 2

    @staticmethod
    async def ask(prompt):
        inside("Client.ask")
        await asyncio.sleep(0)
        return prompt.upper()

    @staticmethod
    async def review():
        inside("review")
        with unchanged("checked"):
            found = [Client.checked("a"), Client().checked("b")]
        with unchanged("ask"):
            return found, await Client.ask("d")


async def start():
    with unchanged("review"):
        print(await Client.review())


def main():
    asyncio.run(start())
    print(inspect.signature(Client.checked), isinstance(inspect.getattr_static(Client, "ask"), staticmethod))
