"""The split of an endpoint's requests, and the one that a step of a plan means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.split import Split, split_at
from rollout_config import StepSettings

COLOURS = ("blue", "grey", "teal")


def test_zeros_and_order_do_not_count() -> None:
    assert Split(traffic={"green": 0, "blue": 100}) == Split(traffic={"blue": 100}, mirror={"green": 0})
    assert hash(Split(traffic={"a": 60, "b": 40})) == hash(Split(traffic={"b": 40, "a": 60}))


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (Split(traffic={"green": 10, "blue": 90}), "blue 90 %, green 10 %"),
        (Split(traffic={"blue": 100}, mirror={"green": 20}), "blue 100 %, mirrored to green 20 %"),
        (Split(), "no live weights"),
    ],
)
def test_a_split_is_described_for_people(split: Split, text: str) -> None:
    assert split.describe() == text


def test_a_mirror_step_leaves_the_live_weights() -> None:
    step = StepSettings(mirror=20, bake="10m")
    assert split_at(Split(traffic={"blue": 100}), "green", step) == Split(traffic={"blue": 100}, mirror={"green": 20})


def test_the_first_live_weight_switches_the_mirror_off() -> None:
    baseline = Split(traffic={"blue": 100})
    mirrored = split_at(baseline, "green", StepSettings(mirror=20, bake="10m"))
    live = split_at(mirrored, "green", StepSettings(weight=10, bake="10m"))
    assert live == Split(traffic={"blue": 90, "green": 10})


def test_the_other_colours_share_the_rest_as_before() -> None:
    baseline = Split(traffic={"blue": 67, "grey": 33})
    live = split_at(baseline, "green", StepSettings(weight=10, bake="10m"))
    assert live.traffic == {"blue": 60, "green": 10, "grey": 30}


def test_nothing_can_be_shared_where_no_other_colour_had_weight() -> None:
    with pytest.raises(ValueError, match="no other colour"):
        split_at(Split(), "green", StepSettings(weight=10, bake="10m"))


@given(
    weights=st.lists(st.integers(1, 98), min_size=1, max_size=2, unique=True).filter(lambda some: sum(some) < 100),
    percent=st.integers(1, 100),
)
def test_every_step_sums_to_100_and_moves_no_colour_by_more_than_rounding(weights: list[int], percent: int) -> None:
    baseline = Split(traffic=dict(zip(COLOURS, [*weights, 100 - sum(weights)], strict=False)))
    live = split_at(baseline, "green", StepSettings(weight=percent, bake="5m"))
    assert sum(live.traffic.values()) == 100
    assert live.percent_of("green") == percent
    for name, before in baseline.traffic.items():
        assert abs(live.percent_of(name) - before * (100 - percent) / 100) < 1
    assert Split.from_values(live.as_values()) == live
