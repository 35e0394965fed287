"""What a tick costs that changes nothing: in a stack with 1, 100 and 1,000 endpoints, Azure at once and 300 ms late.

All endpoints have a rollout at 10 %. The first is started by the real program; the others are copies of it in Azure,
in the stack file and as records. A delayed read is a fault of the local Azure on every GET, metric queries included.
Ticks of one rollout are timed in a process that goes on (`tick_probe.py`); `sluice rollout step --all` ticks each
rollout once, one after another, in a process that starts for it.
"""

import copy
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.pushed_stack import STACK, PushedStack
from bench.rehearsal import MODEL, ROOT, Rehearsal
from bench.timing import spread
from rollout.record.chain import Chain
from rollout.record.event import Kind

ENDPOINTS = (1, 100, 1000)
DELAYS_MS = (0, 300)
MOST_AT_ONCE = 20
"""Of how many rollouts a round of `step --all` is timed."""
TICKS_PER_RUN = 4
PLAN = {
    "steps": [{"weight": 10, "bake": "6h"}, {"weight": 50, "bake": "6h"}, {"weight": 100, "bake": "6h"}],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "verify": False,
    "settle": "2s",
}


def measure(_rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure in a local Azure of its own, which grows; its compute is simulated."""
    results: dict[str, Any] = {}
    with Rehearsal("--compute", "simulated") as rehearsal:
        fleet = _Fleet(PushedStack(rehearsal, PLAN))
        for count in ENDPOINTS:
            fleet.grow(count)
            results[str(count)] = {f"{delay} ms": fleet.measured(delay, runs) for delay in DELAYS_MS}
    _print(results)
    return results


def _print(results: dict[str, Any]) -> None:
    print("\na tick without a change, seconds (median, and minimum to maximum)")
    print(f"  {'endpoints in the stack':26}" + "".join(f"{count:>22}" for count in results))
    for delay in (f"{delay} ms" for delay in DELAYS_MS):
        for name in ("a tick", "first tick of a process", "stack file and adapters", "step --all, per rollout"):
            cells = [results[count][delay][name] for count in results]
            shown = "".join(f"{one['median']:8.3f} ({one['min']:.3f}–{one['max']:.3f})".rjust(22) for one in cells)
            print(f"  {f'{name}, {delay}':40}" + shown)


class _Fleet:
    """A stack with more and more endpoints, each with a rollout at its first step."""

    def __init__(self, stack: PushedStack) -> None:
        self._stack = stack
        stack.rollout("start", MODEL, "--to", "green").run()
        step = stack.rollout("step", MODEL)
        while [event["kind"] for event in stack.events()].count("applied") == 0:
            step.run()
        self._endpoint = stack.arm("GET", stack.endpoint_id)
        self._deployments = stack.arm("GET", f"{stack.endpoint_id}/deployments")["value"]
        self._events = stack.events()
        self._keys = [MODEL]

    def grow(self, count: int) -> None:
        """Add endpoints until there are so many."""
        document = self._stack.read()
        config = document["config"]
        for number in range(len(self._keys), count):
            key = f"model-{number:04}"
            self._copy_in_azure(key)
            self._copy_record(key)
            settings = copy.deepcopy(config["sluice:endpoints"][MODEL])
            config["sluice:endpoints"][key] = settings | {"name": key}
            config["sluice:rollout"][key] = copy.deepcopy(config["sluice:rollout"][MODEL])
            self._keys.append(key)
        self._stack.write(document)
        if count > 1:
            self._stack.push(f"{count} endpoints")

    def _copy_in_azure(self, key: str) -> None:
        base = f"{self._stack.endpoint_id.rpartition('/')[0]}/{key}"
        body = {
            name: self._endpoint[name] for name in ("location", "kind", "tags", "identity") if name in self._endpoint
        }
        kept = {name: self._endpoint["properties"][name] for name in ("authMode", "publicNetworkAccess")}
        if ids := (body.get("identity") or {}).get("userAssignedIdentities"):
            body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in ids}}
        self._put(base, body | {"properties": kept | {"traffic": {}}})
        for deployment in self._deployments:
            left_out = ("provisioningState", "egressPublicNetworkAccess")
            own = {name: value for name, value in deployment["properties"].items() if name not in left_out}
            parts = {name: deployment[name] for name in ("location", "kind", "tags", "sku") if name in deployment}
            self._put(f"{base}/deployments/{deployment['name']}", parts | {"properties": own})
        self._put(base, body | {"properties": kept | {"traffic": self._stack.live()}})

    def _put(self, path: str, body: dict[str, Any]) -> None:
        self._stack.arm("PUT", path, body)
        while self._stack.arm("GET", path)["properties"]["provisioningState"] != "Succeeded":
            pass

    def _copy_record(self, key: str) -> None:
        folder = self._stack.folder / "rollouts" / STACK / key
        chain = Chain(folder / f"{self._events[0]['data']['id']}.jsonl")
        source = Chain(next((self._stack.folder / "rollouts" / STACK / MODEL).glob("*.jsonl")))
        for event in source.events[: len(self._events)]:
            data = dict(event.data)
            chain.append(event.kind, data | {"endpoint": key} if event.kind is Kind.STARTED else data, event.at)

    def measured(self, delay: int, runs: int) -> dict[str, dict[str, float]]:
        """The figures of this many endpoints with Azure's answers so late."""
        ticks, first, ready, per_rollout = [], [], [], []
        at_once = self._keys[:MOST_AT_ONCE]
        with self._delayed(delay), self._only(at_once):
            for _ in range(runs):
                probed = self._probe()
                ticks += probed["ticks"]
                first.append(probed["first"])
                ready.append(probed["ready"])
            for _ in range(1 if len(at_once) > 1 else runs):
                per_rollout.append(self._stack.rollout("step", "--all").run() / len(at_once))
        figures = {"a tick": ticks, "first tick of a process": first, "stack file and adapters": ready}
        named = {name: spread(values) for name, values in figures.items()}
        print(f"  {len(self._keys)} endpoints, {delay} ms: a tick {statistics.median(ticks):.3f} s", flush=True)
        return named | {"step --all, per rollout": spread(per_rollout)}

    def _probe(self) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "bench.tick_probe", MODEL, STACK, str(TICKS_PER_RUN)],
            cwd=ROOT,
            env=self._stack.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"the probe failed:\n{done.stdout}{done.stderr}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    @contextmanager
    def _only(self, keys: list[str]) -> Iterator[None]:
        """Keep the records of other endpoints out of the way of `step --all`."""
        records, aside = self._stack.folder / "rollouts" / STACK, self._stack.rehearsal.folder / "aside"
        aside.mkdir(exist_ok=True)
        moved = [folder for folder in records.iterdir() if folder.is_dir() and folder.name not in keys]
        for folder in moved:
            folder.rename(aside / folder.name)
        try:
            yield
        finally:
            for folder in moved:
                (aside / folder.name).rename(folder)

    @contextmanager
    def _delayed(self, milliseconds: int) -> Iterator[None]:
        if milliseconds:
            self._stack.fault("add", "delay", "--by", f"{milliseconds}ms", "--method", "GET")
        try:
            yield
        finally:
            if milliseconds:
                self._stack.fault("clear")
