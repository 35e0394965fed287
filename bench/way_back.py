"""How long a rollout takes to bring a bad colour back, from the bad interval on, under load; beside one targeted `up`.

Green gets 10 % of 50 requests a second, and then fails 35 % of its own: too few for the tripwire, so that settled
intervals decide. An interval *can be read* when it has ended for `settle` (measured by the rollout itself). From then
on the time is split into the wait for the tick and the parts that the record keeps, until Azure was read twice with the
old weights. The aim is one interval + one targeted `up` by hand, measured in the same run + 3 s.
"""

import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.pushed_stack import PushedStack, started
from bench.rehearsal import MODEL, ROOT, SAMPLE, SLUICE, Rehearsal
from bench.timing import Command, print_spreads, spread

PLAN = {
    "steps": [{"weight": weight, "bake": "10m"} for weight in (10, 50, 100)],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": 20,
}
RATE = 50
BAD_PERCENT = 35
GRAIN_SECONDS, SPARE_SECONDS = 1, 3
PARTS = ("read", "decide", "write", "up", "verify")
LOOK_SECONDS = 0.03
PATIENCE_SECONDS = 300


def measure(_rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure in a local Azure of its own, whose compute is simulated."""
    with Rehearsal("--compute", "simulated") as rehearsal:
        stack = PushedStack(rehearsal, PLAN)
        load = _load(stack)
        try:
            found = [_way_back(stack, number) for number in range(runs)]
        finally:
            load.terminate()
            load.wait()
    names = ("wait for the tick", *PARTS, "in all", "Azure has the weights", "targeted up by hand", "aim")
    seconds = {name: [run[name] for run in found] for name in names}
    title = "from when the bad interval can be read until its weights are back"
    results: dict[str, Any] = {"seconds": print_spreads(title, seconds, "s")}
    ratio = [run["in all"] / run["aim"] for run in found]
    print_spreads("ratio", {"in all / (interval + targeted up + 3 s)": ratio}, "x")
    return results | {"ratio": spread(ratio)}


def _way_back(stack: PushedStack, number: int) -> dict[str, float]:
    flags = ("--to", "green", "--again")
    process = started(stack.rollout("run", MODEL, *flags), stack.rehearsal.folder / f"run-{number}.log")
    try:
        _until(lambda: _kinds(stack).count("applied") == 1 and _is_fresh(stack, number), process)
        stack.fault("add", "errors", "--name", f"{stack.endpoint_id.rpartition('/')[2]}/green",
                    "--share", str(BAD_PERCENT))  # fmt: skip
        _until(lambda: stack.live() == {"blue": 100}, process)
        live = time.time()
        _until(lambda: "ended" in _kinds(stack), process)
        ended = time.time()
        process.wait()
    finally:
        process.kill()
        process.wait()
    stack.fault("clear")
    events = stack.events()
    spent = {name: float(seconds) for name, seconds in events[-2]["data"]["seconds"].items()}
    readable = _readable(events)
    parts = {name: spent.get(name, 0.0) for name in PARTS}
    wait = ended - readable - sum(parts.values())
    by_hand = _targeted_up(stack)
    aim = GRAIN_SECONDS + by_hand + SPARE_SECONDS
    whole = {"in all": ended - readable, "Azure has the weights": live - readable}
    return {"wait for the tick": wait, **parts, **whole, "targeted up by hand": by_hand, "aim": aim}


def _readable(events: list[dict[str, Any]]) -> float:
    """When the last interval that the decision knew had ended for `settle`."""
    settle = next(event["data"]["settle"] for event in events if event["kind"] == "verified")
    back = next(event["seq"] for event in events if event["kind"] == "intent" and event["data"]["direction"] == "back")
    last = [one for event in events[:back] for one in event["data"].get("intervals", ())][-1]
    return float(last["start"] + last["seconds"] + settle)


def _targeted_up(stack: PushedStack) -> float:
    """One update of the endpoint alone to 10 % and one back, by hand: the mean, under the same load."""
    before = stack.file.read_text(encoding="utf-8")
    seconds = 0.0
    for traffic in ({"blue": 90, "green": 10}, {"blue": 100, "green": 0}):
        document = stack.read()
        document["config"]["sluice:rollout"][MODEL]["traffic"] = traffic
        stack.write(document)
        seconds += stack.up_of_endpoint().run()
    stack.file.write_text(before, encoding="utf-8")
    return seconds / 2


def _load(stack: PushedStack) -> "subprocess.Popen[bytes]":
    """Callers, who never pause."""
    endpoint = stack.arm("GET", stack.endpoint_id)
    key = stack.arm("POST", f"{stack.endpoint_id}/listKeys")["primaryKey"]
    arguments = [str(SLUICE), "load", endpoint["properties"]["scoringUri"], "--request-file", str(SAMPLE)]
    arguments += ["--rate", str(RATE), "--seconds", "86400"]
    environment = stack.environment | {"SLUICE_ENDPOINT_KEY": key}
    command = Command(name="load", arguments=arguments, folder=ROOT, environment=environment)
    return started(command, stack.rehearsal.folder / "load.log")


def _kinds(stack: PushedStack) -> list[str]:
    return [event["kind"] for event in stack.events()]


def _is_fresh(stack: PushedStack, number: int) -> bool:
    """Whether the last record is that of this run."""
    return len(list(Path(stack.folder / "rollouts").rglob("*.jsonl"))) == number + 1


def _until(condition: Any, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline or process.poll() is not None:
            if condition():
                return
            moment = datetime.now().isoformat(timespec="seconds")
            raise SystemExit(f"{moment}: the rollout did not come to what is awaited; exit code {process.poll()}")
        time.sleep(LOOK_SECONDS)
