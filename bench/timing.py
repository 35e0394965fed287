"""Timing of whole commands in turn, and the tables that show it."""

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command to time, process start included."""

    name: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]

    def run(self) -> float:
        """Return the wall time in seconds; a command that fails ends the benchmark with its output."""
        started = time.perf_counter()
        finished = subprocess.run(
            self.arguments,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.perf_counter() - started
        if finished.returncode != 0:
            raise SystemExit(f"{self.name} failed with exit code {finished.returncode}:\n{finished.stdout}")
        return seconds


def in_turn(commands: Sequence[Command], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each command's runs: one uncounted round, then A B C A B C ..., so that drift hits all."""
    seconds: dict[str, list[float]] = {command.name: [] for command in commands}
    for number in range(runs + 1):
        for command in commands:
            elapsed = command.run()
            if number:
                seconds[command.name].append(elapsed)
    return seconds


def ratios(seconds: Mapping[str, Sequence[float]], over: str, under: str) -> list[float]:
    """Run by run."""
    return [a / b for a, b in zip(seconds[over], seconds[under], strict=True)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_spreads(title: str, rows: Mapping[str, Sequence[float]], unit: str) -> dict[str, dict[str, float]]:
    """Print one row per name with its spread, and return the spreads."""
    print(f"\n{title}\n  {'':44}{'min':>9}{'median':>9}{'max':>9}")
    spreads = {name: spread(values) for name, values in rows.items()}
    for name, value in spreads.items():
        print(f"  {name:44}{value['min']:9.3f}{value['median']:9.3f}{value['max']:9.3f} {unit}")
    return spreads
