"""The pytest fixture ``telemetry``. Loaded by every pytest run of our users: nothing heavy at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tta_observe.testing import CapturedTelemetry


@pytest.fixture
def telemetry() -> Iterator[CapturedTelemetry]:
    """What the code under test records; providers of this test alone."""
    from tta_observe.testing import captured_telemetry  # the SDK is loaded by tests that ask for it

    with captured_telemetry() as captured:
        yield captured
