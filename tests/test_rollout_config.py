"""What the plan of a rollout says about itself: steps, presets, numbers, and its frozen form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config_values import seconds_of
from rollout_config import PRESETS, PlanSettings, PresetName, StepSettings, plan_digest, steps_of


def plan(**values: Any) -> PlanSettings:
    return PlanSettings.from_values({"steps": [{"weight": 100, "bake": "5m"}]} | values)


@pytest.mark.parametrize(
    ("preset", "weights"),
    [
        ("canary", [10, 50, 100]),
        ("careful", [1, 5, 10, 25, 50, 75, 100]),
        ("linear-20", [20, 40, 60, 80, 100]),
        ("at-once", [100]),
    ],
)
def test_a_preset_stands_for_its_steps(preset: PresetName, weights: list[int]):
    read = PlanSettings.from_values({"preset": preset})
    assert [step.percent for step in read.steps] == weights
    assert read.steps == steps_of(preset)
    assert len(PRESETS) == 4


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_a_duration_is_a_number_of_seconds(duration: str, seconds: int):
    assert seconds_of(duration) == seconds


def test_a_step_is_a_mirror_share_or_a_weight():
    mirror, weight = StepSettings(mirror=20, bake="10m"), StepSettings(weight=25, bake="5m", warm_up="1m", approve=True)
    assert (mirror.is_mirror, mirror.percent, mirror.bake_seconds, mirror.warm_up_seconds) == (True, 20, 600, 0)
    assert (weight.is_mirror, weight.percent, weight.bake_seconds, weight.warm_up_seconds) == (False, 25, 300, 60)


def test_the_deadline_of_a_step_is_six_bakes_and_at_least_half_an_hour():
    short, long = StepSettings(weight=10, bake="1m"), StepSettings(weight=10, bake="10m")
    assert (plan().step_deadline_seconds(short), plan().step_deadline_seconds(long)) == (1800, 3600)
    assert plan(step_deadline="2h").step_deadline_seconds(short) == 7200


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gates": {"error_rate": {"max": 0.01}}}, 150),
        ({"gates": {"error_rate": {"max": 0.003}}}, 500),
        ({"gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}}}, 75),
        ({"gates": {"error_rate": {"vs_stable": 1.5}}}, 150),
        ({}, 150),
        ({"min_requests": 12, "gates": {"error_rate": {"max": 0.01}}}, 12),
    ],
)
def test_a_step_needs_so_many_requests(values: dict[str, Any], expected: int):
    assert plan(**values).min_requests_of_a_step == expected


def test_the_horizon_is_the_planned_intervals_of_the_live_or_the_mirror_steps():
    read = plan(steps=[{"mirror": 5, "bake": "90s"}, {"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "30m"}])
    assert (read.horizon(60), read.horizon(60, mirror=True), read.horizon(1)) == (35, 2, 2100)
    assert plan().horizon(60, mirror=True) == 1
    assert [step.percent for step in read.live_steps] == [10, 100]


def test_the_frozen_plan_is_the_plan():
    read = plan(
        steps=[{"mirror": 5, "bake": "10m"}, {"weight": 100, "bake": "5m", "approve": True, "warm_up": "1m"}],
        gates={
            "error_rate": {"max": 0.01, "vs_stable": 1.5},
            "latency_p95": {"max_ms": 300, "dry_run": True},
            "checks": {"smoke": {"url": "https://example.org/smoke"}},
        },
        notify={"variable": "ROLLOUT_WEBHOOK", "format": "slack"},
        load={"rpm": 60},
        settle="3m",
    )
    frozen = PlanSettings.from_values(json.loads(json.dumps(read.as_values())))
    assert frozen == read
    assert plan_digest(frozen) == plan_digest(read)
    assert frozen.settle_seconds == 180
    assert list(frozen.gates.latency) == [0.95]
    assert [name for name, _ in frozen.gates.named()] == ["error_rate", "latency_p95", "checks.smoke"]


def test_a_preset_survives_freezing_and_has_the_digest_of_its_steps():
    read = PlanSettings.from_values({"preset": "canary"})
    assert PlanSettings.from_values(read.as_values()) == read
    written_out = {key: value for key, value in read.as_values().items() if key != "preset"}
    assert plan_digest(PlanSettings.from_values(written_out)) == plan_digest(read)
    assert plan_digest(read) != plan_digest(PlanSettings.from_values({"preset": "careful"}))


def test_who_begins_a_rollout_and_what_follows_it_is_no_part_of_the_plans_digest():
    read = plan(start="auto", promote_to="prod")
    assert plan_digest(read) == plan_digest(plan())
    assert PlanSettings.from_values(read.as_values()) == read
    assert plan().as_values()["start"] == "manual"


def test_the_defaults_are_those_of_the_documentation():
    read = plan()
    assert (read.on_inconclusive, read.on_incident, read.retire) == ("hold", "hold", "keep")
    assert (read.max_execution_seconds, read.rollback_window_seconds, read.settle_seconds) == (86400, 86400, None)
    assert (read.hold_stable, read.verify, read.load, read.notify) == (True, True, None, None)
    assert (read.gates.latency, list(read.gates.named())) == ({}, [])
