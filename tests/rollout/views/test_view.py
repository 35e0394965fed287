"""How a rollout looks to people, drawn from fixed states."""

from dataclasses import replace
from typing import Any

import pytest

from exit_codes import ExitCode
from rollout.decision.order import Direction, Intent, Order, Outcome
from rollout.evidence.intervals import Counts, GateResult, Interval, Quantiles, Verdict
from rollout.instances import Floor
from rollout.record.state import Back, Ended, Hold, HoldKind, Phase, Span
from rollout.split import Split
from rollout.tick.controller import exit_code_of
from rollout.views.next_command import next_command
from rollout.views.status_values import status_values
from rollout.views.view import Seen, duration, picture, plain
from tests.rollout.states import NOON, state_of

AT_25 = Split(traffic={"blue": 75, "green": 25})
INTERVALS = tuple(
    Interval(
        start=NOON + 60 * minute,
        seconds=60,
        counts={"blue": Counts(requests=225, errors=1), "green": Counts(requests=74, errors=int(minute % 3 == 0))},
        quantiles={"blue": Quantiles(p50=90.0, p95=212.0), "green": Quantiles(p50=91.0, p95=200.0 + 10 * minute)},
    )
    for minute in range(5)
)
RESULTS = (
    GateResult(gate="error_rate", verdict=Verdict.PASS, reason="412 requests", ceiling=0.23, guard=0.5, versus=0.12),
    GateResult(
        gate="latency_p95", verdict=Verdict.INCONCLUSIVE, reason="too few", ceiling=0.6, versus=2.1, dry_run=True
    ),
)
LIVE = state_of(
    phase=Phase.LIVE,
    step=0,
    weights=AT_25,
    weights_since=NOON,
    spans=(Span(since=NOON, split=AT_25, step=0),),
    intervals=INTERVALS,
    last_at=NOON + 305,
)
SEEN = Seen(state=LIVE, now=NOON + 425, results=RESULTS, declared=AT_25, live=AT_25, next_tick=NOON + 430)


def shown(**change: Any) -> list[str]:
    state = {name: change.pop(name) for name in list(change) if name in vars(LIVE)}
    return plain(picture(replace(SEEN, state=replace(LIVE, **state), **change))).splitlines()


def test_an_open_change_is_shown_with_its_failed_attempts() -> None:
    order = Order(start=AT_25, to=Split(traffic={"blue": 50, "green": 50}), direction=Direction.FORWARD, step=1, why="")
    intent = Intent(seq=9, at=NOON + 305, order=order, attempts=2)
    assert " open change for 2m: blue 50 %, green 50 %, 2 attempts failed" in shown(open_intent=intent)
    values = status_values(replace(SEEN, state=replace(LIVE, open_intent=intent)))["open_change"]
    assert (values["direction"], values["since"], values["failed_attempts"]) == ("forward", NOON + 305, 2)


def test_a_step_that_bakes() -> None:
    assert shown() == [
        "fraud-detection · prod · 20261128T120000Z-green   live step 1 of 3 · 12:07:05 UTC · next tick 12:07:10",
        " blue   75 % ███████████████                                            225 rpm  0.44 %  p95 212 ms",
        " green  25 % █████                declared = live = observed 24.7 %      74 rpm     0 %  p95 240 ms",
        " error_rate   ceiling 0.2:1   versus 0.1:1 of 50:1   pass: 412 requests   █▁▁█▁",
        " latency_p95  ceiling 0.6:1   versus 2.1:1 of 50:1   inconclusive (dry run): too few   ▆▇▇▇█",
        " bake 5m of 5m · then 50 % (needs approval) · metrics 2m05s behind · "
        "rollback: sluice rollout rollback fraud-detection --stack prod",
    ]
    assert shown(next_tick=None)[-1] == " next: sluice rollout run fraud-detection --stack prod"


def test_a_rollout_before_its_first_step_has_no_metrics() -> None:
    baseline = Split(traffic={"blue": 100})
    state = {"phase": Phase.PREPARE, "step": -1, "weights": baseline, "intervals": ()}
    assert shown(results=(), declared=baseline, live=None, next_tick=None, **state) == [
        "fraud-detection · prod · 20261128T120000Z-green   prepare · 12:07:05 UTC",
        " blue  100 % ████████████████████           no settled metrics yet",
        " green   0 %                      declared  no settled metrics yet",
        " then 10 % · no settled metrics yet · rollback: sluice rollout rollback fraud-detection --stack prod",
        " next: sluice rollout run fraud-detection --stack prod",
    ]


def test_sides_that_differ_are_all_shown() -> None:
    lines = shown(live=Split(traffic={"blue": 100}))
    assert " record blue 75 %, green 25 % · declared blue 75 %, green 25 % · live blue 100 %" in lines
    assert "declared = observed 24.7 %" in lines[2]


def test_mirrored_weights_are_named_so() -> None:
    mirrored = Split(traffic={"blue": 100}, mirror={"green": 20})
    assert " green  20 % mirrored ████" in shown(weights=mirrored, declared=mirrored, live=mirrored)[2]


def test_a_hold_says_for_how_long_why_and_what_to_type() -> None:
    lines = shown(held=Hold(kind=HoldKind.APPROVAL, reason="50 % needs a yes", since=NOON + 300))
    assert lines[-3] == " on hold for 2m05s (approval): 50 % needs a yes"
    assert lines[-1] == " next: sluice rollout approve fraud-detection --stack prod (or reject)"


def test_the_way_back_says_where_to_and_why() -> None:
    lines = shown(back=Back(outcome=Outcome.ROLLED_BACK, why="error_rate 64:1"))
    assert "going back" in lines[0]
    assert lines[-1].startswith(" goes back to blue 100 %: error_rate 64:1")


def test_an_end_has_its_reason_and_the_time_in_which_it_can_be_rolled_back() -> None:
    done = Ended(at=NOON + 400, outcome=Outcome.DONE, reason="all steps passed")
    assert shown(phase=Phase.DONE, ended=done)[-2:] == [
        " done: all steps passed",
        " can be rolled back for 23h59m: sluice rollout rollback fraud-detection --stack prod",
    ]
    back = Ended(at=NOON + 400, outcome=Outcome.ROLLED_BACK, reason="error_rate 64:1")
    assert shown(phase=Phase.ROLLED_BACK, ended=back)[-1] == " rolled back: error_rate 64:1"


def test_synthetic_traffic_is_named_so() -> None:
    assert "synthetic traffic" in shown(synthetic=True)[0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.6, "1m"), (190, "3m10s"), (3600, "1h"), (7500, "2h05m"), (-3, "0s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("kind", "code", "command"),
    [
        (HoldKind.APPROVAL, 3, "approve fraud-detection --stack prod (or reject)"),
        (HoldKind.PAUSED, 3, "resume fraud-detection --stack prod"),
        (HoldKind.INCIDENT, 3, "resume fraud-detection --stack prod (or rollback)"),
        (HoldKind.INCONCLUSIVE, 3, "resume fraud-detection --stack prod (or promote --reason '...', or rollback)"),
        (HoldKind.DRIFT, 2, "resume fraud-detection --stack prod --restore (or resume --adopt, or rollback)"),
        (HoldKind.METRICS, 4, "step fraud-detection --stack prod"),
        (HoldKind.ENGINE, 4, "step fraud-detection --stack prod"),
        (HoldKind.NO_WAY_BACK, 1, "promote fraud-detection --stack prod --reason '...' if green serves well"),
    ],
)
def test_every_hold_has_an_exit_code_and_a_command(kind: HoldKind, code: int, command: str) -> None:
    state = replace(LIVE, held=Hold(kind=kind, reason="because", since=NOON))
    assert exit_code_of(state) == code
    assert (next_command(state) or "").endswith(f"sluice rollout {command}")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_end_other_than_done_is_exit_code_1(outcome: Outcome) -> None:
    state = replace(LIVE, phase=Phase(outcome.value), ended=Ended(at=NOON, outcome=outcome, reason="because"))
    assert exit_code_of(state) == (ExitCode.DONE if outcome is Outcome.DONE else ExitCode.FAILED)
    assert next_command(state) is None


def test_scripts_get_the_same_facts_as_values() -> None:
    values = status_values(SEEN)
    assert values["weights"]["live"] == values["weights"]["record"] == AT_25.as_values()
    assert values["weights"]["observed"] == pytest.approx(74 / 299)
    assert (values["requests"], values["errors"]) == (370, 2)
    assert values["evidence"][0]["versus"] == 0.12
    assert (values["metrics_behind"], values["bake"]) == (125, {"seconds": 300, "of": 300})
    assert (values["exit_code"], values["next"]) == (0, "sluice rollout run fraud-detection --stack prod")


def test_a_floor_that_is_not_given_back_is_shown_with_the_command_that_does_it() -> None:
    floor = Floor(deployment="blue", minimum=8, was={"autoscale.min": 3}, now={"autoscale.min": 8})
    ended = Ended(at=NOON, outcome=Outcome.DONE, reason="every step has passed")
    state = state_of(phase=Phase.DONE, ended=ended, reserved=floor)
    shown = plain(picture(Seen(state=state, now=NOON + 60)))
    assert "the floor of blue is not given back yet (autoscale.min 3 → 8)" in shown
    assert "sluice rollout step fraud-detection --stack prod" in shown
