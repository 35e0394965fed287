"""Simulate all scenarios and print the table: `python -m bench.gates [--runs N] [--only TEXT] [--json FILE]`.

Minutes are minutes of data: the lag of the metrics and one update come on top. The seeds are fixed, so the table is the
same on every machine; the work is shared by all processors.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path

from bench.gates.measurement import OURS, SEED, Tally, cell, cost, has_rivals, percent, reached, simulate
from bench.gates.rivals import RIVALS
from bench.gates.scenarios import Aim, Scenario, scenarios

RUNS_AT_ONCE = 250
INTERVALS = 1000
SEPARATOR = " / "
HEADER = ["scenario", "requests a minute", "figure", "aim", OURS, "met", "held, %", "passed all, %", *RIVALS]


def rows(measured: list[tuple[Scenario, Tally]]) -> list[list[str]]:
    """The table: one row per group of scenarios, which differ in their traffic, our gates with their aim first."""
    table = []
    for group, members in groupby(measured, key=lambda each: each[0].group):
        pairs = list(members)
        first = pairs[0][0]
        ours, *others = ([cell(scenario, tally, name) for scenario, tally in pairs] for name in (OURS, *RIVALS))
        ends = [[percent(tally.ends[end], tally.runs) for _, tally in pairs] for end in ("held", "done")]
        joined = [SEPARATOR.join(each) if has_rivals(first) else "" for each in others]
        traffic = SEPARATOR.join(f"{scenario.traffic.rpm:g}" for scenario, _ in pairs)
        aim, met = _aims(pairs)
        row = [group, traffic, first.kind.value, aim, SEPARATOR.join(ours), met]
        table.append([*row, *(SEPARATOR.join(each) for each in ends), *joined])
    return table


def _aims(pairs: list[tuple[Scenario, Tally]]) -> tuple[str, str]:
    """The aims of a group, and whether they are met."""
    aims = [(scenario, tally) for scenario, tally in pairs if scenario.aim != Aim()]
    missed = [f"{scenario.traffic.rpm:g}" for scenario, tally in aims if not reached(scenario, tally)]
    if not aims:
        return "", ""
    traffic = "" if len(aims) == len(pairs) else f" at {', '.join(f'{each.traffic.rpm:g}' for each, _ in aims)}"
    return f"{aims[0][0].aim}{traffic}", f"NO at {', '.join(missed)}" if missed else "yes"


def render(table: list[list[str]]) -> str:
    """The table as Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measure(chosen: list[Scenario], runs: int) -> list[tuple[Scenario, Tally]]:
    """Simulate the scenarios, on all processors."""
    measured = [(scenario, Tally()) for scenario in chosen]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [
            (tally, pool.submit(simulate, scenario, min(RUNS_AT_ONCE, runs - part * RUNS_AT_ONCE), part=part))
            for scenario, tally in measured
            for part in range(-(-runs // RUNS_AT_ONCE))
        ]
        for tally, job in jobs:
            tally.add(job.result())
    return measured


def main() -> int:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.gates", description=__doc__)
    parser.add_argument("--runs", type=int, default=4000, help="simulated rollouts of each scenario (default 4000)")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name contains this")
    parser.add_argument("--json", type=Path, default=Path("build/bench-gates.json"), metavar="FILE")
    options = parser.parse_args()
    chosen = [each for each in scenarios() if options.only in f"{each.group}, {each.name}"]
    if options.runs < 1 or not chosen:
        parser.error(f"--runs must be at least 1 and --only must match, got {options.runs} and {options.only!r}")
    started = time.perf_counter()
    measured = measure(chosen, options.runs)
    table = rows(measured)
    print(render(table))
    missed = [f"{each.group}, {each.name}" for each, tally in measured if not reached(each, tally)]
    print(f"\n{options.runs} runs of each scenario, seed {SEED}, {time.perf_counter() - started:.0f} s")
    fed, told = cost(INTERVALS)
    print(f"{INTERVALS} intervals cost a fresh ledger of four gates {fed:.0f} µs each, their results {told:.0f} µs")
    print(f"aims missed: {'; '.join(missed) or 'none'}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    values = [
        {"group": each.group, "rpm": each.traffic.rpm, "aim": str(each.aim), "ends": tally.ends}
        | {name: cell(each, tally, name) for name in (OURS, *RIVALS)}
        for each, tally in measured
    ]
    options.json.write_text(
        json.dumps({"runs": options.runs, "seed": SEED, "microseconds": [fed, told], "rows": values}, indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
