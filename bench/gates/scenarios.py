"""What is simulated, and what has to be reached in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.gates.traffic import Errors, Latencies, Traffic

ERROR_RATE = {"error_rate": {"max": 0.01, "vs_stable": 1.5}}
LADDER = {"latency_p95": {"vs_stable": 1.3}}
LIMIT = {"latency_p95": {"max_ms": 300.0}}
BOTH = {"latency_p95": {"max_ms": 300.0, "vs_stable": 1.3}}
RATES_A_MINUTE = (20, 60, 300, 3000)
LONG = ((10, 52), (25, 53), (50, 52), (75, 53))
BURSTS = (1 / 120, 0.3)


class Kind(StrEnum):
    """What a row of the table counts."""

    FALSE = "taken back, %"
    FOUND = "minutes until found"


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What has to be reached; None: no bound on it."""

    most_taken_back: float | None = None
    """Percent of the runs."""
    least_found: float | None = None
    """Percent of the runs."""
    most_minutes: float | None = None
    """Median, from the minute in which the trouble begins."""
    none_done: bool = False
    """No run may pass all steps."""

    def __str__(self) -> str:
        parts = []
        if self.most_taken_back is not None:
            parts.append(f"≤ {self.most_taken_back:g} %")
        if self.least_found is not None:
            parts.append(f"≥ {self.least_found:g} % found")
        if self.most_minutes is not None:
            parts.append(f"≤ {self.most_minutes:g} min")
        if self.none_done:
            parts.append("none at 100 %")
        return ", ".join(parts) or "–"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the table."""

    group: str
    name: str
    kind: Kind
    traffic: Traffic
    gates: dict[str, Any]
    aim: Aim = Aim()
    holds: bool = False
    """Steps wait until they pass or their deadline is over, and 100 % follows; else every step has its planned time."""


def scenarios() -> list[Scenario]:
    """All rows, in the order of the table."""
    return [*_identical(), *_held(), *_dependent(), *_detection(), *_late(), *_latency()]


def _identical() -> list[Scenario]:
    rows = []
    for rate in (0.001, 0.005, 0.01, 0.05):
        aim = Aim(most_taken_back=1.5) if rate < 0.05 else Aim(most_taken_back=10, none_done=True)
        for rpm in RATES_A_MINUTE:
            rows.append(
                Scenario(
                    group=f"identical, {rate * 100:g} %" if rate < 0.05 else "both at 5 %",
                    name=f"{rpm} rpm",
                    kind=Kind.FALSE,
                    traffic=Traffic(rpm=rpm, errors=Errors(canary=rate, stable=rate)),
                    gates=ERROR_RATE,
                    aim=aim,
                )
            )
    return rows


def _held() -> list[Scenario]:
    return [
        Scenario(
            group=group,
            name=f"{rpm} rpm",
            kind=Kind.FALSE,
            traffic=Traffic(rpm=rpm, errors=Errors(canary=rate, stable=rate)),
            gates=ERROR_RATE,
            aim=aim,
            holds=True,
        )
        for group, rate, aim in (
            ("identical, 0.5 %, steps held", 0.005, Aim(most_taken_back=1.5)),
            ("both at 5 %, steps held", 0.05, Aim(none_done=True)),
        )
        for rpm in RATES_A_MINUTE
    ]


def _dependent() -> list[Scenario]:
    shared = Errors(canary=0.005, stable=0.005, incident=(15, 5, 0.3))
    bursts = Errors(canary=0.005, stable=0.005, burst=BURSTS)
    return [
        Scenario(
            group=group,
            name=f"{rpm} rpm",
            kind=Kind.FALSE,
            traffic=Traffic(rpm=rpm, errors=errors),
            gates=ERROR_RATE,
            aim=Aim(most_taken_back=most),
        )
        for group, errors, most in (
            ("shared incident, 30 % for 5 min", shared, 0.5),
            ("own bursts, 30 % for 1 min in 2 h", bursts, 3),
        )
        for rpm in RATES_A_MINUTE[1:]
    ]


def _detection() -> list[Scenario]:
    aims = {
        (0.1, 60): Aim(most_minutes=5),
        (0.03, 300): Aim(most_minutes=12),
        (1.0, 20): Aim(most_minutes=2),
        (1.0, 60): Aim(most_minutes=2),
        (1.0, 300): Aim(most_minutes=2),
        (1.0, 3000): Aim(most_minutes=2),
    }
    return [
        Scenario(
            group=f"canary {rate * 100:g} %, stable 1 %" if rate < 1 else "total breakage, stable 1 %",
            name=f"{rpm} rpm",
            kind=Kind.FOUND,
            traffic=Traffic(rpm=rpm, errors=Errors(canary=rate, stable=0.01)),
            gates=ERROR_RATE,
            aim=aims.get((rate, rpm), Aim()),
        )
        for rate in (0.02, 0.03, 0.05, 0.1, 1.0)
        for rpm in RATES_A_MINUTE
    ]


def _late() -> list[Scenario]:
    return [
        Scenario(
            group=f"3 % from minute 180 of 210, before and stable {stable * 100:g} %",
            name=f"{rpm} rpm",
            kind=Kind.FOUND,
            traffic=Traffic(rpm=rpm, errors=Errors(canary=0.03, stable=stable, begins=180), weights=LONG),
            gates=ERROR_RATE,
            aim=Aim(most_minutes=10) if (rpm, stable) == (300, 0.005) else Aim(),
        )
        for stable in (0.005, 0.01)
        for rpm in (60, 300)
    ]


def _latency() -> list[Scenario]:
    none = Errors(canary=0.0, stable=0.0)
    rows = []
    for label, gates in (("P95 ≤ 1.3 × stable", LADDER), ("P95 ≤ 300 ms", LIMIT)):
        for group, latencies, kind in (
            ("identical", Latencies(), Kind.FALSE),
            ("identical, own noise 10 %", Latencies(own_noise=0.1), Kind.FALSE),
            ("1.2 × as slow", Latencies(times=1.2), Kind.FALSE),
            ("1.5 × as slow", Latencies(times=1.5), Kind.FOUND),
            ("2 × as slow", Latencies(times=2.0), Kind.FOUND),
            ("3 × as slow", Latencies(times=3.0), Kind.FOUND),
            ("2 × as slow from minute 20", Latencies(times=2.0, begins=20), Kind.FOUND),
        ):
            for rpm in RATES_A_MINUTE[:3]:
                rows.append(
                    Scenario(
                        group=f"{label}: {group}",
                        name=f"{rpm} rpm",
                        kind=kind,
                        traffic=Traffic(rpm=rpm, errors=none, latencies=latencies),
                        gates=gates,
                        aim=_latency_aim(group, rpm),
                    )
                )
    return rows


def _latency_aim(group: str, rpm: int) -> Aim:
    if group == "identical":
        return Aim(most_taken_back=1)
    if group == "2 × as slow" and rpm == 60:
        return Aim(least_found=95, most_minutes=18)
    return Aim()
