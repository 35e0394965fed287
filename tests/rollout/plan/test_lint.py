"""What refuses a plan at an endpoint, and what a person is told before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.lint import check_plan, render_findings, span
from rollout.split import Split
from rollout_config import PlanSettings
from stack_config import Limits

ROOT = Path(__file__).parents[3]

GATES = {"error_rate": {"max": 0.01, "vs_stable": 1.5}}
KEY = "sluice:rollout.fraud-detection.plan"


def facts(**changes: Any) -> EndpointFacts:
    values: dict[str, Any] = {
        "stack": "prod",
        "key": "fraud-detection",
        "colour": "green",
        "baseline": Split(traffic={"blue": 100}),
        "max_step": 50,
        "max_mirror": 20,
    }
    return EndpointFacts(**values | changes)


def plan(*weights: int, bake: str = "10m", **values: Any) -> PlanSettings:
    steps = [{"weight": weight, "bake": bake} for weight in weights]
    return PlanSettings.from_values({"steps": steps, "gates": GATES} | values)


def refusals(read: PlanSettings, **changes: Any) -> list[str]:
    return [str(problem) for problem in check_plan(read, facts(**changes)).refusals]


def warnings(read: PlanSettings, **changes: Any) -> list[str]:
    return [str(problem) for problem in check_plan(read, facts(**changes)).warnings]


def test_a_good_plan_has_no_findings():
    findings = check_plan(plan(10, 50, 100), facts(rpm=600, instances={"blue": 3, "green": 3}))
    assert (findings.refusals, findings.warnings) == ((), ())
    assert render_findings(findings) == []


def test_a_step_above_the_limit_of_one_update_is_refused_wherever_it_stands():
    assert refusals(plan(10, 50, 100), max_step=40) == [
        f"{KEY}.steps[2].weight must not raise the weight by more than 40 percent in one update "
        "(sluice:limits.max_step), got 50 to 100. Add a step with weight 90 before it in Pulumi.prod.yaml, or raise "
        "sluice:limits.max_step."
    ]
    assert len(refusals(plan(60, 100), max_step=50)) == 1
    assert refusals(plan(25, 50, 75, 100), max_step=25) == []


def test_a_preset_above_the_limit_is_refused_by_its_name():
    (refusal,) = refusals(PlanSettings.from_values({"preset": "at-once", "gates": GATES}))
    assert refusal.startswith(f"{KEY}.preset must not raise the weight by more than 50 percent in one update")
    assert "got 0 to 100. Write the steps out with one at 50 between them" in refusal


def test_a_mirror_share_above_the_limit_is_refused():
    steps = [{"mirror": 30, "bake": "10m"}, {"weight": 50, "bake": "10m"}, {"weight": 100, "bake": "10m"}]
    assert refusals(plan(steps=steps)) == [
        f"{KEY}.steps[0].mirror must be at most 20 (sluice:limits.max_mirror), got 30. Set it to 20 or less in "
        "Pulumi.prod.yaml, or raise sluice:limits.max_mirror."
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"steps": [{"mirror": 10, "bake": "10m"}]}, ".steps must end at weight 100, got mirror steps only"),
        ({"step_deadline": "11m"}, ".step_deadline must leave time for a bake of 10m and for 2m until the metrics are"),
        ({"settle": "5m", "step_deadline": "14m"}, ".step_deadline must leave time for a bake of 10m and for 5m"),
        ({"max_execution_time": "29m"}, ".max_execution_time must be at least the bakes of all steps together (30m)"),
        ({"gates": {"error_rate": {"max": 0.95}}}, ".gates.error_rate.max must be below 0.95, got 0.95"),
        ({"gates": {}}, ".gates must have a gate that acts, because only evidence advances a rollout, got none"),
        (
            {
                "gates": {
                    "error_rate": {"max": 0.01, "dry_run": True},
                    "checks": {"a": {"url": "http://a", "dry_run": True}},
                }
            },
            ".gates must have a gate that acts, because only evidence advances a rollout, got error_rate, checks.a",
        ),
    ],
)
def test_a_plan_that_could_never_be_done_is_refused(values: dict[str, Any], expected: str):
    found = refusals(plan(10, 50, 100, **values))
    assert found
    assert all(refusal.startswith(f"{KEY}{expected}") for refusal in found)


@pytest.mark.parametrize(
    ("gates", "count"),
    [
        ({"error_rate": {"vs_stable": 1.5}, "latency_p95": {"vs_stable": 1.2}}, 1),
        ({"error_rate": {"vs_stable": 1.5}, "latency_p95": {"max_ms": 300, "dry_run": True}}, 1),
        ({"error_rate": {"vs_stable": 1.5}, "latency_p95": {"max_ms": 300}}, 0),
        ({"client_error_rate": {"vs_stable": 1.5}, "saturation": {"cpu": 80}}, 0),
    ],
)
def test_comparisons_alone_need_a_step_in_which_the_colours_can_be_compared(gates: dict[str, Any], count: int):
    assert len(refusals(plan(100, gates=gates), max_step=100)) == count
    assert refusals(plan(50, 100, gates=gates)) == []


def test_a_bake_of_one_or_two_intervals_is_warned_of():
    (first, _, _) = warnings(plan(10, 50, 100, bake="2m"), rpm=3000)
    assert first == (
        f"{KEY}.steps[0].bake should be at least 3 intervals of the metrics (3m), got 2m: the step at 10 % would be "
        "decided by one or two of them. Set it to 3m or more in Pulumi.prod.yaml."
    )
    assert warnings(plan(10, 50, 100, bake="2m"), rpm=3000, grain_seconds=1) == []


def test_a_mirror_step_says_that_it_is_unverified():
    steps = [{"mirror": 20, "bake": "10m"}, {"weight": 50, "bake": "10m"}, {"weight": 100, "bake": "10m"}]
    (warning,) = warnings(plan(steps=steps))
    assert "whether Azure counts copies in its metrics is unverified" in warning


@pytest.mark.parametrize(("green", "expected"), [(1, ["steps[1].weight"]), (2, ["steps[2].weight"]), (3, [])])
def test_too_few_instances_for_a_share_are_warned_of(green: int, expected: list[str]):
    found = warnings(plan(10, 50, 100), instances={"blue": 3, "green": green})
    assert [warning.split(" ")[0] for warning in found] == [f"{KEY}.{each}" for each in expected]


def test_a_step_that_cannot_get_its_requests_in_time_is_warned_of():
    found = warnings(plan(10, 50, 100), rpm=20)
    assert found == [
        f"{KEY}.steps[0].weight gets about 120 requests until its deadline of 1h (2 a minute), and needs 150 "
        "(min_requests). Give it 13 % or more, raise step_deadline, or lower min_requests in Pulumi.prod.yaml."
    ]
    assert "Set load" in warnings(plan(10, 50, 100), rpm=0)[-1]
    assert warnings(plan(10, 50, 100, load={"rpm": 600})) == []


def test_a_small_step_on_a_quiet_endpoint_proves_little():
    (warning,) = warnings(plan(1, 50, 100, min_requests=10), rpm=60)
    assert "gets about 6 requests in its bake (0.6 a minute), which show only whether the colour answers" in warning
    assert "Begin at 10 %" in warning


def test_a_percentile_of_few_requests_is_warned_of():
    gates = GATES | {"latency_p99": {"max_ms": 300}, "latency_p50": {"max_ms": 100}}
    (some,) = warnings(plan(10, 50, 100, gates=gates), rpm=600)
    assert some.startswith(f"{KEY}.gates.latency_p99 needs about 100 requests of the new colour in an interval of 1m")
    assert "at 10 % there are fewer. The gate speaks from the next step on" in some
    (never,) = warnings(plan(10, 50, 100, gates=gates), rpm=90)
    assert "Use a lower percentile" in never


@pytest.mark.parametrize(("seconds", "text"), [(30, "30s"), (90, "90s"), (300, "5m"), (7200, "2h"), (0, "0s")])
def test_a_length_of_time_is_written_as_in_a_stack_file(seconds: int, text: str):
    assert span(seconds) == text


def test_findings_are_told_line_by_line():
    findings = check_plan(plan(60, 100, bake="1m"), facts())
    assert [line.split(":")[0] for line in render_findings(findings)] == ["refused", "warning", "warning"]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_shipped_plans_may_start_and_have_no_mirror_step(stack: str):
    raw = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    read = PlanSettings.from_values(raw["sluice:rollout"]["fraud-detection"]["plan"])
    limits = Limits.model_validate(raw.get("sluice:limits", {}))
    assert refusals(read, max_step=limits.max_step, max_mirror=limits.max_mirror, rpm=3000) == []
    assert not any(step.is_mirror for step in read.steps)
