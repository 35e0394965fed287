"""What a rollout changes about instance counts: a floor under every profile, given back, and a colour scaled down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.instances import Floor, NumbersEdit, floor_of, scaled_down

PLAIN = {"instances": 3, "autoscale.min": 3, "autoscale.max": 10, "autoscale.default": 3}
NIGHT = {
    "autoscale.schedules.night.min": 1,
    "autoscale.schedules.night.max": 4,
    "autoscale.schedules.night.default": 2,
}


def floor(declared: dict[str, int], count: int) -> Floor:
    found = floor_of("blue", declared, count)
    assert found is not None
    return found


def test_the_floor_of_every_profile_is_the_present_count_and_never_above_its_maximum() -> None:
    raised = floor({**PLAIN, **NIGHT}, 8)
    assert raised.now == {
        "autoscale.min": 8,
        "autoscale.default": 8,
        "autoscale.schedules.night.min": 4,
        "autoscale.schedules.night.default": 4,
        "instances": 8,
    }
    assert raised.was["autoscale.schedules.night.min"] == 1
    assert Floor.from_values(raised.as_values()) == raised


def test_a_default_and_a_first_count_that_are_high_enough_stay() -> None:
    declared = {**PLAIN, "instances": 9, "autoscale.default": 9}
    assert floor(declared, 8).now == {"autoscale.min": 8}


@pytest.mark.parametrize(
    ("declared", "count"), [(PLAIN, 3), (PLAIN, 2), ({"instances": 3}, 8), ({}, 8), ({**PLAIN, "autoscale.max": 3}, 8)]
)
def test_what_autoscale_cannot_shrink_needs_no_floor(declared: dict[str, int], count: int) -> None:
    assert floor_of("blue", declared, count) is None


def test_a_schedule_alone_may_need_a_floor() -> None:
    assert floor({**PLAIN, **NIGHT}, 3).now == {
        "autoscale.schedules.night.min": 3,
        "autoscale.schedules.night.default": 3,
    }


def test_what_somebody_else_has_edited_is_not_given_back_with_all_of_its_profile() -> None:
    raised = floor({**PLAIN, **NIGHT}, 8)
    declared = {**PLAIN, **NIGHT, **raised.now}
    assert raised.kept(declared) == raised
    edited = {**declared, "autoscale.default": 9}
    kept = raised.kept(edited)
    assert kept is not None
    assert kept.giving_back == NumbersEdit(
        deployment="blue",
        start={"autoscale.schedules.night.min": 4, "autoscale.schedules.night.default": 4},
        to={"autoscale.schedules.night.min": 1, "autoscale.schedules.night.default": 2},
    )
    assert list(raised.differences(edited)) == ["autoscale.default is 9 and not 8 (before the rollout: 3)"]
    assert raised.kept(None) is None


def test_a_colour_without_requests_keeps_one_instance() -> None:
    down = scaled_down("blue", {**PLAIN, **NIGHT})
    assert down is not None
    assert down.to == {
        "autoscale.min": 1,
        "autoscale.default": 1,
        "autoscale.schedules.night.default": 1,
    }
    assert scaled_down("blue", {"instances": 3}) == NumbersEdit(
        deployment="blue", start={"instances": 3}, to={"instances": 1}
    )
    assert scaled_down("blue", {}) == NumbersEdit(deployment="blue", start={"instances": None}, to={"instances": 1})
    assert scaled_down("blue", {"instances": 1}) is None


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10), st.integers(0, 10)), max_size=3))
def test_a_raised_floor_is_valid_and_given_back_exactly(count: int, profiles: list[tuple[int, int, int]]) -> None:
    names = ["autoscale", "autoscale.schedules.a", "autoscale.schedules.b"]
    declared: dict[str, int] = {}
    for name, (least, more, some) in zip(names, profiles, strict=False):
        declared |= {f"{name}.min": least, f"{name}.max": least + more, f"{name}.default": least + min(more, some)}
    raised = floor_of("blue", declared, count)
    now = {**declared, **(raised.now if raised else {})}
    for name in names[: len(profiles)]:
        assert now[f"{name}.min"] <= now[f"{name}.default"] <= now[f"{name}.max"] == declared[f"{name}.max"]
        assert now[f"{name}.min"] >= min(count, now[f"{name}.max"])
    if raised is not None:
        assert raised.kept(now) == raised
        assert {**now, **raised.giving_back.to} == declared
