"""Which client the contract is held against: ``--client=NAME``, whose adapter is ``NAME/client.py``."""

from __future__ import annotations

import importlib

import pytest
from provider_documents import documents
from providers.server import answer_server


def pytest_addoption(parser):
    parser.addoption("--client", help="directory of tests/providers whose client is tested")


def pytest_generate_tests(metafunc):
    """``answer``: every whole answer of the provider; ``stream``: every streamed one; ``way``: sync or async."""
    name = metafunc.config.getoption("--client")
    if name and metafunc.module.__name__.endswith("contract"):
        adapter = importlib.import_module(f"providers.{name}.client")
        otherwise = getattr(adapter, "OTHERWISE", {})
        found = [
            d for d in documents(*adapter.PROVIDERS) if d.endpoint in adapter.ENDPOINTS and str(d) not in otherwise
        ]
        for fixture, streamed in (("answer", False), ("stream", True)):
            if fixture in metafunc.fixturenames:
                metafunc.parametrize(fixture, [d for d in found if d.streamed is streamed], ids=str)
        if "way" in metafunc.fixturenames:
            metafunc.parametrize("way", ["sync", "async"] if adapter.async_client else ["sync"])


@pytest.fixture(scope="session")
def adapter(pytestconfig):
    """The module that knows how this client is made and asked."""
    return importlib.import_module(f"providers.{pytestconfig.getoption('--client')}.client")


@pytest.fixture
def server(adapter):
    """A server in the place of the provider's."""
    with answer_server(getattr(adapter, "STREAM", "text/event-stream")) as running:
        yield running
