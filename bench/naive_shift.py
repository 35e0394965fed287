"""Runs the usual loop of fixed steps and the plan that replaces it against the same simulated models.

    python -m bench.naive_shift

Prints the table of docs/gradual-traffic-shift.md. The loop is `gradual_traffic_shift` as that page shows it; the plan
is taken through its steps with the evidence of `rollout/`. Compute and traffic are simulated, chance has a fixed seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from statistics import median

from rollout.plan.schedule import aligned, minutes
from rollout.plan.simulation import Outcome, Run, SimulatedTraffic, simulate
from rollout.split import Split
from rollout_config import PlanSettings

GRAIN_SECONDS = 60
WEIGHTS = (10, 25, 50, 75, 100)
WINDOW_SECONDS = 5 * 60
CEILING = 0.01

PLAN = PlanSettings.from_values(
    {
        "steps": [{"weight": weight, "bake": "5m"} for weight in WEIGHTS],
        "gates": {"error_rate": {"max": CEILING, "vs_stable": 1.5}},
    }
)
BASELINE = Split(traffic={"blue": 100})
STABLE_RATE = 0.005
RUNS = 100
RATES_A_MINUTE = (60, 300, 3000)
LATE_SECONDS = 12 * 60

Shift = Callable[[SimulatedTraffic, Random], Run]


def gradual_traffic_shift(traffic: SimulatedTraffic, random: Random) -> Run:
    """The loop: set a weight, wait for five minutes, look at the error rate of these five minutes, go on or go back."""
    now = requests = errors = 0
    for number, weight in enumerate(WEIGHTS):
        split = Split(traffic={"blue": 100 - weight, "green": weight})
        window = [traffic.interval(now + at, split, random) for at in range(0, WINDOW_SECONDS, GRAIN_SECONDS)]
        now += WINDOW_SECONDS
        answered = sum(interval.counts_of("green").requests for interval in window)
        failed = sum(interval.counts_of("green").errors for interval in window)
        seen = [interval for interval in window if interval.start >= traffic.later_at]
        requests += sum(interval.counts_of("green").requests for interval in seen)
        errors += sum(interval.counts_of("green").errors for interval in seen)
        if answered and failed / answered > CEILING:
            return Run(outcome=Outcome.FOUND, seconds=now, step=number, requests=requests, errors=errors)
    return Run(outcome=Outcome.DONE, seconds=now, step=len(WEIGHTS) - 1, requests=requests, errors=errors)


def plan_shift(traffic: SimulatedTraffic, random: Random) -> Run:
    """The plan with the same steps and the same ceiling."""
    return simulate(PLAN, BASELINE, "green", traffic, random)


SHIFTS: dict[str, Shift] = {"loop": gradual_traffic_shift, "plan": plan_shift}


def models(rpm: float) -> dict[str, SimulatedTraffic]:
    """What is rolled out: a good model, and bad ones."""

    def traffic(rate: float, later: float | None = None) -> SimulatedTraffic:
        return SimulatedTraffic(
            rpm=rpm,
            error_rates={"blue": STABLE_RATE, "green": rate},
            grain_seconds=GRAIN_SECONDS,
            later={} if later is None else {"green": later},
            later_at=0 if later is None else LATE_SECONDS,
        )

    return {
        "good, 0.5 %": traffic(STABLE_RATE),
        "3 %": traffic(0.03),
        "10 %": traffic(0.1),
        "10 % from minute 12": traffic(STABLE_RATE, later=0.1),
    }


def measure(runs: int = RUNS) -> list[list[str]]:
    """One row for each traffic, model and way: how often it went back, after how long, and what it cost."""
    rows = []
    for rpm in RATES_A_MINUTE:
        for model, traffic in models(rpm).items():
            for name, shift in SHIFTS.items():
                random = Random(f"{rpm}/{model}")
                done = [shift(traffic, random) for _ in range(runs)]
                rows.append([f"{rpm:,}", model, name, *summary(done, traffic)])
    return rows


def summary(done: list[Run], traffic: SimulatedTraffic) -> list[str]:
    """False alarms, found, held; medians of the minutes, requests and errors from the first bad one until it was found.

    Going back from a model that is still good is a false alarm.
    """
    back = [run for run in done if run.outcome is Outcome.FOUND]
    is_good = traffic.error_rates["green"] == STABLE_RATE and not traffic.later
    found = [] if is_good else [run for run in back if run.seconds > traffic.later_at]
    cells = [f"{len(back) - len(found)}", f"{len(found)}", f"{sum(run.outcome is Outcome.HELD for run in done)}"]
    if not found:
        return [*cells, "-", "-", "-"]
    return [
        *cells,
        minutes(median(run.seconds for run in found) - traffic.later_at),
        f"{median(run.requests for run in found):.0f}",
        f"{median(run.errors for run in found):.0f}",
    ]


HEADER = ["rpm", "model", "way", "false alarms", "found", "held", "minutes", "requests", "errors"]


def render(rows: list[list[str]]) -> str:
    """The table as text."""
    return "\n".join([f"of {RUNS} runs each", *aligned([tuple(row) for row in [HEADER, *rows]])])


def main() -> int:
    """Print the table."""
    print(render(measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
