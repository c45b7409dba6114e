"""Methods, plain and asynchronous, of a class and of one that inherits."""

import asyncio
import inspect

from probe import inside, unchanged

OBSERVED = {"Client.fetch": "retriever.fetch", "Client.ask": "llm.complete", "Careful.fetch": "retriever.fetch"}
WORKFLOWS = {"Client.review": "review"}

SPANS = """
review: success
  Client.fetch: success
  Client.ask: success
review: success
  Careful.fetch: success
    Client.fetch: success
  Client.ask: success
"""
EDGES = """
review -> Client.fetch nested
Client.fetch -> Client.ask sequential
review -> Careful.fetch nested
Careful.fetch -> Client.fetch nested
Careful.fetch -> Client.ask sequential
"""


class Client:
    def __init__(self, name):
        self.name = name

    def fetch(self, key):
        inside("Client.fetch")
        return f"{self.name}:{key}"

    async def ask(self, page):
        inside("Client.ask")
        await asyncio.sleep(0)
        return page.upper()

    async def review(self):
        inside("review")
        with unchanged("fetch"):
            page = self.fetch("a")
        with unchanged("ask"):
            return await self.ask(page)


class Careful(Client):
    def fetch(self, key):
        inside("Careful.fetch")
        with unchanged("fetch"):
            return f"careful {super().fetch(key)}"


async def start():
    for client in (Client("plain"), Careful("strict")):
        with unchanged("review"):
            print(await client.review())


def main():
    asyncio.run(start())
    print(inspect.ismethod(Client("a").fetch), inspect.isfunction(Client.fetch), inspect.signature(Client("a").fetch))
