"""The real program with 1, 10 and 50 endpoints of two deployments each, with Azure's answers at once and 300 ms late.

Models are copies of the example in a copy of the project, compute is simulated, and one local Azure serves everything.
A delayed read is a fault of the local Azure on every GET, polls included. "cold" starts with an empty cache of model
files, "warm" with a full one; the probed preview shows where the time goes.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.preview import probe_preview
from bench.rehearsal import MODEL, ROOT, SLUICE, Rehearsal, copy_program
from bench.timing import Command, spread

ENDPOINTS = (1, 10, 50)
DELAYS_MS = (0, 300)
STACK = "scale"
COLOURS = ("blue", "green")
PHASES = ("engine", "imports", "reading Azure", "own code")


def measure(rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure each count of endpoints in its own local Azure; the given one is not used."""
    results: dict[str, Any] = {}
    for count in ENDPOINTS:
        with Rehearsal("--compute", "simulated") as azure:
            results[str(count)] = _measure_count(_Project.create(azure, count), runs)
    _print(results)
    return results


def _measure_count(project: "_Project", runs: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    up = ("pulumi", "up", "--yes", "--skip-preview")
    row["up_platform_cold_seconds"] = project.run(*up)
    row["publish_all_seconds"] = project.run(str(SLUICE), "release", "publish", "--all", "--stack", STACK)
    row["up_deployments_seconds"] = project.run(*up)
    row["up_weights_seconds"] = project.run(*up)
    cold: dict[int, list[float]] = {delay: [] for delay in DELAYS_MS}
    warm: dict[int, list[float]] = {delay: [] for delay in DELAYS_MS}
    change: dict[int, list[float]] = {delay: [] for delay in DELAYS_MS}
    for number in range(runs):
        for delay in DELAYS_MS:
            with project.delayed(delay):
                project.forget_models()
                cold[delay].append(project.run("pulumi", "preview"))
                warm[delay].append(project.run("pulumi", "preview"))
                project.move_weights(blue=90 if number % 2 == (delay > 0) else 100)
                change[delay].append(project.run(*up))
    for title, seconds in (("preview_cold", cold), ("preview_warm", warm), ("weight_change", change)):
        row[title] = {f"{delay} ms": spread(values) for delay, values in seconds.items()}
    row["phases"] = {}
    for delay in DELAYS_MS:
        with project.delayed(delay):
            phases = probe_preview(project.rehearsal, f"{STACK}-{delay}", project.folder, project.environment)["phases"]
        row["phases"][f"{delay} ms"] = {
            "engine": phases["engine and language host, before the program"] + phases["engine, after the program"],
            "imports": phases["imports"],
            "reading Azure": phases["plugin start and reading Azure"],
            "own code": phases["own code and registering resources"],
        }
    return row


def _print(results: dict[str, Any]) -> None:
    """Print one line per figure, one column per count of endpoints, and the cost of one more endpoint."""
    counts = [int(count) for count in results]
    print(f"\nthe program at scale, two deployments per endpoint, seconds\n  {'endpoints':48}", end="")
    print("".join(f"{count:>9}" for count in counts) + f"{'per endpoint':>14}")
    for title, *path in _lines():
        values = []
        for figure in results.values():
            for key in path:
                figure = figure[key]
            values.append(figure)
        grown = (values[-1] - values[0]) / max(1, counts[-1] - counts[0])
        print(f"  {title:48}" + "".join(f"{seconds:9.2f}" for seconds in values) + f"{grown:14.3f}")


def _lines() -> Iterator[tuple[str, ...]]:
    """Yield titles, each with the path to its figure in the results of one count."""
    yield "first up (platform, endpoints), empty cache", "up_platform_cold_seconds"
    yield "sluice release publish --all", "publish_all_seconds"
    yield "up (deployments at 0 %)", "up_deployments_seconds"
    yield "up (weights)", "up_weights_seconds"
    for delay in (f"{delay} ms" for delay in DELAYS_MS):
        yield f"preview, cold, reads {delay}", "preview_cold", delay, "median"
        yield f"preview, warm, reads {delay}", "preview_warm", delay, "median"
        yield f"one weight change, reads {delay}", "weight_change", delay, "median"
        for phase in PHASES:
            yield f"  of a probed preview: {phase}", "phases", delay, phase


@dataclass
class _Project:
    """A copy of the program with many models, and its stack on one local Azure."""

    rehearsal: Rehearsal
    folder: Path
    count: int
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, rehearsal: Rehearsal, count: int) -> "_Project":
        folder = rehearsal.folder / f"project-{count}"
        copy_program(folder, "models/*.py")
        keys = [f"model-{number:02}" for number in range(count)]
        for key in keys:
            _copy_model(folder / "models" / key)
        config = {
            "azure-native:location": "westeurope",
            "sluice:team": "bench",
            "sluice:network": "public",
            "sluice:endpoints": {key: {"deployments": {colour: {} for colour in COLOURS}} for key in keys},
            "sluice:rollout": {key: {"stable": "blue", "traffic": {"blue": 100, "green": 0}} for key in keys},
        }
        # JSON is YAML, and only programs read this file.
        (folder / f"Pulumi.{STACK}.yaml").write_text(json.dumps({"config": config}, indent=1))
        project = cls(rehearsal, folder, count)
        project.environment = rehearsal.environment(STACK, folder) | {"XDG_CACHE_HOME": str(folder / "cache")}
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
        return project

    def run(self, *arguments: str) -> float:
        """Run a command in the project's folder; return its seconds. A failure ends the benchmark with its output."""
        return Command(
            name=" ".join(arguments), arguments=arguments, folder=self.folder, environment=self.environment
        ).run()

    def forget_models(self) -> None:
        """Empty the cache of parsed model files."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def move_weights(self, blue: int) -> None:
        """Declare other weights of the first endpoint."""
        file = Path(self.environment["PULUMI_OPTION_CONFIG_FILE"])
        for colour, weight in (("blue", blue), ("green", 100 - blue)):
            self.run(
                "pulumi", "config", "set", "--path", f"sluice:rollout.model-00.traffic.{colour}", str(weight),
                "--config-file", str(file),
            )  # fmt: skip

    @contextmanager
    def delayed(self, milliseconds: int) -> Iterator[None]:
        """Delay every GET of the local Azure by this time."""
        home = ("--home", str(self.rehearsal.home))
        if milliseconds:
            self.rehearsal.sluice(
                "local", "fault", "add", "delay", "--by", f"{milliseconds}ms", "--method", "GET", *home
            )
        try:
            yield
        finally:
            if milliseconds:
                self.rehearsal.sluice("local", "fault", "clear", *home)


def _copy_model(target: Path) -> None:
    """Copy the example under another name. Its files name the endpoint, so no cached entry of the example matches."""
    shutil.copytree(
        ROOT / "models" / MODEL,
        target,
        ignore=shutil.ignore_patterns("amber*", "*.lock.yml", "train.py", "__pycache__"),
    )
    for file in target.glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(rf"^(name|endpoint_name): {MODEL}$", rf"\1: {target.name}", text, flags=re.MULTILINE))
    (target / "src" / "which.txt").write_text(f"{target.name}\n")  # gives each model's code a different digest
