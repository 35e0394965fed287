"""What a published percentile says about requests, by any of the usual definitions."""

from itertools import combinations
from math import ceil, comb, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.evidence.intervals import Quantiles
from rollout.evidence.latency import PERCENTS, fewest_slow, most_slow
from rollout.evidence.order_statistics import chance_above, highest_rank, lowest_rank

SAMPLES = st.lists(st.integers(min_value=0, max_value=1000), min_size=1, max_size=130)


def quantile(values: list[float], q: float, definition: int) -> float:
    """Definitions 1 to 4 and 7 of Hyndman and Fan (1996), as R numbers them; `values` are sorted."""
    n = len(values)

    def at(rank: int) -> float:
        return values[min(max(rank, 1), n) - 1]

    product = round(n * q, 9)
    if definition == 1:
        return at(ceil(product))
    if definition == 2:
        return (at(ceil(product)) + at(floor(product) + 1)) / 2
    if definition == 3:
        return at(round(product))
    place = round(product if definition == 4 else product + 1 - q, 9)
    low = floor(place)
    return at(low) + (place - low) * (at(low + 1) - at(low))


@given(SAMPLES, st.sampled_from(PERCENTS), st.sampled_from([1, 2, 3, 4, 7]))
def test_a_percentile_of_each_of_these_definitions_lies_between_the_two_ranks(
    sample: list[float], percent: int, definition: int
) -> None:
    values = sorted(sample)
    value = quantile(values, percent / 100, definition)
    assert values[lowest_rank(len(values), percent) - 1] <= value + 1e-6
    assert value <= values[highest_rank(len(values), percent) - 1] + 1e-6


@given(SAMPLES, st.integers(min_value=0, max_value=1000), st.sampled_from([1, 2, 3, 4, 7]), st.data())
def test_the_number_of_slow_requests_is_bounded_whatever_is_published(
    sample: list[float], limit: int, definition: int, data: st.DataObject
) -> None:
    values = sorted(sample)
    published = {
        f"p{percent}": round(quantile(values, percent / 100, definition), 6)
        for percent in PERCENTS
        if data.draw(st.booleans())
    }
    slow = sum(value > limit for value in values)
    latencies = Quantiles(**published)
    assert fewest_slow(len(values), latencies, limit) <= slow <= most_slow(len(values), latencies, limit)


def test_the_bounds_of_a_known_minute() -> None:
    latencies = Quantiles(p50=100.0, p90=200.0, p95=400.0, p99=800.0)
    assert [fewest_slow(100, latencies, limit) for limit in (50, 150, 300, 500, 900)] == [50, 10, 5, 1, 0]
    assert [most_slow(100, latencies, limit) for limit in (50, 150, 300, 500, 900)] == [100, 50, 10, 5, 1]
    assert (fewest_slow(0, latencies, 50), most_slow(0, latencies, 50)) == (0, 0)
    assert (fewest_slow(7, Quantiles(), 50), most_slow(7, Quantiles(), 50)) == (0, 7)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (3, 4), (5, 2), (6, 6)])
@pytest.mark.parametrize(("percent", "other"), [(50, 50), (90, 90), (95, 95), (50, 95), (90, 99)])
def test_the_chance_is_the_share_of_all_orders(n: int, m: int, percent: int, other: int) -> None:
    """Alike and continuous: every choice of places for the X among all values is as likely as every other."""
    k, j = highest_rank(n, percent), lowest_rank(m, other)
    above = 0
    for places in combinations(range(n + m), n):
        others = sorted(set(range(n + m)) - set(places))
        above += places[k - 1] > others[j - 1]
    assert chance_above(n, percent, m, other) == pytest.approx(above / comb(n + m, n))


@given(
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=1, max_value=400),
    st.sampled_from(PERCENTS),
    st.sampled_from(PERCENTS),
)
def test_the_chance_is_exact_at_any_size(n: int, m: int, percent: int, other: int) -> None:
    k, j = highest_rank(n, percent), lowest_rank(m, other)
    exact = sum(comb(k - 1 + b, b) * comb(n - k + m - b, m - b) for b in range(j, m + 1)) / comb(n + m, m)
    assert chance_above(n, percent, m, other) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("percent", PERCENTS)
def test_the_ranks_stay_inside_the_sample(percent: int) -> None:
    for requests in range(1, 300):
        assert 1 <= lowest_rank(requests, percent) <= highest_rank(requests, percent) <= requests
