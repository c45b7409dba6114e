"""Every documented answer of a provider as plain JSON; ``make test-providers`` has the clients' own types."""

from __future__ import annotations

import re
from datetime import date

import pytest
from provider_documents import documents

from tta_observe._responses import StreamReader, read

BODIES = documents(streamed=False)
STREAMS = documents(streamed=True)


@pytest.mark.parametrize("document", BODIES, ids=str)
def test_a_dict_is_read(document):
    """Who keeps the JSON instead of the client's object gets the same numbers."""
    assert document.expected == read(document.body)


@pytest.mark.parametrize("document", STREAMS, ids=str)
def test_a_stream_of_dicts_is_read(document):
    """Usage comes at the end, in pieces or not at all; what is read is what the provider bills."""
    reader = StreamReader()
    for event in document.events:
        reader.feed(event)

    assert document.expected == reader.reading()


@pytest.mark.parametrize("document", STREAMS, ids=str)
def test_the_first_output_of_a_stream_is_seen(document):
    """Time to first token is that of the first word, not of the greeting before it."""
    reader = StreamReader()

    assert document.first_output == next((i for i, event in enumerate(document.events) if reader.feed(event)), None)


@pytest.mark.parametrize("document", STREAMS, ids=str)
def test_an_event_alone_counts_as_the_final_chunk(document):
    """``record_llm_usage(last_chunk)`` is what a program with a loop of its own would write."""
    reader = StreamReader()
    reader.feed(document.events[-1])
    alone = read(document.events[-1])

    assert alone is None or (
        reader.reading() is not None and alone.completion_tokens == reader.reading().completion_tokens
    )


@pytest.mark.parametrize("document", documents(), ids=str)
def test_what_is_expected_is_in_normal_form(document):
    """The fixtures themselves obey the rule: cached and written are parts of the prompt, reasoning of the answer."""
    wanted = document.expected
    parts = (wanted and (wanted.cached_tokens or 0) + (wanted.cache_write_tokens or 0)) or 0

    assert wanted is None or parts <= (wanted.prompt_tokens or 0)
    assert wanted is None or (wanted.reasoning_tokens or 0) <= (wanted.completion_tokens or 0)


@pytest.mark.parametrize("document", documents(), ids=str)
def test_a_document_says_where_it_comes_from(document):
    """A number nobody can look up is a rumour."""
    assert re.match(r"https://\S+$", document.source)
    assert date.fromisoformat(document.read)
