"""What the saturation gate says."""

from __future__ import annotations

import pytest

from gate_config import SaturationGate
from rollout.evidence.intervals import Counts, Verdict
from rollout.sources.saturation import saturation

ALL = SaturationGate(cpu=80, memory=90, throttled=0.01)
QUIET = [Counts(requests=100)]


def verdict(gate: SaturationGate, usage: dict[str, float | None], counts: list[Counts]) -> tuple[Verdict, str]:
    found = saturation(gate, usage, counts)
    assert found.gate == "saturation"
    return found.verdict, found.reason


def test_below_every_limit_passes():
    said = verdict(ALL, {"cpu": 41.25, "memory": 90.0}, QUIET)
    assert said == (Verdict.PASS, "cpu 41.2 %, memory 90 %, throttled 0 %")


@pytest.mark.parametrize(
    ("usage", "counts", "reason"),
    [
        ({"cpu": 80.1, "memory": 10.0}, QUIET, "cpu is 80.1 %, above 80 %"),
        ({"cpu": 10.0, "memory": 95.0}, QUIET, "memory is 95 %, above 90 %"),
        ({"cpu": 10.0, "memory": 10.0}, [*QUIET, Counts(throttled=25)], "throttled is 20 %, above 1 %"),
        ({"cpu": 99.0, "memory": None}, [], "cpu is 99 %, above 80 %"),
    ],
)
def test_above_a_limit_is_not_now(usage, counts, reason):
    assert verdict(ALL, usage, counts) == (Verdict.FAIL, reason)


@pytest.mark.parametrize(
    ("usage", "counts", "missing"),
    [
        ({"cpu": None, "memory": 1.0}, QUIET, "cpu"),
        ({}, QUIET, "cpu, memory"),
        ({"cpu": 1.0, "memory": 1.0}, [], "throttled"),
    ],
)
def test_a_missing_value_is_inconclusive_and_not_zero(usage, counts, missing):
    assert verdict(ALL, usage, counts) == (Verdict.INCONCLUSIVE, f"the metric has no value yet for {missing}")


def test_what_has_no_limit_is_not_asked():
    assert verdict(SaturationGate(throttled=0.5), {}, QUIET) == (Verdict.PASS, "throttled 0 %")
    assert saturation(SaturationGate(cpu=1, dry_run=True), {"cpu": 2.0}, ()).dry_run
