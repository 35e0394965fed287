"""What becomes of simulated rollouts: under the gates of `rollout/evidence`, and under the other ways to decide."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from bench.gates.rivals import RIVALS
from bench.gates.scenarios import BOTH, ERROR_RATE, Kind, Scenario
from bench.gates.traffic import CANARY, STABLE, Errors, Latencies, Traffic
from rollout.evidence.intervals import Interval, Verdict
from rollout.evidence.ledger import Ledger
from rollout.evidence.tripwire import tripwire
from rollout.plan.simulation import Outcome, SimulatedTraffic
from rollout.plan.simulation import simulate as simulate_plan
from rollout.split import Split
from rollout_config import PlanSettings

OURS = "Sluice"
SEED = 20_261_128


@dataclass
class Tally:
    """What became of the runs of one scenario."""

    runs: int = 0
    stopped: dict[str, list[int]] = field(default_factory=dict)
    """By way to decide: the minute of data after which each run that was stopped went back, counted from 1."""
    ends: Counter[str] = field(default_factory=Counter)
    """How our runs ended: back, held, or done (passed every step at its planned end)."""

    def add(self, other: Tally) -> None:
        """Add the runs of another part."""
        self.runs += other.runs
        self.ends += other.ends
        for name, minutes in other.stopped.items():
            self.stopped.setdefault(name, []).extend(minutes)


def plan_of(scenario: Scenario) -> PlanSettings:
    """The plan whose evidence is simulated; the step at 100 %, with which every plan ends, is not reached."""
    weights = [*scenario.traffic.weights, (100, 10)]
    steps = [{"weight": weight, "bake": f"{minutes}m"} for weight, minutes in weights]
    return PlanSettings.from_values({"steps": steps, "gates": scenario.gates})


def simulate(scenario: Scenario, runs: int, *, part: int = 0, with_rivals: bool = True) -> Tally:
    """Some runs of one scenario; every part has chances of its own."""
    plan, tally = plan_of(scenario), Tally(runs=runs)
    steps = [length for _, length in scenario.traffic.weights]
    chance = Random(f"{SEED}/{scenario.group}/{scenario.name}/{part}")
    for _ in range(runs):
        if scenario.holds:
            tally.add(_with_holds(plan, scenario, chance))
            continue
        minutes = list(scenario.traffic.minutes(chance))
        stopped, end = _ours(plan, minutes)
        tally.ends[end] += 1
        if stopped is not None:
            tally.stopped.setdefault(OURS, []).append(stopped)
        for name, minute in _rivals(minutes, steps) if with_rivals and has_rivals(scenario) else ():
            tally.stopped.setdefault(name, []).append(minute)
    return tally


def _ours(plan: PlanSettings, minutes: list[tuple[int, Interval]]) -> tuple[int | None, str]:
    """The minute after which the gates or the tripwire go back, and how the run ends."""
    ledger = Ledger(plan, colour=CANARY, stable_colours=[STABLE], grain_seconds=60)
    previous: Interval | None = None
    passed = True
    for at, (step, interval) in enumerate(minutes):
        ledger.feed(interval, phase="live", step=step, alone=False, warm=False)
        results = ledger.results(step)
        last_two = [interval] if previous is None else [previous, interval]
        if any(each.verdict is Verdict.FAIL for each in results) or tripwire(last_two, CANARY, [STABLE]) is not None:
            return at + 1, "back"
        if at + 1 == len(minutes) or minutes[at + 1][0] != step:
            passed = passed and all(each.verdict is Verdict.PASS for each in results)
        previous = interval
    return None, "done" if passed else "held"


def _with_holds(plan: PlanSettings, scenario: Scenario, chance: Random) -> Tally:
    """One run whose steps wait for their gates, up to their deadline, and which goes on to 100 %."""
    errors = scenario.traffic.errors
    traffic = SimulatedTraffic(
        rpm=scenario.traffic.rpm, error_rates={CANARY: errors.canary, STABLE: errors.stable}, grain_seconds=60
    )
    run = simulate_plan(plan, Split(traffic={STABLE: 100}), CANARY, traffic, chance)
    ends = {Outcome.FOUND: "back", Outcome.HELD: "held", Outcome.DONE: "done"}
    stopped = {OURS: [run.seconds // 60]} if run.outcome is Outcome.FOUND else {}
    return Tally(stopped=stopped, ends=Counter({ends[run.outcome]: 1}))


def has_rivals(scenario: Scenario) -> bool:
    """Whether the other ways to decide take part: they know neither latencies nor holds."""
    return scenario.traffic.latencies is None and not scenario.holds


def _rivals(minutes: list[tuple[int, Interval]], steps: Sequence[int]) -> Iterable[tuple[str, int]]:
    """Each other way that goes back, with the minute after which it does."""
    counts = [
        (canary.requests, canary.errors, stable.requests, stable.errors)
        for _, interval in minutes
        for canary, stable in [(interval.counts_of(CANARY), interval.counts_of(STABLE))]
    ]
    for name, kind in RIVALS.items():
        rival = kind(steps)
        for at, row in enumerate(counts):
            if rival.stops(*row):
                yield name, at + 1
                break


def cell(scenario: Scenario, tally: Tally, name: str) -> str:
    """What the table says about one way to decide in one scenario: percent, or the median minutes and percent found."""
    begins = _begins(scenario)
    minutes = tally.stopped.get(name, [])
    if scenario.kind is Kind.FALSE:
        return percent(len(minutes), tally.runs)
    early = sum(minute <= begins for minute in minutes)
    found = [minute - begins for minute in minutes if minute > begins]
    before = f", {percent(early, tally.runs)} % before" if early else ""
    if not found or 2 * len(found) < tally.runs - early:
        return f"– ({percent(len(found), tally.runs)} %{before})"
    share = f"{percent(len(found), tally.runs)} %" if len(found) < tally.runs else ""
    return f"{median(found):g} ({share}{before})" if share or before else f"{median(found):g}"


def _begins(scenario: Scenario) -> int:
    latencies = scenario.traffic.latencies
    return scenario.traffic.errors.begins if latencies is None else latencies.begins


def cost(intervals: int) -> tuple[float, float]:
    """Microseconds that one interval costs a fresh ledger with four gates, and that their results cost."""
    gates = {**ERROR_RATE, "client_error_rate": {"vs_stable": 1.5}, "latency_p99": {"max_ms": 600.0}, **BOTH}
    traffic = Traffic(
        rpm=600, errors=Errors(canary=0.005, stable=0.005), latencies=Latencies(), weights=((50, intervals),)
    )
    steps = [{"weight": 50, "bake": f"{intervals}m"}, {"weight": 100, "bake": "10m"}]
    ledger = Ledger(
        PlanSettings.from_values({"steps": steps, "gates": gates}),
        colour=CANARY,
        stable_colours=[STABLE],
        grain_seconds=60,
    )
    minutes = list(traffic.minutes(Random(SEED)))
    started = time.perf_counter()
    for step, interval in minutes:
        ledger.feed(interval, phase="live", step=step, alone=False, warm=False)
    fed = time.perf_counter()
    for _ in minutes:
        ledger.results(0)
    return (fed - started) / intervals * 1e6, (time.perf_counter() - fed) / intervals * 1e6


def percent(count: int, runs: int) -> str:
    """A share of the runs in percent; 100 and 0 only where it is all or none."""
    if count in (0, runs):
        return "0" if count == 0 else "100"
    value = 100 * count / runs
    if value < 0.05 or value > 99.9:
        return "< 0.1" if value < 0.05 else "> 99.9"
    return f"{value:.0f}" if 9.95 <= value < 99 else f"{value:.1f}"


def reached(scenario: Scenario, tally: Tally) -> bool:
    """Whether our gates reach the aim."""
    aim, begins = scenario.aim, _begins(scenario)
    minutes = tally.stopped.get(OURS, [])
    found = [minute - begins for minute in minutes if minute > begins]
    never = [1000] * (tally.runs - len(found))
    return (
        (aim.most_taken_back is None or 100 * len(minutes) <= aim.most_taken_back * tally.runs)
        and (aim.least_found is None or 100 * len(found) >= aim.least_found * tally.runs)
        and (aim.most_minutes is None or median([*found, *never]) <= aim.most_minutes)
        and not (aim.none_done and tally.ends["done"])
    )
