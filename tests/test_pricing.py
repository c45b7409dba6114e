"""What tokens cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import ConfigurationError, Price
from tta_observe.pricing import find_price

COUNTS = st.integers(0, 10**9)


def test_cost_of_mixed_usage():
    """
    Cached tokens are part of the input, and cheaper: counting them twice is the field's favourite mistake.
    """
    price = Price(input=2.0, output=10.0, cached_input=0.5)

    assert (600 * 2.0 + 400 * 0.5 + 100 * 10.0) / 1e6 == pytest.approx(price.cost_usd(1000, 100, 400))


def test_cached_tokens_cost_as_input_without_a_price_of_their_own():
    """
    No price for cached input must not make it free.
    """
    assert Price(3.0, 6.0).cost_usd(1000, 0) == Price(3.0, 6.0).cost_usd(1000, 0, 1000)


@given(COUNTS, COUNTS, COUNTS)
def test_cost_is_never_negative(prompt, completion, cached):
    """
    More cached than input tokens is a provider's mistake, not a refund.
    """
    assert Price(1.0, 2.0, 0.1).cost_usd(prompt, completion, cached) >= 0


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "2", None])
def test_a_price_that_is_none_is_refused(value):
    """
    It fails where it is written, not as a cost of 0 in production.
    """
    with pytest.raises(ConfigurationError, match="Write USD per million tokens"):
        Price(value, 1.0)


def test_provider_and_model_win_over_the_model_alone():
    """
    The same model has two prices at two providers.
    """
    prices = {"m": Price(1, 1), "azure/m": Price(2, 2)}

    assert Price(2, 2) == find_price(prices, "azure", "m")
    assert Price(1, 1) == find_price(prices, "openai", "m") == find_price(prices, None, "m")
    assert find_price(prices, "azure", None) is None
    assert find_price(prices, None, "other") is None


def test_a_price_of_zero_is_a_price():
    """
    A local model is free, which is not the same as unknown.
    """
    assert Price(0, 0) == find_price({"local": Price(0, 0)}, None, "local")
