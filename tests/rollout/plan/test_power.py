"""The table of what a plan can detect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from command_errors import UsageError
from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.power import Detection, detection, power, render_power
from rollout.split import Split
from rollout_config import PlanSettings

pytestmark = pytest.mark.slow

FACTS = EndpointFacts(
    stack="prod",
    key="fraud-detection",
    colour="green",
    baseline=Split(traffic={"blue": 100}),
    max_step=50,
    max_mirror=20,
    rpm=300,
)


def plan(**values: Any) -> PlanSettings:
    steps = [{"weight": weight, "bake": "10m"} for weight in (10, 50, 100)]
    gates = {"error_rate": {"max": 0.01, "vs_stable": 1.5}, "latency_p95": {"max_ms": 300}}
    return PlanSettings.from_values({"steps": steps, "gates": gates} | values)


@pytest.fixture(scope="module")
def table() -> tuple[Detection, ...]:
    return power(plan(), FACTS)


def test_worse_colours_are_found_sooner_and_more_often(table: tuple[Detection, ...]) -> None:
    assert [each.error_rate for each in table] == [0.02, 0.03, 0.05, 0.1, 1.0]
    assert [each.multiple for each in table] == [2, 3, 5, 10, None]
    seconds = [each.seconds or 0 for each in table]
    assert seconds == sorted(seconds, reverse=True)
    assert table[0].found >= 0.8
    assert all(each.found >= 0.95 for each in table[1:])
    assert all(each.found + each.held + each.done == pytest.approx(1) for each in table)


def test_a_colour_with_ten_times_the_ceiling_is_found_within_minutes(table: tuple[Detection, ...]) -> None:
    *_, ten, dead = table
    assert ten.seconds is not None
    assert ten.seconds <= 240
    assert ten.requests is not None
    assert ten.requests <= 150
    assert dead.seconds is not None
    assert dead.seconds <= 120


def test_a_chance_is_as_precise_as_it_says(table: tuple[Detection, ...]) -> None:
    assert all(each.precision <= 0.021 for each in table)
    assert all(each.runs >= 100 for each in table)
    half = replace(table[0], found=0.5, runs=100)
    assert half.precision == pytest.approx(0.096, abs=0.001)


def test_the_same_plan_has_the_same_table(table: tuple[Detection, ...]) -> None:
    assert power(plan(), FACTS)[-2:] == table[-2:]


def test_with_little_traffic_a_bad_colour_is_held_and_not_found() -> None:
    read = plan(step_deadline="30m", gates={"error_rate": {"max": 0.01}})
    double, dead = (detection(read, FACTS, 6, rate, None, stable_rate=0.01) for rate in (0.02, 1.0))
    assert double.found < 0.2
    assert double.held > 0.8
    assert dead.found == 1


def test_a_plan_without_a_gate_on_errors_finds_only_a_dead_colour() -> None:
    (double, *_, dead) = power(plan(gates={"latency_p95": {"max_ms": 300}}), FACTS)
    assert (double.error_rate, double.found, double.seconds, double.requests) == (0.02, 0, None, None)
    assert dead.found == 1


def test_multiples_above_1_are_left_out() -> None:
    table = power(plan(gates={"error_rate": {"max": 0.3}}), FACTS, stable_rate=0.01)
    assert [each.error_rate for each in table] == [pytest.approx(0.6), pytest.approx(0.9), 1.0]


def test_unknown_traffic_is_an_error_with_its_fix() -> None:
    with pytest.raises(UsageError, match="Name them with --rpm"):
        power(plan(), replace(FACTS, rpm=None))


def test_a_colour_that_has_all_requests_cannot_be_rolled_out() -> None:
    with pytest.raises(UsageError, match=r"give no other colour a share of the rest\. Name the colour"):
        power(plan(), replace(FACTS, colour="blue"))


def test_a_plan_of_many_intervals_has_a_less_precise_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout.plan.power.MOST_INTERVALS", 100)
    assert detection(plan(), FACTS, 60, 0.02, 2, stable_rate=0.01).runs == 20


def test_the_table_has_a_row_for_each_error_rate() -> None:
    found = Detection(
        error_rate=0.02, multiple=2, found=0.93, held=0.05, done=0.02, seconds=1320, requests=1218, runs=700
    )
    never = replace(found, error_rate=1.0, multiple=None, found=0, held=1.0, done=0, seconds=None, requests=None)
    assert [" ".join(line.split()) for line in render_power((found, never), rpm=300)] == [
        "errors found median time requests until then held kept 100 %",
        "2 % (2 x the ceiling) 93 % ± 2 22m 1218 5 % 2 %",
        "100 % (all requests) 0 % ± 1 - - 100 % 0 %",
        "at 300 requests a minute; the lag of the metrics and one update come on top of the time",
    ]
    assert found.as_values() == {
        "error_rate": 0.02,
        "multiple": 2,
        "found": 0.93,
        "precision": 0.019,
        "held": 0.05,
        "done": 0.02,
        "median_minutes": 22.0,
        "median_requests": 1218,
        "runs": 700,
    }
