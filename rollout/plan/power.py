"""What a plan can detect at an endpoint's traffic: the chance, the time and the requests that it costs.

Simulated with the real evidence (`simulation.py`) and a fixed seed, so that the same plan gives the same table. Errors
are independent of each other, and the stable colour fails as often as its rate says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import median

from command_errors import UsageError
from gate_config import GatesSettings
from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.schedule import aligned, minutes, splits_of
from rollout.plan.simulation import Outcome, Run, SimulatedTraffic, simulate
from rollout_config import PlanSettings

MULTIPLES = (2, 3, 5, 10)
"""Error rates of a bad colour, times the ceiling; 100 % comes on top."""

CEILING_WITHOUT_A_GATE = 0.01
"""What multiples are taken of where the plan has no `error_rate.max`."""

FEWEST_RUNS, RUNS_AT_ONCE = 20, 100
PRECISION = 0.02
"""Half of the 95 % interval of a chance that is precise enough."""

MOST_INTERVALS = 50_000
"""A row of the table is given up at this many simulated intervals, and its chance is then less precise."""

SEED = 20_261_128


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How a plan fares against a colour with one error rate."""

    error_rate: float
    multiple: float | None
    """Times the ceiling; None: all requests fail."""
    found: float
    """Chance that a gate or the tripwire takes the colour back, 0 to 1."""
    held: float
    """Chance that a step does not pass until its deadline, and a person decides."""
    done: float
    """Chance that the colour keeps 100 %."""
    seconds: float | None
    """Median time until it is found, in intervals of data; None: never."""
    requests: float | None
    """Median of the live requests that the colour has answered until it is found."""
    runs: int
    """Simulated rollouts."""

    @property
    def precision(self) -> float:
        """Half of Wilson's 95 % interval of `found`."""
        z = 1.96
        variance = self.found * (1 - self.found) / self.runs + z * z / (4 * self.runs * self.runs)
        return z / (1 + z * z / self.runs) * math.sqrt(variance)

    def as_values(self) -> dict[str, object]:
        """The detection as JSON values."""
        return {
            "error_rate": self.error_rate,
            "multiple": self.multiple,
            "found": round(self.found, 4),
            "precision": round(self.precision, 4),
            "held": round(self.held, 4),
            "done": round(self.done, 4),
            "median_minutes": None if self.seconds is None else round(self.seconds / 60, 2),
            "median_requests": self.requests,
            "runs": self.runs,
        }


def power(plan: PlanSettings, facts: EndpointFacts, *, stable_rate: float | None = None) -> tuple[Detection, ...]:
    """What the plan detects at `facts.rpm`, for 2, 3, 5 and 10 times its ceiling and for 100 % errors.

    `stable_rate` is the error rate of the other colours, by default the ceiling itself, which is the worst case that
    the ceiling allows. Only the gates on errors take part. Takes some seconds. Raises UsageError if the traffic is
    unknown, or as `splits_of` does.
    """
    rpm = facts.rpm_of(plan)
    if rpm is None:
        raise UsageError("the requests a minute are unknown. Name them with --rpm.")
    splits_of(plan, facts.baseline, facts.colour)
    gate = plan.gates.error_rate
    ceiling = CEILING_WITHOUT_A_GATE if gate is None or gate.max is None else gate.max
    stable = ceiling if stable_rate is None else stable_rate
    errors_only = plan.model_copy(update={"gates": _without_latency(plan.gates)})
    rates = [(multiple, multiple * ceiling) for multiple in MULTIPLES if multiple * ceiling < 1]
    return tuple(detection(errors_only, facts, rpm, rate, multiple, stable) for multiple, rate in [*rates, (None, 1.0)])


def _without_latency(gates: GatesSettings) -> GatesSettings:
    """Simulated requests have no latency, instances or checks, for which the other gates would wait."""
    return GatesSettings(error_rate=gates.error_rate, client_error_rate=gates.client_error_rate)


def detection(
    plan: PlanSettings, facts: EndpointFacts, rpm: float, rate: float, multiple: float | None, stable_rate: float
) -> Detection:
    """How the plan fares against a colour that fails at `rate` from its first request on."""
    rates = {name: stable_rate for name in facts.baseline.traffic} | {facts.colour: rate}
    traffic = SimulatedTraffic(rpm=rpm, error_rates=rates, grain_seconds=facts.grain_seconds)
    random = Random(f"{SEED}/{rate}")
    runs: list[Run] = []
    seconds = 0
    while True:
        runs.append(simulate(plan, facts.baseline, facts.colour, traffic, random))
        seconds += runs[-1].seconds
        enough = len(runs) >= FEWEST_RUNS and seconds >= MOST_INTERVALS * facts.grain_seconds
        if enough or len(runs) % RUNS_AT_ONCE == 0:
            result = _detection(runs, rate, multiple)
            if enough or result.precision <= PRECISION:
                return result


def _detection(runs: list[Run], rate: float, multiple: float | None) -> Detection:
    found = [run for run in runs if run.outcome is Outcome.FOUND]
    return Detection(
        error_rate=rate,
        multiple=multiple,
        found=len(found) / len(runs),
        held=sum(run.outcome is Outcome.HELD for run in runs) / len(runs),
        done=sum(run.outcome is Outcome.DONE for run in runs) / len(runs),
        seconds=median(run.seconds for run in found) if found else None,
        requests=median(run.requests for run in found) if found else None,
        runs=len(runs),
    )


def render_power(detections: tuple[Detection, ...], *, rpm: float) -> list[str]:
    """The detections as a table."""
    rows = [("errors", "found", "median time", "requests until then", "held", "kept 100 %")]
    for each in detections:
        times = "all requests" if each.multiple is None else f"{each.multiple:g} x the ceiling"
        rows.append(
            (
                f"{each.error_rate * 100:g} % ({times})",
                f"{each.found * 100:.0f} % ± {math.ceil(each.precision * 100)}",
                "-" if each.seconds is None else minutes(each.seconds),
                "-" if each.requests is None else f"{each.requests:.0f}",
                f"{each.held * 100:.0f} %",
                f"{each.done * 100:.0f} %",
            )
        )
    return [
        *aligned(rows),
        f"at {rpm:g} requests a minute; the lag of the metrics and one update come on top of the time",
    ]
