"""OpenLLMetry underneath a primitive: the same call, recorded twice on spans, is counted once by us."""

from __future__ import annotations

from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from providers.underneath import ANSWER, STREAM, check_counted_once, run


def test_an_answer_is_counted_once():
    """Tokens and cost that are billed twice are the complaint that users have most often."""
    check_counted_once(*run(ANSWER, OpenAIInstrumentor()))


def test_a_stream_is_counted_once():
    """The other library wraps the stream before we see it: the usage in its chunks is still found."""
    check_counted_once(*run(STREAM, OpenAIInstrumentor()))
