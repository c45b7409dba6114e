"""The server that all tests share."""

from __future__ import annotations

import pytest
from phoenix.server import serving


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory):
    """A Phoenix server that runs."""
    with serving(tmp_path_factory.mktemp("phoenix")) as server:
        yield server
