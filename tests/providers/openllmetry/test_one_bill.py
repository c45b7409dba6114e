"""OpenLLMetry underneath a primitive, on the same provider: a backend that gets both spans bills the call once."""

from __future__ import annotations

import pytest
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from providers.one_bill import check_one_bill, streamed, text, whole


@pytest.mark.parametrize("call", [whole, text, streamed], ids=lambda call: call.__name__)
def test_one_call_is_one_bill(tmp_path, call):
    """Ours steps back in what others add up, and keeps its own numbers, also where only a string is returned."""
    check_one_bill(OpenAIInstrumentor(), tmp_path, call)
