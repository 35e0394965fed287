"""A plan on recorded minutes does what it would have done live."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from command_errors import UsageError
from rollout.decision.order import Outcome
from rollout.plan.backtest import Backtest, backtest, render_backtest
from rollout.plan.recorded import Recorded, read_record
from rollout.plan.simulation import SimulatedTraffic
from rollout.split import Split
from rollout_config import PlanSettings
from tests.rollout.world import QUICK, BadWhen, Room, good

pytestmark = pytest.mark.slow

START = 1_795_788_420
BASELINE = Split(traffic={"blue": 100})
TRAFFIC = SimulatedTraffic(rpm=600, error_rates={"blue": 0.002, "green": 0.002}, grain_seconds=60)


def plan(*weights: int, **values: Any) -> PlanSettings:
    steps = [{"weight": weight, "bake": "5m"} for weight in weights]
    gates = {"error_rate": {"max": 0.01, "vs_stable": 1.5}}
    return PlanSettings.from_values({"steps": steps, "gates": gates} | values)


def recorded(traffic: SimulatedTraffic = TRAFFIC, *, share: int = 25, length: int = 60) -> Recorded:
    """Minutes in which green had a constant share of the requests."""
    random, split = Random(1), Split(traffic={"blue": 100 - share, "green": share})
    minutes = [traffic.interval(60 * number, split, random) for number in range(length)]
    return Recorded(intervals=tuple(replace(each, start=START + each.start) for each in minutes), grain_seconds=60)


def run(read: PlanSettings, minutes: Recorded, **values: Any) -> Backtest:
    return backtest(read, minutes, colour="green", baseline=BASELINE, **values)


def times(result: Backtest) -> list[tuple[int, str]]:
    return [((each.at - START) // 60, each.what) for each in result.moments]


def test_a_good_colour_is_done_as_soon_as_the_bakes_and_the_lag_of_the_metrics_allow() -> None:
    result = run(plan(10, 50, 100), recorded())
    assert times(result) == [
        (0, "green 0 → 10 %"),
        (7, "green 10 → 50 %"),
        (14, "green 50 → 100 %"),
        (21, "done"),
    ]
    assert (result.outcome, result.step, result.until) == (Outcome.DONE, 2, START + 21 * 60)
    assert result.counts.requests == pytest.approx(21 * 150, rel=0.05)
    assert result.recorded_share == pytest.approx(0.25, rel=0.05)


def test_a_bad_colour_goes_back_with_the_reason_that_a_live_rollout_gives() -> None:
    bad = replace(TRAFFIC, error_rates={"blue": 0.002, "green": 0.1})
    result = run(plan(10, 50, 100), recorded(bad))
    assert result.outcome is Outcome.ROLLED_BACK
    assert [what for _, what in times(result)] == ["green 0 → 10 %", "green 10 → 0 %", "rolled back"]
    assert 3 <= (result.until - START) // 60 <= 6
    assert "error_rate: green failed" in result.reason
    assert result.counts.errors > 10


def test_without_a_lag_it_goes_back_earlier() -> None:
    bad = recorded(replace(TRAFFIC, error_rates={"blue": 0.002, "green": 0.1}))
    assert run(plan(10, 100), bad, settle_seconds=0).until < run(plan(10, 100, settle="5m"), bad).until


def test_a_dead_colour_trips_the_wire_before_its_minutes_have_settled() -> None:
    dead = replace(TRAFFIC, error_rates={"blue": 0.002, "green": 1.0})
    result = run(plan(10, 100), recorded(dead))
    assert (result.outcome, result.until) == (Outcome.ROLLED_BACK, START + 60)
    assert "in the last" in result.reason


def test_without_requests_it_is_held_at_the_deadline_and_the_minutes_end() -> None:
    result = run(plan(10, 100), recorded(replace(TRAFFIC, rpm=1), length=40))
    assert (result.outcome, result.step) == (None, 0)
    assert [what for _, what in times(result)] == ["green 0 → 10 %", "held (inconclusive)"]
    assert result.reason.startswith(
        "the recorded minutes end in step 1 of 2, which is held (inconclusive): step 1 has not"
    )


def test_with_rollback_at_the_deadline_it_goes_back() -> None:
    result = run(plan(10, 100, on_inconclusive="rollback"), recorded(replace(TRAFFIC, rpm=1), length=40))
    assert result.outcome is Outcome.ROLLED_BACK


def test_a_shared_incident_holds_and_does_not_go_back() -> None:
    both = replace(TRAFFIC, later={"blue": 0.3, "green": 0.3}, later_at=120)
    result = run(plan(50, 100), recorded(both, share=50))
    assert result.outcome is None
    assert "held (incident)" in [what for _, what in times(result)]


def test_an_approval_takes_no_time() -> None:
    steps = [{"weight": 50, "bake": "5m"}, {"weight": 100, "bake": "5m", "approve": True}]
    assert times(run(plan(steps=steps), recorded()))[1:3] == [(7, "approved step 2"), (7, "green 50 → 100 %")]


def test_a_mirror_step_comes_first() -> None:
    steps = [{"mirror": 20, "bake": "5m"}, {"weight": 100, "bake": "5m"}]
    assert times(run(plan(steps=steps), recorded()))[:2] == [(0, "green mirrored 20 %"), (7, "green 0 → 100 %")]


def test_minutes_that_are_missing_are_no_evidence() -> None:
    minutes = recorded()
    gap = replace(minutes, intervals=(*minutes.intervals[:2], *minutes.intervals[20:]))
    assert times(run(plan(10, 100, min_requests=600), gap))[1][0] > 20


def test_a_colour_that_the_minutes_do_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no amber, only blue, green\. Name another colour"):
        backtest(plan(10, 100), recorded(), colour="amber", baseline=BASELINE)
    with pytest.raises(UsageError, match="give no other colour a share of the rest"):
        backtest(plan(10, 100), recorded(), colour="blue", baseline=BASELINE)


def test_the_same_minutes_give_the_same_backtest() -> None:
    assert run(plan(10, 100), recorded()) == run(plan(10, 100), recorded())


def test_it_is_told_line_by_line() -> None:
    result = run(plan(10, 100), recorded())
    lines = render_backtest(result)
    assert lines[0] == "2026-11-27 14:07:00  +0m  green 0 → 10 %: the first step"
    assert lines[1] == "2026-11-27 14:14:00  +7m  green 10 → 100 %: every gate passes"
    assert lines[2].endswith("done: every step has passed")
    assert lines[3].startswith("in 14m, green answered 2,")
    assert lines[4].startswith("counts are as recorded: green had 24 % of the requests")
    assert render_backtest(replace(result, outcome=None, recorded_share=None))[-2] == f"not ended: {result.reason}"


def test_it_has_a_form_for_programs() -> None:
    values = run(plan(10, 100), recorded()).as_values()
    assert (values["outcome"], values["step"], values["seconds"]) == ("done", 1, 840)
    assert values["moments"][0] == {"at": START, "what": "green 0 → 10 %", "why": "the first step"}


def bad_at_half(split: Split, at: int) -> float:
    return 0.3 if split.percent_of("green") >= 50 else 0.002


@pytest.mark.parametrize("behaviour", [good, bad_at_half])
def test_the_record_of_a_live_rollout_gives_the_same_moves_and_the_same_reason(
    tmp_path: Path, behaviour: BadWhen
) -> None:
    room = Room(tmp_path, bad=behaviour)
    room.to_the_end()
    record = read_record(room.path.read_text(encoding="utf-8"), name=room.path.name)
    assert (record.plan, record.colour, record.baseline) == (QUICK, "green", BASELINE)
    result = backtest(QUICK, record, colour="green", baseline=BASELINE)
    ended = room.state.ended
    assert ended is not None
    assert (result.outcome, result.reason) == (ended.outcome, ended.reason)
    moves = [each.what for each in result.moments if "→" in each.what]
    weights = [0, *(split.percent_of("green") for split in room.file.writes)]
    weights = [weight for weight, _ in groupby(weights)]
    assert moves == [f"green {before} → {after} %" for before, after in pairwise(weights)]
