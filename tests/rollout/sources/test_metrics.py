"""What the controller reads in one tick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gate_config import GatesSettings, SaturationGate
from rollout.errors import MetricsError
from rollout.evidence.intervals import Counts, Interval, Quantiles, Verdict
from rollout.sources.azure_monitor import Grain
from rollout.sources.metric_answer import Look
from rollout.sources.metrics import AzureMetrics
from rollout_config import PlanSettings
from tests.rollout.sources.reading_state import GRAIN, START, State


class Monitor:
    """Azure Monitor with ten requests of green in every minute."""

    grain = Grain(seconds=GRAIN, reach_seconds=93 * 86400)

    def __init__(self) -> None:
        self.readings: list[tuple[int, int]] = []
        self.counted = 0
        self.failing = False
        self.problem: str | None = None
        self.used: dict[str, float | None] = {"cpu": 10.0, "memory": 20.0}

    def looks(self, since: int, now: int, grain: int, *, counts_only: bool = False) -> tuple[Look, ...]:
        self.readings.append((since, now))
        self.counted += counts_only
        if self.failing:
            raise MetricsError("Azure Monitor did not answer.")
        counts = {"green": Counts(requests=10)}
        starts = range(-(-since // grain) * grain, now // grain * grain, grain)
        return tuple(
            Look(
                at=now,
                interval=Interval(
                    start=start,
                    seconds=grain,
                    counts=counts,
                    quantiles={} if counts_only else {"green": Quantiles(p95=40.0)},
                ),
                problem=self.problem,
                counts_only=counts_only,
            )
            for start in starts
        )

    def usage(self, deployment: str, since: int, now: int, grain: int) -> dict[str, float | None]:
        if self.failing:
            raise MetricsError("Azure Monitor did not answer.")
        return self.used


def source(monitor: Any, slept: list[float] | None = None) -> AzureMetrics:
    return AzureMetrics(monitor, Path("."), (slept if slept is not None else []).append)


def test_a_new_process_reads_the_counts_twice_and_a_running_one_once():
    monitor, slept = Monitor(), []
    metrics = source(monitor, slept)
    first = metrics.read(State(), START + 300)
    assert [one.start for one in first.settled] == [START, START + 60, START + 120]
    assert first.settled[0].quantiles
    assert first.settled_until == START + 180
    assert [one.start for one in first.young] == [START + 180, START + 240]
    assert (len(monitor.readings), monitor.counted, len(slept)) == (2, 1, 1)
    after = metrics.read(State(read_until=first.settled_until), START + 360)
    assert [one.start for one in after.settled] == [START + 180]
    assert (len(monitor.readings), monitor.counted, len(slept)) == (3, 1, 1)


def test_nothing_settled_leaves_the_end_where_it_was():
    reading = source(Monitor()).read(State(), START + 100)
    assert (reading.settled, reading.settled_until, reading.problem) == ((), START, None)


def test_a_source_that_errs_is_a_problem_and_not_an_empty_answer():
    monitor = Monitor()
    monitor.failing = True
    reading = source(monitor).read(State(), START + 300)
    assert (reading.settled, reading.settled_until) == ((), START)
    assert reading.problem == "Azure Monitor did not answer."
    monitor.failing, monitor.problem = False, "not a whole number"
    reading = source(monitor).read(State(), START + 300)
    assert (reading.settled, reading.problem) == ((), "not a whole number")


def test_probes_are_counted_from_the_interval_of_the_first():
    monitor = Monitor()
    assert source(monitor).counted("green", START + 75, START + 185) == 20
    assert monitor.readings == [(START + 60, START + 185)]
    assert source(monitor).counted("blue", START + 75, START + 185) == 0
    monitor.problem = "not a whole number"
    assert source(monitor).counted("green", START, START + 185) is None
    monitor.failing = True
    assert source(monitor).counted("green", START, START + 185) is None


def test_saturation_is_read_while_the_colour_has_weight():
    gates = GatesSettings(saturation=SaturationGate(cpu=80, throttled=0.1))
    state = State(
        plan=PlanSettings(preset="canary", gates=gates),
        intervals=(
            Interval(start=START - 60, seconds=60, counts={"green": Counts(throttled=900)}),
            Interval(start=START, seconds=60, counts={"green": Counts(requests=9)}),
        ),
    )
    monitor = Monitor()
    metrics = source(monitor)
    assert metrics.read(state, START + 100).results == ()  # before the first step
    state.step = 0
    (result,) = metrics.read(state, START + 100).results
    assert (result.verdict, result.reason) == (Verdict.PASS, "cpu 10 %, throttled 0 %")
    monitor.failing = True
    reading = metrics.read(state, START + 100)
    assert [one.verdict for one in reading.results] == [Verdict.ERROR]
    assert reading.problem
