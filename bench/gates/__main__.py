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
from pathlib import Path

from bench.gates.measurement import OURS, SEED, Tally, cell, has_rivals, percent, reached, simulate
from bench.gates.rivals import RIVALS
from bench.gates.scenarios import Scenario, scenarios

RUNS_AT_ONCE = 250
HEADER = ["scenario", "traffic", "aim", OURS, "met", "held", "passed all", *RIVALS]


def rows(measured: list[tuple[Scenario, Tally]]) -> list[list[str]]:
    """The table: one row per scenario, our gates with their aim first."""
    table = []
    for scenario, tally in measured:
        others = [cell(scenario, tally, name) if has_rivals(scenario) else "–" for name in RIVALS]
        ends = [percent(tally.ends[end], tally.runs) for end in ("held", "done")]
        aim = str(scenario.aim)
        met = "–" if aim == "–" else "yes" if reached(scenario, tally) else "NO"
        table.append([scenario.group, scenario.name, aim, cell(scenario, tally, OURS), met, *ends, *others])
    return table


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
    missed = [f"{row[0]}, {row[1]}" for row in table if row[4] == "NO"]
    print(f"\n{options.runs} runs of each scenario, seed {SEED}, {time.perf_counter() - started:.0f} s")
    print(f"aims missed: {'; '.join(missed) or 'none'}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    values = [
        dict(zip(HEADER, row, strict=True)) | {"ends": dict(tally.ends)}
        for row, (_, tally) in zip(table, measured, strict=True)
    ]
    options.json.write_text(json.dumps({"runs": options.runs, "seed": SEED, "rows": values}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
