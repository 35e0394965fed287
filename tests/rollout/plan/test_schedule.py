"""When each step of a plan can begin, what it changes, and the requests that it gets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from command_errors import UsageError
from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.schedule import render_schedule, schedule
from rollout.split import Split
from rollout_config import PlanSettings

FACTS = EndpointFacts(
    stack="prod",
    key="fraud-detection",
    colour="green",
    baseline=Split(traffic={"blue": 80, "amber": 20}),
    max_step=50,
    max_mirror=20,
    rpm=300,
)


def plan(**values: Any) -> PlanSettings:
    steps = [
        {"mirror": 20, "bake": "10m"},
        {"weight": 10, "bake": "5m"},
        {"weight": 50, "bake": "5m", "approve": True},
        {"weight": 100, "bake": "30m"},
    ]
    return PlanSettings.from_values({"steps": steps, "gates": {"error_rate": {"max": 0.005}}} | values)


def test_a_step_begins_when_the_one_before_has_baked_and_its_metrics_have_settled() -> None:
    planned = schedule(plan(settle="3m"), FACTS)
    # 30 requests a minute at 10 %: the 300 that the step needs take ten minutes, not the five of its bake.
    assert [step.begins for step in planned] == [0, 780, 1560, 2040]
    assert planned[-1].ends == 2040 + 1980
    assert [step.requests for step in planned] == [600, 300, 750, 9000]


def test_the_change_of_a_step_is_the_difference_to_the_step_before() -> None:
    assert [step.describe_change() for step in schedule(plan(), FACTS)] == [
        "mirror green 0 → 20 %",
        "amber 20 → 18 %, blue 80 → 72 %, green 0 → 10 %, mirror green 20 → 0 %",
        "amber 18 → 10 %, blue 72 → 40 %, green 10 → 50 %",
        "amber 10 → 0 %, blue 40 → 0 %, green 50 → 100 %",
    ]


def test_the_table_names_approvals_and_requests() -> None:
    assert [re.sub(" {2,}", " | ", line) for line in render_schedule(schedule(plan(), FACTS))] == [
        "step | change of weights | earliest | bake | requests (needs)",
        "1 | mirror green 0 → 20 % | +0m | 10m | 600 (300)",
        "2 | amber 20 → 18 %, blue 80 → 72 %, green 0 → 10 %, mirror green 20 → 0 % | +12m | 5m | 300 (300)",
        "3 | amber 18 → 10 %, blue 72 → 40 %, green 10 → 50 % | +24m after a yes | 5m | 750 (300)",
        "4 | amber 10 → 0 %, blue 40 → 0 %, green 50 → 100 % | +31m | 30m | 9000 (300)",
        "done at the earliest after 63m",
    ]


def test_without_a_known_rate_the_requests_are_unknown_and_the_bakes_count() -> None:
    planned = schedule(plan(), EndpointFacts(**{**FACTS.__dict__, "rpm": None}))
    assert [step.requests for step in planned] == [None] * 4
    assert [step.begins for step in planned] == [0, 720, 1140, 1560]
    assert "unknown (300)" in render_schedule(planned)[1]


def test_without_requests_a_plan_is_never_done() -> None:
    planned = schedule(plan(), EndpointFacts(**{**FACTS.__dict__, "rpm": 0}))
    assert [step.begins for step in planned] == [0, None, None, None]
    assert render_schedule(planned)[-1] == "never done: without requests there is no evidence"
    with_load = schedule(plan(load={"rpm": 300}), EndpointFacts(**{**FACTS.__dict__, "rpm": None}))
    assert with_load[-1].as_values() == {
        "before": {"traffic": {"amber": 10, "blue": 40, "green": 50}, "mirror": {}},
        "after": {"traffic": {"green": 100}, "mirror": {}},
        "approve": False,
        "bake_seconds": 1800,
        "begins_seconds": 1860,
        "ends_seconds": 3780,
        "requests": 9000,
        "needs_requests": 300,
    }


def test_a_colour_that_has_all_requests_cannot_be_rolled_out() -> None:
    facts = EndpointFacts(**{**FACTS.__dict__, "baseline": Split(traffic={"green": 100})})
    with pytest.raises(
        UsageError, match=r"^green is to get 10 %.*Name the colour that is to be rolled out with --to\."
    ):
        schedule(plan(), facts)
