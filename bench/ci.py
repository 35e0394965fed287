"""`sluice ci preview`, `ci deliver` with nothing to do and `ci sync`, each against its aim.

The aims are made of commands that are measured in turn with them, so that a busy machine slows both: 1.1 previews by
`pulumi preview` + 1 s; one preview + 3 s; 1 s for what `sync` does with git in a repository of over a thousand files.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bench.delivery_repository import STACK, DeliveryRepository
from bench.rehearsal import MODEL, ROOT, Rehearsal
from bench.timing import Command, print_spreads, ratios, spread

SOURCE, BRANCH = "protected", f"sluice/{STACK}"


def measure(_rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure in a local Azure of its own, whose compute is simulated."""
    with Rehearsal("--compute", "simulated") as rehearsal:
        repository = DeliveryRepository(rehearsal)
        results = {"load": os.getloadavg()[0], "commands": _commands(repository, runs), "sync": _sync(repository, runs)}
    print(f"\nload of the machine at the beginning: {results['load']:.1f} on {os.cpu_count()} processors")
    return results


def _commands(repository: DeliveryRepository, runs: int) -> dict[str, Any]:
    repository.push("green", _add_green)
    change, main = repository.clone("change", "green"), repository.clone("main")
    ours = repository.sluice(change, "ci", "preview", "--markdown", str(change.parent / "comment.md"))
    theirs, nothing = repository.preview(change), repository.sluice(main, "ci", "deliver")
    results: dict[str, Any] = {}
    for clock, seconds in _in_turn([theirs, ours, nothing], runs).items():
        previews = seconds[theirs.name]
        seconds["aim of ci preview"] = [1.1 * preview + 1 for preview in previews]
        seconds["aim of ci deliver"] = [preview + 3 for preview in previews]
        aims = {
            "ci preview / (1.1 previews + 1 s)": ratios(seconds, ours.name, "aim of ci preview"),
            "ci deliver / (one preview + 3 s)": ratios(seconds, nothing.name, "aim of ci deliver"),
        }
        print_spreads(f"commands of a pipeline / their aims, {clock}", aims, "x")
        results[clock] = {
            "seconds": print_spreads(clock, seconds, "s"),
            "ratios": {k: spread(v) for k, v in aims.items()},
        }
    return results


def _in_turn(commands: Sequence[Command], runs: int) -> dict[str, dict[str, list[float]]]:
    """Time on the wall and of processors, after one uncounted round.

    Other work on the machine lengthens the former. The latter is what the command and its processes computed: on an
    idle machine, a command that waits for nothing takes no longer than that.
    """
    wall: dict[str, list[float]] = {command.name: [] for command in commands}
    processors: dict[str, list[float]] = {command.name: [] for command in commands}
    for number in range(runs + 1):
        for command in commands:
            before = _computed()
            elapsed = command.run()
            if number:
                wall[command.name].append(elapsed)
                processors[command.name].append(_computed() - before)
    return {"time": wall, "processor time": processors}


def _computed() -> float:
    """Processor seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sync(repository: DeliveryRepository, runs: int) -> dict[str, Any]:
    """A sync of a commit that is new, and one that finds nothing new."""
    repository.push(SOURCE, lambda config: config.update({"sluice:branch": BRANCH}))
    clone = repository.clone("sync", SOURCE)
    files = len(repository.git(clone, "ls-files").splitlines())
    repository.sluice(clone, "ci", "sync").run()
    parts: dict[str, list[float]] = {}
    for _ in range(runs):
        repository.push(SOURCE)
        for name, seconds in _probe(repository, clone).items():
            parts.setdefault(name, []).append(seconds)
    spreads = print_spreads(f"sync and push, {files} files: aim 1 s without the check", parts, "s")
    return {"files": files, "seconds": spreads}


def _probe(repository: DeliveryRepository, clone: Any) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.sync_probe", str(clone), STACK, SOURCE, BRANCH]
    done = subprocess.run(command, cwd=ROOT, env=repository.environment(clone), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the probe failed:\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout))


def _add_green(config: dict[str, Any]) -> None:
    config["sluice:endpoints"][MODEL]["deployments"]["green"] = {"instances": 1}
