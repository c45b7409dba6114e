"""What a call costs: the user says, else genai-prices says, else nobody knows."""

import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import Price, _prices
from tta_observe.testing import captured_telemetry
from tta_observe.usage import LLMUsage


def usage(provider="openai", model="gpt-4o", prompt=1_000_000, completion=0, **more):
    return LLMUsage(provider, model, prompt, completion, None, None, "unpriced", **more)


def test_the_user_comes_first_and_is_named():
    """
    Whoever has negotiated a price knows better than any list.
    """
    cost = _prices.cost_of(usage(), {"gpt-4o": Price(1.0, 2.0)})

    assert (1.0, "user", None) == cost


@pytest.mark.parametrize(
    ("key", "provider", "model"),
    [
        ("gpt-4o", "openai", "gpt-4o-2024-08-06"),
        ("gpt-4o", None, "openai/gpt-4o"),
        ("gpt-4o", "azure", "gpt-4o-2024-11-20"),
        ("openai/gpt-4o", "openai", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o", None, "openai/gpt-4o"),
        ("azure/gpt-4o", "azure.ai.openai", "gpt-4o"),
        ("bedrock/amazon.nova-pro-v1:0", "aws.bedrock", "amazon.nova-pro-v1:0"),
        ("amazon.nova-pro", "aws.bedrock", "us.amazon.nova-pro-v1:0"),
        ("claude-sonnet-4", "aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("claude-sonnet-4", "google", "claude-sonnet-4@20250514"),
        ("gemini-2.5-pro", "google", "models/gemini-2.5-pro"),
        ("llama3.2", "ollama", "llama3.2:latest"),
        ("ollama/llama3.2:3b", "ollama", "llama3.2:3b"),
        ("My-Deployment", "azure", "My-Deployment"),
    ],
)
def test_a_price_of_the_user_holds_for_all_names_of_its_model(key, provider, model):
    """
    Responses name dated versions, which nobody writes into a configuration.
    """
    assert 7.0 == _prices.cost_of(usage(provider, model), {key: Price(7.0, 0.0)}).usd


@pytest.mark.parametrize(
    ("key", "provider", "model"),
    [
        ("gpt-4", "openai", "gpt-4-turbo"),
        ("gpt-4o", "acme", "gpt-4o-mini"),
        ("gpt-4o", "openai", "ft:gpt-4o:org::id"),
        ("azure/gpt-4o", "acme", "gpt-4o"),
        ("llama3.2", "ollama", "llama3.2:3b"),
    ],
)
def test_a_price_of_the_user_holds_for_no_relative(key, provider, model):
    """
    A larger sister at the price of the smaller one is a wrong bill.
    """
    found = _prices.cost_of(usage(provider, model), {key: Price(7.0, 0.0)})

    assert found is None or "user" != found.source


def test_the_most_precise_key_wins():
    """
    One version at one provider may have a price of its own.
    """
    prices = {"m": Price(1, 0), "acme/m": Price(2, 0), "m-20250101": Price(3, 0), "acme/m-20250101": Price(4, 0)}
    wanted = {("acme", "m-20250101"): 4, (None, "m-20250101"): 3, ("acme", "m-20260101"): 2, ("b", "m-20260101"): 1}

    assert wanted == {name: _prices.cost_of(usage(*name), prices).usd for name in wanted}


def test_what_the_user_calls_free_is_priced_at_nothing():
    """
    A local model costs 0, which is known; that is not the same as unknown.
    """
    assert 0.0 == _prices.cost_of(usage("ollama", "llama3.2"), {"llama3.2": Price(0, 0)}).usd
    assert _prices.cost_of(usage("ollama", "llama3.2"), {}) is None


def test_cached_and_written_tokens_are_part_of_the_input():
    """
    Billing them twice is the field's favourite mistake.
    """
    call = LLMUsage("anthropic", "claude-sonnet-4-5", 100_000, 10_000, 60_000, None, "unpriced", 30_000)
    expected = (10_000 * 3 + 60_000 * 0.3 + 30_000 * 3.75 + 10_000 * 15) / 1e6

    assert expected == pytest.approx(_prices.cost_of(call, {}).usd, rel=1e-12)


def test_a_million_calls_add_up_to_the_cent():
    """
    The sum on the dashboard is compared with the bill.
    """
    prices = {"m": Price(0.15, 0.6, 0.075)}
    calls = [LLMUsage(None, "m", i % 997, i % 89, i % 61, None, "unpriced") for i in range(1000)]
    exact = sum(Fraction((i % 997 - min(i % 61, i % 997)) * 2 + min(i % 61, i % 997) + i % 89 * 8) for i in range(1000))
    total = 0.0
    for _ in range(1000):
        for call in calls:
            total += _prices.cost_of(call, prices).usd

    assert abs(total - exact * 1000 * 75_000 / 10**12) < 0.005


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_cost_is_rounded_once(prompt, completion, cached, written):
    """
    However large the numbers are.
    """
    call = LLMUsage(None, "m", prompt, completion, cached, None, "unpriced", written)
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    rest = prompt - cached - written
    exact = Fraction(rest * 15 + completion * 60 + cached * 3 + written * 20, 10**8)

    assert float(exact) == _prices.cost_of(call, {"m": Price(0.15, 0.6, 0.03, cache_write=0.2)}).usd


def test_hostile_names_leave_nothing_behind():
    """
    The name of a model may come from a request: memory is bounded, and what is known stays quick.
    """
    for i in range(3000):
        _prices.cost_of(usage("acme", f"model-{i}"), {})

    assert len(_prices._State.memo.found) <= 1000
    assert 2.5 == _prices.cost_of(usage(), {}).usd


@pytest.mark.skipif(sys.gettrace() is not None, reason="needs a run without a tracer")
def test_a_known_model_costs_a_microsecond_or_two():
    """
    It is looked up once, and not for every call: by rule that would be 200 µs, by genai-prices' arithmetic 94.
    """
    call, prices = usage(), {}
    _prices.cost_of(call, prices)
    rounds = []
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(500):
            _prices.cost_of(call, prices)
        rounds.append((time.perf_counter() - started) / 500)

    assert min(rounds) < 10e-6


def test_the_span_says_whose_price_it_is_and_of_when():
    """
    An estimate that cannot be checked is a rumour.
    """
    from tta_observe import primitive, record_llm_usage

    with captured_telemetry(prices={"mine": Price(1, 1)}) as telemetry:
        for name in ("mine", "gpt-4o", "unheard-of"):
            with primitive(name, type="llm"):
                record_llm_usage(provider="openai", model=name, prompt_tokens=10, completion_tokens=1)
        shown = [telemetry.span(name).attributes for name in ("mine", "gpt-4o", "unheard-of")]

    assert ["user", None] == [shown[0].get("llm.price_source"), shown[0].get("llm.price_date")]
    assert shown[1]["llm.price_source"].startswith("genai-prices ")
    assert "2025-01-01" < shown[1]["llm.price_date"]
    assert {"llm.price_source", "llm.cost_usd"}.isdisjoint(shown[2])
