"""Saturation holds: it passes or is inconclusive, and never fails."""

import pytest

from gate_config import SaturationGate
from rollout.evidence.intervals import Counts, Verdict
from rollout.evidence.saturation import Usage, saturation

GATE = SaturationGate(cpu=85.0, memory=90.0, throttled=0.01)


@pytest.mark.parametrize(
    ("usage", "counts", "verdict", "reason"),
    [
        (Usage(cpu=85.0, memory=90.0), Counts(requests=99, throttled=1), Verdict.PASS, "within its limits"),
        (Usage(cpu=93.4, memory=40.0), Counts(requests=9), Verdict.INCONCLUSIVE, "cpu is 93 %, above 85 %"),
        (Usage(cpu=10.0, memory=91.0), Counts(requests=9), Verdict.INCONCLUSIVE, "memory is 91 %, above 90 %"),
        (
            Usage(cpu=10.0, memory=40.0),
            Counts(requests=90, throttled=10),
            Verdict.INCONCLUSIVE,
            "10 of 100 requests were throttled (429), 10 %, above 1 %",
        ),
        (Usage(), Counts(requests=9), Verdict.INCONCLUSIVE, "there is no value of cpu and memory"),
        (Usage(cpu=1.0, memory=1.0), Counts(), Verdict.INCONCLUSIVE, "there is no value of throttled"),
        (
            Usage(cpu=99.0),
            Counts(throttled=5),
            Verdict.INCONCLUSIVE,
            "cpu is 99 %, above 85 %; 5 of 5 requests were throttled (429), 100 %, above 1 %; "
            "there is no value of memory",
        ),
    ],
)
def test_what_it_concludes(usage: Usage, counts: Counts, verdict: Verdict, reason: str) -> None:
    result = saturation(GATE, usage, counts)
    assert (result.gate, result.verdict, result.reason) == ("saturation", verdict, reason)
    assert (result.ceiling, result.guard, result.versus) == (None, None, None)


def test_a_limit_that_is_not_set_asks_for_nothing() -> None:
    assert saturation(SaturationGate(cpu=85.0, dry_run=True), Usage(cpu=1.0), Counts()).verdict is Verdict.PASS
    assert saturation(SaturationGate(cpu=85.0, dry_run=True), Usage(cpu=99.0), Counts()).dry_run is True
