"""How far a fleet is, from the records and the stack files alone."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_config import FleetRollout
from rollout.decision.order import Outcome
from rollout.fleet.progress import FleetState, Found, Progress, progress_of, standing_of
from rollout.instances import Floor
from rollout.record.state import Back, Ended, Hold, HoldKind, Phase, RolloutState
from rollout.split import Split
from tests.rollout.fleet.members import BLUE, fleet_of, wave
from tests.rollout.states import NOON, state_of

PLACE = FleetRollout(endpoint="fraud-detection", stack="prod")
CONTENTS = {"blue": "blue-content", "green": "green-content"}
READY = Found(declared=BLUE, contents=CONTENTS)


def ended(outcome: Outcome, at: int = NOON + 900, **change: Any) -> RolloutState:
    return state_of(ended=Ended(at=at, outcome=outcome, reason="every step has passed"), phase=Phase(outcome), **change)


def done(at: int = NOON + 900) -> Found:
    declared = Split(traffic={"green": 100})
    return Found(declared=declared, contents=CONTENTS, rollouts=[ended(Outcome.DONE, at)])


@pytest.mark.parametrize(
    ("found", "progress", "why"),
    [
        (READY, Progress.WAITING, "green is ready at 0 %"),
        (Found(declared=BLUE, contents={"blue": "b"}), Progress.BLOCKED, "no colour at 0 % is new"),
        (
            Found(declared=BLUE, contents={**CONTENTS, "amber": "a"}),
            Progress.BLOCKED,
            "several colours at 0 % are new: amber, green. Choose one: `to: green`",
        ),
        (Found(declared=BLUE, contents=CONTENTS, rollouts=[state_of()]), Progress.UNDER_WAY, "20261128T120000Z-green"),
        (done(), Progress.DONE, "green is stable"),
        (
            Found(declared=BLUE, contents=CONTENTS, rollouts=[ended(Outcome.ROLLED_BACK)]),
            Progress.FAILED,
            "rolled back: every step has passed",
        ),
        (Found(problem="Pulumi.prod.yaml cannot be read"), Progress.BLOCKED, "Pulumi.prod.yaml cannot be read"),
        (Found(problem="a file is broken", rollouts=[state_of()]), Progress.UNDER_WAY, "20261128T120000Z-green"),
    ],
)
def test_the_first_rollout_of_an_endpoint(found: Found, progress: Progress, why: str) -> None:
    standing = standing_of(PLACE, found, None)
    assert standing.progress is progress
    assert standing.why.startswith(why)


def test_a_new_release_waits_though_the_last_rollout_failed() -> None:
    contents = {**CONTENTS, "green": "better"}
    found = Found(declared=BLUE, contents=contents, rollouts=[ended(Outcome.ROLLED_BACK)])
    assert standing_of(PLACE, found, None).colour == "green"


def test_a_rollback_after_the_end_is_under_way_again() -> None:
    state = ended(Outcome.DONE, back=Back(outcome=Outcome.ROLLED_BACK, why="ana"))
    assert standing_of(PLACE, Found(rollouts=[state]), None).progress is Progress.UNDER_WAY


def test_a_named_colour_is_the_one() -> None:
    named = FleetRollout(endpoint="fraud-detection", stack="prod", to="amber")
    assert "declares no colour amber; declared: blue, green" in standing_of(named, READY, None).why
    found = Found(declared=BLUE, contents={**CONTENTS, "amber": "a"})
    assert standing_of(named, found, None).colour == "amber"


def followed(found: Found, leader: Found = READY, to: str | None = None) -> tuple[Progress, str]:
    place = FleetRollout(endpoint="fraud-detection", stack="prod-neu", to=to)
    standing = standing_of(place, found, standing_of(PLACE, leader, None))
    return standing.progress, standing.why


def test_a_later_wave_rolls_out_the_release_of_the_first() -> None:
    found = Found(declared=BLUE, contents={"blue": "blue-content", "amber": "green-content"})
    assert followed(found) == (Progress.WAITING, "amber is ready at 0 %")
    assert followed(found, done()) == (Progress.WAITING, "amber is ready at 0 %")


def test_a_later_wave_waits_until_that_release_is_deployed_there() -> None:
    other = Found(declared=BLUE, contents={"blue": "blue-content", "green": "other"})
    progress, why = followed(other)
    assert progress is Progress.BLOCKED
    assert "no colour has the release green-conten of the first wave" in why
    assert "pulumi up --stack prod-neu" in why
    assert followed(READY, to="blue")[0] is Progress.BLOCKED


def test_an_earlier_release_of_a_later_wave_says_nothing() -> None:
    contents = {"blue": "better", "green": "green-content"}
    newer = Found(declared=Split(traffic={"green": 100}), contents=contents, rollouts=done().rollouts)
    assert followed(newer, newer) == (Progress.WAITING, "blue is ready at 0 %")


def test_a_rollout_of_another_release_is_in_the_way() -> None:
    running = state_of(contents={"blue": "blue-content", "green": "other"})
    progress, why = followed(Found(declared=BLUE, contents=CONTENTS, rollouts=[running]))
    assert progress is Progress.BLOCKED
    assert "is under way with another release than fraud-detection in prod has" in why


def test_an_endpoint_that_serves_the_release_needs_no_rollout() -> None:
    assert followed(Found(declared=Split(traffic={"green": 100}), contents=CONTENTS))[0] is Progress.DONE
    progress, why = followed(Found(declared=Split(traffic={"blue": 90, "green": 10}), contents=CONTENTS))
    assert (progress, why) == (Progress.BLOCKED, "green has this release and is not at 0 % (blue 90 %, green 10 %)")


WAVES = fleet_of(wave("pilot", "a", bake="10m"), wave("europe", "b", "c"), wave("world", "d"))


def state(**found: Found) -> FleetState:
    return progress_of(WAVES, {one: found.get(one.stack, READY) for one in WAVES.rollouts})


def names(standings: Any) -> list[str]:
    return [one.rollout.stack for one in standings]


def test_only_the_present_wave_starts() -> None:
    assert names(state().to_start(NOON)) == ["a"]
    running = Found(declared=BLUE, contents=CONTENTS, rollouts=[state_of()])
    assert names(state(a=running).to_start(NOON)) == []
    assert names(state(a=running).under_way) == ["a"]


def test_the_next_wave_starts_when_the_one_before_has_baked() -> None:
    baking = state(a=done(NOON))
    assert (baking.current(NOON + 599), baking.bakes_until(NOON + 599)) == (0, NOON + 600)
    assert names(baking.to_start(NOON + 599)) == []
    assert names(baking.to_start(NOON + 600)) == ["b", "c"]
    assert baking.bakes_until(NOON + 600) is None


def test_after_a_failure_nothing_starts_and_what_is_under_way_goes_on() -> None:
    back = Found(declared=BLUE, contents=CONTENTS, rollouts=[ended(Outcome.ROLLED_BACK)])
    running = Found(declared=BLUE, contents=CONTENTS, rollouts=[state_of()])
    failed = state(a=done(NOON), b=back, c=running)
    assert names(failed.to_start(NOON + 9000)) == []
    assert names(failed.failed) == ["b"]
    assert names(failed.under_way) == ["c"]
    assert names(state(a=back).to_start(NOON)) == []


def test_the_first_wave_that_goes_back_later_stops_the_fleet() -> None:
    back = Found(declared=BLUE, contents=CONTENTS, rollouts=[ended(Outcome.ROLLED_BACK)])
    assert names(state(a=back, b=done(), c=done()).to_start(NOON + 9000)) == []


def test_the_bake_of_the_last_wave_holds_nothing_up() -> None:
    over = state(a=done(NOON), b=done(NOON), c=done(NOON), d=done(NOON + 900))
    assert over.is_over(NOON + 900)
    held = state_of(held=Hold(kind=HoldKind.APPROVAL, reason="step 2", since=NOON))
    waiting = state(
        a=done(NOON), b=done(NOON), c=done(NOON), d=Found(declared=BLUE, contents=CONTENTS, rollouts=[held])
    )
    assert not waiting.is_over(NOON + 900)


def test_a_rollout_that_has_a_floor_to_give_back_is_ticked_three_times_more() -> None:
    floor = Floor(deployment="blue", minimum=3, was={"autoscale.min": 1}, now={"autoscale.min": 3})
    back = Found(declared=BLUE, contents=CONTENTS, rollouts=[ended(Outcome.ROLLED_BACK, reserved=floor)])
    assert names(state(a=back).to_tick) == ["a"]
    tried = Found(
        declared=BLUE, contents=CONTENTS, rollouts=[ended(Outcome.ROLLED_BACK, reserved=floor, reserve_failures=3)]
    )
    assert names(state(a=tried).to_tick) == []
