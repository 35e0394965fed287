"""Run the benchmarks and write their numbers: `python -m bench [NAME ...] [--runs N] [--json FILE]`.

Every ratio compares two things measured in turn in the same run, on the same machine. `python -m bench soak --minutes
10` keeps up a load while faults come and go and the deployments change; it runs only on request.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import ci, localazure, preview, publish, scale, serving, soak, ticks, way_back, weights
from bench.rehearsal import Rehearsal

BENCHMARKS: dict[str, Callable[[Rehearsal, int], dict[str, Any]]] = {
    "preview": preview.measure,
    "weights": weights.measure,
    "serving": serving.measure,
    "localazure": localazure.measure,
    "scale": scale.measure,
    "way_back": way_back.measure,
    "ticks": ticks.measure,
    "ci": ci.measure,
    "publish": publish.measure,
}


def main() -> int:
    """Run the requested benchmarks in one local Azure of their own."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of: {', '.join(BENCHMARKS)}; default: all; or soak"
    )
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE")
    parser.add_argument("--minutes", type=float, default=10.0, help="soak: how long (default 10)")
    parser.add_argument(
        "--compute", choices=["processes", "simulated"], default="processes", help="soak: of its models"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - BENCHMARKS.keys()) if options.names != ["soak"] else []
    if unknown or options.runs < 1:
        parser.error(f"unknown benchmark {unknown}" if unknown else f"--runs must be at least 1, got {options.runs}")
    results: dict[str, Any] = {"machine": platform.platform(), "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    if options.names == ["soak"]:
        results["soak"] = soak.run(options.minutes, options.compute)
        return _write(options.json, results)
    with Rehearsal() as rehearsal:
        for name in options.names or BENCHMARKS:
            results[name] = BENCHMARKS[name](rehearsal, options.runs)
    return _write(options.json, results)


def _write(file: Path, results: dict[str, Any]) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
