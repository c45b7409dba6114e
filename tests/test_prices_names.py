"""The many names of one model."""

from hypothesis import given
from hypothesis import strategies as st

from tta_observe._prices import names

NAMES = st.text(st.sampled_from("ab/:.-@0123456789"), max_size=40) | st.text(max_size=40)


@given(st.none() | NAMES, NAMES)
def test_any_name_is_taken(provider, model):
    """
    It comes from a response, or from a user's keyboard: the answer is a few names, and never an error.
    """
    keys = names.keys(provider, model)

    assert model == "" or model in keys
    assert len(keys) == len(set(keys)) < 400
    assert len(names.references(provider, model)) < 8


def test_a_name_of_absurd_length_is_no_name():
    """
    Searching it for patterns would take the caller's time.
    """
    assert () == names.keys(None, "a-" * 10_000)
    assert [] == names.references(None, "a-" * 10_000)


def test_a_provider_has_one_name_here():
    """
    Every library spells it in its own way.
    """
    spelled = ["aws.bedrock", "Bedrock", "amazon-bedrock", "AWS Bedrock"]

    assert {"aws"} == {names.provider_id(name) for name in spelled}
    assert "acme" == names.provider_id("Acme")
    assert names.provider_id("langchain") is None
    assert names.provider_id(None) is None


def test_a_gateway_is_left_aside_for_what_the_model_says():
    """
    OpenAI's protocol and LiteLLM's functions reach everybody.
    """
    assert [("anthropic", "claude-x")] == names.references("litellm", "anthropic/claude-x")
    assert ("anthropic", "claude-x") in names.references("openai", "anthropic/claude-x")
    assert [("acme", "anthropic/claude-x")] == names.references("acme", "anthropic/claude-x")


def test_compact_dates_are_written_as_the_list_has_them():
    """
    LiteLLM and OpenRouter drop the hyphens of OpenAI's versions.
    """
    assert "gpt-5.2-2025-12-11" == names.dashed("gpt-5.2-20251211")
    assert "model-123456789" == names.dashed("model-123456789")
