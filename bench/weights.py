"""One weight change: `pulumi up --yes --skip-preview` against an MLClient script, process start included.

Both alternately move the same endpoint of the same local Azure between 90/10 and 100/0. The stack file is edited
outside the timed part: an operator edits it in an editor, and the script takes its weights as arguments.
"""

import sys
from pathlib import Path
from typing import Any

from bench.rehearsal import MODEL, ROOT, Rehearsal
from bench.timing import Command, print_spreads, ratios, spread

SCRIPT = Path(__file__).parent / "set_traffic.py"


def measure(rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Time both alternately; return seconds and the ratio."""
    environment = rehearsal.settle("dev")
    outputs = rehearsal.outputs("dev")
    endpoint = outputs["endpoints"][MODEL]["id"]
    rehearsal.pulumi("dev", "config", "set", "--path", f"sluice:endpoints.{MODEL}.deployments.green.instances", "1")
    rehearsal.pulumi("dev", "config", "set", "--path", f"sluice:rollout.{MODEL}.traffic.green", "0")
    rehearsal.sluice("release", "publish", MODEL, "--stack", "dev", stack="dev")
    rehearsal.pulumi("dev", "up", "--yes", "--skip-preview")
    seconds: dict[str, list[float]] = {"pulumi up --yes --skip-preview": [], "MLClient script": []}
    up = Command(
        name="pulumi up",
        arguments=["pulumi", "up", "--yes", "--skip-preview"],
        folder=ROOT,
        environment=environment,
    )
    for number in range(runs + 1):
        # Pulumi's weight differs from its last one, the script's from the live one, so both change something.
        green = 10 * (number % 2 == 0)
        for colour, weight in (("blue", 100 - green), ("green", green)):
            path = f"sluice:rollout.{MODEL}.traffic.{colour}"
            rehearsal.pulumi("dev", "config", "set", "--path", path, str(weight))
        elapsed = [up.run(), _script(endpoint, 10 - green, environment).run()]
        if number:
            for values, value in zip(seconds.values(), elapsed, strict=True):
                values.append(value)
    spreads = print_spreads("one weight change", seconds, "s")
    ratio = ratios(seconds, *seconds)
    print_spreads("ratio", {"pulumi up / MLClient script": ratio}, "x")
    return {"seconds": spreads, "ratio": spread(ratio)}


def _script(endpoint: str, green: int, environment: dict[str, str]) -> Command:
    weights = [f"blue={100 - green}", f"green={green}"]
    return Command(
        name="MLClient script",
        arguments=[sys.executable, str(SCRIPT), endpoint, *weights],
        folder=ROOT,
        environment=environment,
    )
