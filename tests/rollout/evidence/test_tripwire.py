"""The tripwire needs ten errors, half of the requests, and a stable colour that is much better, not by chance."""

from math import comb

import pytest

from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.tripwire import MOST_CHANCE, tripwire


def minutes(*pairs: tuple[tuple[int, int], tuple[int, int]]) -> list[Interval]:
    """Each pair: requests and errors of green, then of blue."""
    return [
        Interval(
            start=60 * at,
            seconds=60,
            counts={
                "green": Counts(requests=green[0], errors=green[1]),
                "blue": Counts(requests=blue[0], errors=blue[1]),
            },
        )
        for at, (green, blue) in enumerate(pairs)
    ]


def test_it_names_the_counts() -> None:
    assert tripwire(minutes(((10, 4), (90, 1)), ((10, 8), (90, 1))), "green", ["blue"]) == (
        "green failed 12 of 20 requests (60 %) in the last 120 s, stable 2 of 180"
    )


@pytest.mark.parametrize(
    ("green", "blue", "trips"),
    [
        ((10, 10), (90, 0), True),
        ((9, 9), (90, 0), False),
        ((20, 10), (90, 0), True),
        ((21, 10), (90, 0), False),
        ((40, 40), (400, 199), True),
        ((40, 40), (400, 200), False),
        ((19, 11), (85, 21), False),
        ((40, 24), (160, 40), True),
        ((10, 10), (8, 2), False),
        ((10, 10), (0, 0), True),
        ((0, 0), (0, 0), False),
        ((0, 0), (100, 100), False),
    ],
)
def test_its_limits(green: tuple[int, int], blue: tuple[int, int], trips: bool) -> None:
    assert (tripwire(minutes((green, blue)), "green", ["blue"]) is not None) is trips


def test_nothing_measured_is_no_reason() -> None:
    assert tripwire([], "green", ["blue"]) is None
    assert tripwire([Interval(start=0, seconds=60)], "green", ["blue"]) is None


def test_all_stable_colours_count_together() -> None:
    interval = Interval(
        start=0,
        seconds=60,
        counts={
            "green": Counts(requests=10, errors=10),
            "blue": Counts(requests=10),
            "amber": Counts(requests=10, errors=10),
        },
    )
    assert tripwire([interval], "green", ["blue"]) is not None
    assert tripwire([interval], "green", ["amber", "blue"]) is None


def test_the_chance_is_fishers() -> None:
    """Eleven of 19 against 21 of 85 has a chance of 0.6 %: with a bound of 1 %, it would trip."""
    exact = sum(comb(19, k) * comb(85, 32 - k) for k in range(11, 20)) / comb(104, 32)
    assert exact == pytest.approx(0.00645, rel=0.01)
    assert exact > MOST_CHANCE
    equal = sum(comb(40, k) * comb(160, 64 - k) for k in range(24, 41)) / comb(200, 64)
    assert equal < MOST_CHANCE
