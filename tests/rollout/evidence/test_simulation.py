"""The most important aims of the gates, in a small simulation with fixed seeds (the large one: `make bench-gates`)."""

import pytest

from bench.gates.measurement import reached, simulate
from bench.gates.scenarios import Scenario, scenarios

pytestmark = pytest.mark.slow

AIMS = {(each.group, each.name): each for each in scenarios() if str(each.aim) != "–"}
HELD = [
    ("identical, 0.5 %", "60 rpm"),
    ("identical, 1 %", "300 rpm"),
    ("both at 5 %", "300 rpm"),
    ("both at 5 %, steps held", "3000 rpm"),
    ("shared incident, 30 % for 5 min", "60 rpm"),
    ("own bursts, 30 % for 1 min in 2 h", "300 rpm"),
    ("canary 10 %, stable 1 %", "60 rpm"),
    ("canary 3 %, stable 1 %", "300 rpm"),
    ("total breakage, stable 1 %", "20 rpm"),
    ("P95 ≤ 1.3 × stable: identical", "60 rpm"),
    ("P95 ≤ 1.3 × stable: 2 × as slow", "60 rpm"),
    ("P95 ≤ 300 ms: 2 × as slow", "60 rpm"),
]
RUNS = 300


@pytest.mark.parametrize("scenario", [AIMS[key] for key in HELD], ids=lambda each: f"{each.group}, {each.name}")
def test_the_aim_is_reached(scenario: Scenario) -> None:
    tally = simulate(scenario, RUNS, with_rivals=False)
    assert tally.runs == RUNS
    assert reached(scenario, tally)
