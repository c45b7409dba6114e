"""What genai-prices says, and under which names we believe it."""

from datetime import UTC, datetime

import pytest
from genai_prices import Usage, types
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from tta_observe import _prices
from tta_observe._prices import book
from tta_observe.usage import LLMUsage

BOOK = book.Book.read()
LISTED = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def usage(provider, model, prompt=1_000_000, completion=1_000_000, **more):
    return LLMUsage(provider, model, prompt, completion, None, None, "unpriced", **more)


def usd(provider, model, **more):
    cost = _prices.cost_of(usage(provider, model, **more), {}, now=NOON.timestamp())
    return None if cost is None else cost.usd


@settings(max_examples=1000)
@given(
    st.sampled_from(LISTED),
    st.integers(0, 2 * 10**6),
    st.integers(0, 10**5),
    st.tuples(*[st.integers(0, 10**4)] * 3),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 6, 1)).map(lambda when: when.replace(tzinfo=UTC)),  # noqa: DTZ001
)
def test_costs_are_those_of_genai_prices(listed, plain, rest, parts, when):
    """
    Its arithmetic takes 94 µs a call and ours one: it has to be the same for every model, tier, day and hour.
    """
    provider, model = listed
    prices = model.get_prices(when)
    cached, written, thought = parts
    tokens = (plain + cached + written, rest + thought, cached, written, thought)
    ours = book._rates(prices).cost_usd(*tokens)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
    theirs = model.calc_price(Usage(**dict(zip(names, tokens, strict=True))), provider, genai_request_timestamp=when)

    if ours is None:
        assert prices.input_mtok is None or prices.output_mtok is None
    else:
        assert float(theirs.total_price) == pytest.approx(ours, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o", 12.5),
        ("OpenAI", " GPT-4o ", 12.5),
        ("openai", "gpt-4o-2024-08-06", 12.5),
        ("openai", "gpt-4o-2024-05-13", 20.0),
        ("openai", "gpt-4o-mini-2024-07-18", 0.75),
        ("openai", "gpt-5.2-20251211", 15.75),
        ("openai", "openai/gpt-4o", 12.5),
        (None, "openai/gpt-4o", 12.5),
        (None, "gpt-4o", 12.5),
        ("openai", "anthropic/claude-3-7-sonnet-20250219", 18.0),
        ("litellm", "anthropic/claude-3-7-sonnet-20250219", 18.0),
        (None, "openrouter/openai/gpt-4o", 12.5),
        ("gcp.gemini", "models/gemini-2.5-pro", 17.5),
        (None, "gemini/gemini-2.5-pro", 17.5),
        ("google_genai", "gemini-2.5-pro-preview-06-05", 17.5),
        ("anthropic", "claude-sonnet-4-20250514", 18.0),
        ("anthropic", "claude-3-5-haiku-latest", 4.8),
        ("azure.ai.openai", "gpt-4o-2024-08-06", 12.5),
        ("azure", "gpt-35-turbo", 2.0),
        (None, "azure/gpt-4o", 12.5),
        ("azure", "o4-mini-deep-research", 10.0),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", 18.0),
        ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", 18.0),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0", 18.0),
        (None, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", 4.0),
        (None, "bedrock/us-east-1/anthropic.claude-3-haiku-20240307-v1:0", 1.5),
        (None, "bedrock/converse/us.amazon.nova-pro-v1:0", 4.0),
        (None, "amazon.nova-pro-v1:0", 4.0),
        ("gcp.vertex_ai", "claude-sonnet-4@20250514", 18.0),
        (None, "vertex_ai/claude-sonnet-4@20250514", 18.0),
        ("google", "publishers/google/models/gemini-2.5-pro", 17.5),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::id", 1.5),
        ("groq", "openai/gpt-oss-120b", 0.75),
        ("groq", "llama-3.3-70b-versatile", 1.38),
        ("x_ai", "grok-4", 18.0),
        ("cohere", "command-r-plus-08-2024", 12.5),
        ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 1.76),
        ("fireworks_ai", "accounts/fireworks/models/glm-4p7", 2.8),
        ("mistral_ai", "ministral-8b-2512", 0.3),
        ("mistral", "mistral-small-latest", 0.75),
        ("bedrock", "eu.anthropic.claude-3-5-sonnet-20240620-v1:0", 18.0),
        ("mistral", "devstral-small:free", 0.0),
    ],
)
def test_a_model_is_known_by_its_many_names(provider, model, expected):
    """
    The same call is named by its client, its gateway and its cloud in words of their own.
    """
    assert expected == pytest.approx(usd(provider, model))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-ultra"),
        ("openai", "gpt-4o-2099-01-01"),
        ("anthropic", "claude-3-5-haiku-fast"),
        ("google", "gemini-1.5-flash-8b"),
        ("google", "gemini-2.5-pro-computer-use"),
        ("openai", "ft:gpt-4-0613:org::id"),
        ("openai", "ft:gpt-4.1-2025-04-14:org::id"),
        ("aws", "amazon.nova-lite-v1:0:300k"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:provisioned-model/abc"),
        ("azure", "eu/gpt-4o"),
        ("azure", "eu/o4-mini"),
        ("bedrock", "eu.amazon.nova-pro-v1:0"),
        ("bedrock", "us-gov.amazon.nova-pro-v1:0"),
        (None, "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0"),
        ("mistral", "mistral-large-latest"),
        ("mistral", "codestral-latest"),
        ("ollama", "llama3.2:latest"),
        ("ollama", "gpt-oss:20b"),
        ("ollama", "gpt-4o"),
        ("acme", "gpt-4o"),
        ("acme", "openai/gpt-4o"),
        ("openai", "gpt-oss-20b"),
        ("openai", "meta-llama/Llama-3.3-70B-Instruct"),
        (None, "deepseek-r1:7b"),
        (None, "mistral:latest"),
        (None, "llama3.2"),
        (None, "gpt-oss:20b"),
        (None, ""),
        (None, "x" * 10_000),
        ("openai", None),
        ("github-copilot", "gpt-4o"),
    ],
)
def test_no_price_rather_than_that_of_a_relative(provider, model):
    """
    An unknown suffix may cost ten times as much, and a local model nothing: neither is the price of what looks alike.
    """
    assert usd(provider, model) is None


def test_tokens_of_a_kind_without_a_price_make_the_call_unpriced():
    """
    Speech is billed by the hour: tokens times nothing would say that it is free.
    """
    assert usd("openai", "whisper-1", completion=0) is None
    assert usd("openai", "text-embedding-3-small", completion=0) == pytest.approx(0.02)
    assert usd("openai", "text-embedding-3-small", completion=5) is None


def test_a_tier_holds_for_the_whole_call():
    """
    Above 200,000 input tokens all of them cost more, and the output, too.
    """
    below, above = (usd("google", "gemini-2.5-pro", prompt=count, completion=1000) for count in (200_000, 200_001))

    assert 200_000 * 1.25e-6 + 0.010 == pytest.approx(below)
    assert 200_001 * 2.5e-6 + 0.015 == pytest.approx(above)


def test_a_price_holds_from_its_day_on():
    """
    A memoised result would go on charging last year's price.
    """
    call = usage("google", "gemini-3.8-flash")
    days = [datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]

    assert [4.5, 9.0] == [_prices.cost_of(call, {}, now=day.timestamp()).usd for day in days]
    assert 4.5 == _prices.cost_of(call, {}, now=days[0].timestamp()).usd, "and back: late work is priced as of then"


def test_a_price_may_depend_on_the_hour():
    """
    DeepSeek charges twice as much while China works.
    """
    call = usage("deepseek", "deepseek-flash")
    hours = [datetime(2026, 11, 18, hour, tzinfo=UTC).timestamp() for hour in (0, 2, 5, 7, 12)]

    assert [0.75, 1.5, 0.75, 1.5, 0.75] == pytest.approx([_prices.cost_of(call, {}, now=when).usd for when in hours])


def test_the_list_says_whose_and_of_when_it_is():
    """
    A cost without a date cannot be checked.
    """
    cost = _prices.cost_of(usage("openai", "gpt-4o"), {})

    assert ("genai-prices", BOOK.source, BOOK.date) == (cost.source.split()[0], cost.source, cost.date)
    assert "2025-01-01" < cost.date <= datetime.now(tz=UTC).date().isoformat()


def test_prices_that_the_application_keeps_up_to_date_are_used():
    """
    Whoever lets genai-prices fetch its list wants these numbers everywhere.
    """
    made = types.ModelInfo("gpt-4o", types.ClauseEquals("gpt-4o"), prices=types.ModelPrice())
    made.prices = types.ModelPrice(input_mtok=book.Decimal(7), output_mtok=book.Decimal(0))
    newer = DataSnapshot([types.Provider("openai", "OpenAI", "https://api", models=[made])], from_auto_update=True)
    set_custom_snapshot(newer)
    try:
        cost = _prices.cost_of(usage("openai", "gpt-4o"), {})
    finally:
        set_custom_snapshot(None)

    assert (7.0, newer.timestamp.date().isoformat()) == (cost.usd, cost.date)
    assert 12.5 == usd("openai", "gpt-4o")
