"""What tokens cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import ConfigurationError, Price
from tta_observe.pricing import Rates, rate

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


def test_tokens_written_to_the_cache_cost_as_input_without_a_price_of_their_own():
    """
    Anthropic bills them dearer than other input, others do not bill them apart.
    """
    assert Price(3.0, 6.0).cost_usd(1000, 0) == Price(3.0, 6.0).cost_usd(1000, 0, 0, 1000)
    assert (400 * 3.0 + 600 * 3.75) / 1e6 == Price(3.0, 6.0, cache_write=3.75).cost_usd(1000, 0, 0, 600)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_no_token_is_billed_twice(prompt, completion, cached, written):
    """
    Whatever a provider reports: parts never are more than the whole.
    """
    same = Price(2.0, 3.0, 2.0, cache_write=2.0)

    assert same.cost_usd(prompt, completion) == same.cost_usd(prompt, completion, cached, written)


def test_a_price_means_the_number_that_was_written():
    """
    0.1 is a tenth, not the nearest binary fraction: three times a tenth is three tenths.
    """
    assert 0.3 == Price(0.1, 0).cost_usd(3_000_000, 0)


@given(st.integers(0, 10**7))
def test_a_tier_holds_for_all_tokens_of_the_call(prompt):
    """
    The providers' rule: past the limit the whole call is billed at the higher rate.
    """
    rates = Rates(rate(1), rate(1), limit=200_000, beyond=Rates(rate(2), rate(4)))
    expected = (prompt * 2 + 40) if prompt > 200_000 else prompt + 10

    assert expected / 1e6 == rates.cost_usd(prompt, 10)


def test_a_request_may_cost_something_itself():
    """
    Search models bill each question.
    """
    assert 0.005 == Rates(0, 0, request=5 * rate(1000)).cost_usd(0, 0)


def test_tokens_that_nobody_has_a_rate_for_have_no_cost():
    """
    None, not 0: an embedding model has no price for output.
    """
    assert Rates(rate(1), None).cost_usd(10, 1) is None
    assert Rates(None, rate(1)).cost_usd(1, 10) is None
    assert 1e-5 == Rates(rate(1), None).cost_usd(10, 0)
