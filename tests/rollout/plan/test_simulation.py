"""A rollout in simulated traffic ends as its traffic deserves, and the same chance gives the same rollout."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import fmean, pvariance
from typing import Any

import pytest

from rollout.plan.simulation import Outcome, Run, SimulatedTraffic, draw, simulate
from rollout.split import Split
from rollout_config import PlanSettings

BASELINE = Split(traffic={"blue": 100})
TRAFFIC = SimulatedTraffic(rpm=600, error_rates={"blue": 0.002, "green": 0.002}, grain_seconds=60)


def plan(*weights: int, **values: Any) -> PlanSettings:
    steps = [{"weight": weight, "bake": "5m"} for weight in weights]
    gates = {"error_rate": {"max": 0.01, "vs_stable": 1.5}}
    return PlanSettings.from_values({"steps": steps, "gates": gates} | values)


def run(traffic: SimulatedTraffic = TRAFFIC, seed: int = 1, read: PlanSettings | None = None) -> Run:
    return simulate(read or plan(10, 50, 100), BASELINE, "green", traffic, Random(seed))


def bad(rate: float, **changes: Any) -> SimulatedTraffic:
    return replace(TRAFFIC, error_rates={"blue": 0.002, "green": rate}, **changes)


@pytest.mark.parametrize("mean", [0.3, 6.0, 250.0])
def test_a_drawn_number_has_the_mean_and_the_spread_of_a_poisson_number(mean: float) -> None:
    random = Random(1)
    numbers = [draw(mean, random) for _ in range(4000)]
    assert fmean(numbers) == pytest.approx(mean, rel=0.1)
    assert pvariance(numbers) == pytest.approx(mean, rel=0.15)


def test_nothing_is_drawn_from_a_mean_of_0() -> None:
    assert draw(0, Random(1)) == 0


def test_an_interval_has_live_requests_and_copies_by_weight() -> None:
    random, split = Random(1), Split(traffic={"blue": 100}, mirror={"green": 20})
    minutes = [TRAFFIC.interval(60 * at, split, random) for at in range(200)]
    assert fmean(each.counts_of("blue").requests for each in minutes) == pytest.approx(600, rel=0.02)
    assert fmean(each.counts_of("green").requests for each in minutes) == pytest.approx(120, rel=0.05)
    assert sum(each.counts_of("blue").errors for each in minutes) == pytest.approx(240, rel=0.3)
    assert {each.counts_of("amber").requests for each in minutes} == {0}


def test_a_good_colour_gets_all_requests() -> None:
    done = run()
    assert (done.outcome, done.step, done.seconds, done.reason) == (Outcome.DONE, 2, 900, "")
    assert done.requests == pytest.approx(5 * 600 * 1.6, rel=0.05)


def test_a_broken_colour_is_taken_back_in_its_first_step() -> None:
    found = run(bad(0.1))
    assert (found.outcome, found.step) == (Outcome.FOUND, 0)
    assert found.seconds <= 240
    assert found.errors <= found.requests
    assert "green failed" in found.reason


def test_a_dead_colour_trips_the_wire_within_two_intervals() -> None:
    found = run(bad(1.0))
    assert (found.outcome, found.errors) == (Outcome.FOUND, found.requests)
    assert found.seconds <= 120


def test_without_requests_a_step_is_held_at_its_deadline() -> None:
    held = run(replace(TRAFFIC, rpm=0))
    assert (held.outcome, held.step, held.seconds, held.requests) == (Outcome.HELD, 0, 1800, 0)
    assert held.reason == "the step did not pass until its deadline"


def test_errors_that_begin_later_are_found_later_and_counted_from_there() -> None:
    found = run(bad(0.002, later={"green": 0.5}, later_at=420))
    assert (found.outcome, found.step) == (Outcome.FOUND, 1)
    assert 420 < found.seconds <= 540
    assert found.requests <= 2 * 330


def test_mirrored_copies_reach_no_caller() -> None:
    steps = [{"mirror": 20, "bake": "5m"}, {"weight": 50, "bake": "5m"}, {"weight": 100, "bake": "5m"}]
    found = run(bad(0.2), read=plan(steps=steps))
    assert (found.outcome, found.step, found.requests, found.errors) == (Outcome.FOUND, 0, 0, 0)


def test_a_gate_in_dry_run_takes_nothing_back() -> None:
    gates = {"error_rate": {"max": 0.01, "dry_run": True}}
    assert run(bad(0.1), read=plan(10, 100, gates=gates)).outcome is Outcome.DONE


def test_the_same_chance_gives_the_same_rollout() -> None:
    assert run(bad(0.03), seed=7) == run(bad(0.03), seed=7)
    assert len({run(bad(0.03), seed=seed) for seed in range(8)}) > 1
