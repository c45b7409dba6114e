import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe.instruments import EXECUTION_DURATION
from tta_observe.local.histograms import Histogram, merged

BOUNDS = EXECUTION_DURATION.buckets
_COUNTS = st.lists(st.integers(0, 1000), min_size=14, max_size=14).map(tuple)


@pytest.mark.parametrize(
    ("expected", "q", "counts"),
    [
        (150.0, 0.5, (0, 10, 0)),
        (95.0, 0.95, (100, 0, 0)),
        (100.0, 1.0, (100, 0, 0)),
        (150.0, 0.75, (50, 50, 0)),
        (200.0, 0.99, (0, 0, 7)),
        (0.0, 0.0, (4, 0, 0)),
    ],
)
def test_quantiles_are_those_of_prometheus(expected, q, counts):
    """
    The terminal and Grafana must not disagree about the same requests.
    """
    assert expected == pytest.approx(Histogram((100.0, 200.0), counts, 0.0).quantile(q))


@given(_COUNTS.filter(any), st.floats(0, 1))
def test_quantile_lies_in_the_bucket_that_holds_its_rank(counts, q):
    """
    An estimate may be coarse, it may not be wrong.
    """
    rank, reached = q * sum(counts), 0
    bucket = next(i for i, count in enumerate(counts) if count and (reached := reached + count) >= rank)
    lower = (0, *BOUNDS)[bucket]
    upper = (*BOUNDS, BOUNDS[-1])[bucket]

    assert lower <= Histogram(BOUNDS, counts, 0.0).quantile(q) <= upper


@given(_COUNTS.filter(any), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_do_not_fall(counts, low, high):
    """
    A P95 below the median would destroy all trust in both.
    """
    low, high = sorted((low, high))
    histogram = Histogram(BOUNDS, counts, 0.0)

    assert histogram.quantile(low) <= histogram.quantile(high) + 1e-9


def test_slowest_quantile_is_the_last_bound():
    """
    10,000 is shown as "at least 10 s"; infinity could not be shown at all.
    """
    assert 10_000 == Histogram(BOUNDS, (0,) * 13 + (3,), 90_000.0).quantile(0.95)


@pytest.mark.parametrize("histogram", [Histogram(BOUNDS, (0,) * 14, 0.0), Histogram((), (0,), 0.0)])
def test_nothing_recorded_has_no_quantile_and_no_mean(histogram):
    """
    An idle workflow is not a fast one.
    """
    assert None is histogram.quantile(0.95)
    assert None is histogram.mean


def test_without_bounds_nothing_is_known_of_quantiles():
    """
    A histogram of an application may have a single bucket.
    """
    assert None is Histogram((), (3,), 9.0).quantile(0.5)
    assert 3.0 == Histogram((), (3,), 9.0).mean


@pytest.mark.parametrize("q", [-0.1, 1.1, 95])
def test_quantile_outside_of_its_range_is_refused(q):
    """
    95 instead of 0.95 would be an answer that looks like one.
    """
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        Histogram(BOUNDS, (1,) * 14, 0.0).quantile(q)


@given(st.lists(_COUNTS, min_size=1, max_size=4))
def test_merging_keeps_every_value(all_counts):
    """
    The P95 over four processes is that of all their requests.
    """
    whole = merged([Histogram(BOUNDS, counts, 2.0) for counts in all_counts])

    assert tuple(map(sum, zip(*all_counts, strict=True))) == whole.counts
    assert 2.0 * len(all_counts) == whole.total


def test_other_bounds_never_make_anything_faster():
    """
    Two versions of a program may run at once, with other buckets.
    """
    whole = merged([Histogram((10.0, 100.0), (1, 0, 0), 5.0), Histogram((50.0,), (2, 3), 500.0)])

    assert (1, 2, 3) == whole.counts
    assert (10.0, 100.0) == whole.bounds
