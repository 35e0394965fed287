"""How a fleet looks: its waves, what holds a rollout, and what to type."""

from __future__ import annotations

from exit_codes import ExitCode
from rollout.decision.order import Outcome
from rollout.fleet.progress import Found, progress_of
from rollout.fleet.runner import FleetView, Trouble
from rollout.record.state import Ended, Hold, HoldKind, Phase, RolloutState
from rollout.split import Split
from rollout.views.fleet_view import fleet_picture, fleet_values
from rollout.views.view import plain
from tests.rollout.fleet.members import BLUE, fleet_of, wave
from tests.rollout.states import NOON, state_of

WAVES = fleet_of(wave("pilot", "prod-weu", bake="10m"), wave("europe", "prod-neu", "prod-swc"))
CONTENTS = {"blue": "blue-content", "green": "green-content"}
READY = Found(declared=BLUE, contents=CONTENTS)


def found(state: RolloutState) -> Found:
    return Found(declared=BLUE, contents=CONTENTS, rollouts=[state])


def ended(outcome: Outcome, stack: str) -> Found:
    how = Ended(at=NOON + 900, outcome=outcome, reason="error_rate: 9 of 31 requests failed")
    return found(state_of(stack=stack, ended=how, phase=Phase(outcome)))


def view(*each: Found, now: int = NOON + 960, troubles: dict[str, Trouble] | None = None) -> FleetView:
    state = progress_of(WAVES, dict(zip(WAVES.rollouts, each, strict=True)))
    by_stack = {one.stack: one for one in WAVES.rollouts}
    return FleetView(state=state, now=now, troubles={by_stack[name]: one for name, one in (troubles or {}).items()})


def shown(seen: FleetView) -> list[str]:
    return plain(fleet_picture(seen, "release.yaml")).splitlines()


def test_a_pilot_that_bakes() -> None:
    assert shown(view(ended(Outcome.DONE, "prod-weu"), READY, READY)) == [
        "fleet release.yaml   wave 1 of 2 · 12:16:00 UTC",
        " 1 pilot   done; bakes for another 9m of 10m",
        "   fraud-detection in prod-weu  done: green is stable",
        " 2 europe   waits for pilot",
        "   fraud-detection in prod-neu  waiting: green is ready at 0 %",
        "   fraud-detection in prod-swc  waiting: green is ready at 0 %",
    ]


def test_a_rollout_that_waits_for_a_person_says_which_command() -> None:
    at_10 = Split(traffic={"blue": 90, "green": 10})
    held = state_of(
        stack="prod-neu",
        phase=Phase.LIVE,
        step=0,
        weights=at_10,
        held=Hold(kind=HoldKind.APPROVAL, reason="step 2 needs approval", since=NOON),
    )
    seen = view(ended(Outcome.DONE, "prod-weu"), found(held), READY, now=NOON + 1600)
    assert seen.exit_code is ExitCode.WAITING
    assert shown(seen)[4:] == [
        "   fraud-detection in prod-neu  live step 1 of 3 · blue 90 %, green 10 % · held (approval): step 2 needs "
        "approval",
        "   fraud-detection in prod-swc  waiting: green is ready at 0 %",
        " next for fraud-detection in prod-neu: sluice rollout approve fraud-detection --stack prod-neu (or reject)",
    ]


def test_a_failure_says_what_the_waves_before_keep() -> None:
    seen = view(ended(Outcome.DONE, "prod-weu"), ended(Outcome.ROLLED_BACK, "prod-neu"), READY, now=NOON + 1600)
    assert seen.exit_code is ExitCode.FAILED
    assert shown(seen)[3:] == [
        " 2 europe   failed",
        "   fraud-detection in prod-neu  failed: rolled back: error_rate: 9 of 31 requests failed",
        "   fraud-detection in prod-swc  waiting: green is ready at 0 %",
        " fraud-detection in prod-neu failed, so no rollout starts any more. Roll out a better release, or try this "
        "one again: sluice rollout start fraud-detection --stack prod-neu --to green",
        " fraud-detection in prod-weu keeps the new release. To take it back: sluice rollout rollback fraud-detection "
        "--stack prod-weu",
    ]


def test_an_error_of_this_run_stands_in_place_of_the_progress() -> None:
    trouble = Trouble(exit_code=ExitCode.UNAVAILABLE, text="Azure did not answer")
    seen = view(READY, READY, READY, troubles={"prod-weu": trouble})
    assert shown(seen)[2] == "   fraud-detection in prod-weu  Azure did not answer"
    assert seen.exit_code is ExitCode.UNAVAILABLE


def test_the_values_for_scripts() -> None:
    seen = view(ended(Outcome.DONE, "prod-weu"), READY, Found(problem="no such file"))
    values = fleet_values(seen, "release.yaml")
    assert (values["wave"], values["done"], values["bakes_until"], values["exit_code"]) == (1, False, NOON + 1500, 0)
    pilot, (ready, blocked) = values["waves"][0]["rollouts"][0], values["waves"][1]["rollouts"]
    assert pilot["rollout"]["outcome"] == "done"
    assert pilot["rollback"] == "sluice rollout rollback fraud-detection --stack prod-weu"
    assert (ready["progress"], ready["colour"], ready["next"]) == ("waiting", "green", None)
    assert (blocked["progress"], blocked["why"]) == ("blocked", "no such file")
