"""What application caches save."""

import pytest

from tta_observe import ConfigurationError, primitive, record_cache_operation, workflow
from tta_observe.instruments import CACHE_HITS, CACHE_LOOKUPS, CACHE_SAVINGS


def test_hits_and_lookups_are_counted_for_the_current_primitive(telemetry):
    """
    The hit rate is one by the other.
    """
    with primitive("embeddings", type="cache"):
        record_cache_operation(hit=True)
        record_cache_operation(hit=False, cache_type="redis")

    assert {"embeddings": 2} == telemetry.counts(CACHE_LOOKUPS, by="primitive.name")
    assert {"memory": 1, "redis": 1} == telemetry.counts(CACHE_LOOKUPS, by="cache.type")
    assert {"memory": 1} == telemetry.counts(CACHE_HITS, by="cache.type")


def test_the_name_can_be_given_and_may_be_missing(telemetry):
    """
    A lookup belongs to whoever says so; outside any primitive the label is left out.
    """
    record_cache_operation(hit=True, name="sessions")
    record_cache_operation(hit=True)

    assert {"sessions": 1, None: 1} == telemetry.counts(CACHE_LOOKUPS, by="primitive.name")


def test_a_miss_saves_nothing(telemetry):
    """
    Whatever the caller says.
    """
    with workflow("w"):
        record_cache_operation(hit=True, saved_usd=0.5)
        record_cache_operation(hit=False, saved_usd=0.5)

    assert 0.5 == telemetry.total(CACHE_SAVINGS)


@pytest.mark.parametrize("saved", ["x", -1, float("nan"), object(), True])
def test_a_saving_that_is_no_number_is_left_out(telemetry, saved):
    """
    The hit counts, and the metrics live on.
    """
    record_cache_operation(hit=True, saved_usd=saved)

    assert (1, 0) == (telemetry.total(CACHE_HITS), telemetry.total(CACHE_SAVINGS))


def test_the_key_never_leaves(telemetry):
    """
    Keys hold prompts and names.
    """
    with primitive("p", type="cache"):
        record_cache_operation(hit=True, key="secret prompt")

    assert "secret" not in telemetry.span("p").span.to_json()
    assert 16 == len(telemetry.span("p").attributes["cache.key"])


@pytest.mark.swallowed
def test_a_hit_whose_truth_raises_stays_ours(telemetry):
    """
    Arrays and ORM objects have opinions about ``bool``.
    """

    class Moody:
        def __bool__(self):
            raise ValueError("ambiguous")

    record_cache_operation(hit=Moody())

    assert [] == telemetry.points(CACHE_LOOKUPS)


def test_unknown_option_is_refused():
    """
    ``ttl=60`` would be lost.
    """
    with pytest.raises(ConfigurationError, match="has no option 'ttl'"):
        record_cache_operation(hit=True, ttl=60)
