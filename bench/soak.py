"""Sends requests for minutes while faults come and go and weights, scale and versions change; counts every answer.

An answer other than 200 that no fault caused is a failure of the router, and one such answer fails the soak. The memory
of the local Azure must stay flat. The soak ends after its time, or when a change is stuck.
"""

import asyncio
import functools
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.arm import HERE, WORKSPACE, Arm, Refused
from bench.rehearsal import Rehearsal

CLIENTS = 8
PAUSE_SECONDS = 0.005
CHANGE_SECONDS = 2.0
FAULT_SECONDS = 3.0
REQUEST_SECONDS = 20.0
PATIENCE_SECONDS = 60.0
"""A change that takes longer than this is stuck."""
MAX_GROWTH_MIB = 8.0
PLATEAU_MINUTES = 20
"""In a soak of at least this length, memory must reach a plateau within two thirds of the time."""
PLATEAU_MIB = 1.0
"""How far memory may differ from its last value on the plateau."""
NAME = "soak"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/{NAME}"
FAULT_HEADER = "x-local-fault"
SCRIPT = """
import os
def init(): pass
def run(data): return {"pid": os.getpid()}
"""
# Faults by kind; each is active for some seconds.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "errors", "name": f"{NAME}/green", "share_percent": 20},
    {"kind": "429", "method": "PUT", "count": 2},
    {"kind": "slow", "name": f"{NAME}/blue", "by_seconds": 0.05},
    {"kind": "500", "type": "onlineEndpoints", "share_percent": 30},
    {"kind": "late-traffic", "name": NAME, "by_seconds": 1},
    {"kind": "drop", "share_percent": 10},
    {"kind": "unhealthy", "name": f"{NAME}/blue", "share_percent": 10},
    {"kind": "operation-fails", "type": "deployments", "count": 1},
    {"kind": "lose-response", "method": "PUT", "count": 1},
    {"kind": "operation-never-ends", "count": 1},
    {"kind": "delay", "by_seconds": 0.2, "share_percent": 50},
    {"kind": "crash-at-start", "count": 1},
    {"kind": "409", "count": 3},
)
WEIGHTS: tuple[tuple[dict[str, int], dict[str, int]], ...] = (
    ({"blue": 100}, {}),
    ({"blue": 100}, {"green": 50}),
    ({"blue": 90, "green": 10}, {}),
    ({"blue": 50, "green": 50}, {}),
    ({"green": 100}, {}),
)


@dataclass
class Tally:
    """What happened."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """Answers that neither the model nor a fault caused."""
    changes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    memory_mib: list[float] = field(default_factory=list)

    def memory_by_tenths_mib(self) -> list[float]:
        """Return the highest memory in each tenth of the time, which shows whether it still grows."""
        values, tenth = self.memory_mib, len(self.memory_mib) / 10
        return [max(values[int(n * tenth) : int((n + 1) * tenth)] or values[-1:]) for n in range(10)]

    def settled_after(self) -> float:
        """Return the share of the time after which memory stayed within PLATEAU_MIB of its last values."""
        last = statistics.median(self.memory_mib[-max(1, len(self.memory_mib) // 10) :])
        moved = [number for number, mib in enumerate(self.memory_mib) if abs(mib - last) > PLATEAU_MIB]
        return (moved[-1] + 1) / len(self.memory_mib) if moved else 0.0

    def growth_mib(self) -> float:
        """Return the growth from the second quarter of the time to the last, after warming up."""
        quarter = max(1, len(self.memory_mib) // 4)
        early = self.memory_mib[quarter : 2 * quarter] or self.memory_mib
        return statistics.median(self.memory_mib[-quarter:]) - statistics.median(early)


def run(minutes: float, compute: str) -> dict[str, Any]:
    """Soak a separate local Azure and print the result; raises SystemExit when the soak failed."""
    with Rehearsal("--compute", compute) as rehearsal:
        status = rehearsal.status()["server"]
        token = (rehearsal.home / "control.token").read_text().strip()
        tally, seconds = asyncio.run(_soak(status["http"], status["https"], token, minutes * 60))
        log = (rehearsal.home / "logs" / "server.log").read_text()
    return _report(tally, seconds, compute, log.count("Traceback"))


async def _soak(http: str, https: str, token: str, seconds: float) -> tuple[Tally, float]:
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        soak = Soak(Arm(session, http), token)
        await soak.prepare(https)
        begun = time.monotonic()
        ends = begun + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(soak.load(ends))
            group.create_task(soak.repeat(ends, CHANGE_SECONDS, soak.changes()))
            group.create_task(soak.repeat(ends, FAULT_SECONDS, soak.faults()))
            group.create_task(soak.watch(ends, max(0.5, min(2.0, seconds / 40))))
        return soak.tally, time.monotonic() - begun


class Soak:
    """One endpoint with two deployments, its callers and its operators."""

    def __init__(self, arm: Arm, token: str) -> None:
        self.arm = arm
        self.tally = Tally()
        self._token = {"X-Local-Token": token}
        self._key = ""

    async def prepare(self, https: str) -> None:
        """Blue and green, blue serving."""
        await self.arm.create_workspace()
        self._model = await self.arm.create_model(SCRIPT, https)
        await self.arm.finish("PUT", ENDPOINT, self._endpoint({}, {}))
        for colour in ("blue", "green"):
            await self.arm.finish("PUT", f"{ENDPOINT}/deployments/{colour}", self._deployment(2, 0))
        await self.arm.finish("PUT", ENDPOINT, self._endpoint(*WEIGHTS[0]))
        keys, _ = await self.arm.call("POST", f"{ENDPOINT}/listKeys")
        self._key = keys["primaryKey"]

    async def load(self, ends: float) -> None:
        """One caller."""
        uri = f"{self.arm.http}/endpoints/{NAME}/score"
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        while time.monotonic() < ends:
            try:
                async with self.arm.session.post(uri, data=b"{}", headers=headers) as answer:
                    text = await answer.text()
                told = f"{answer.status}" + (" by a fault" if FAULT_HEADER in answer.headers else "")
                if answer.status != 200 and FAULT_HEADER not in answer.headers:
                    self.tally.failures[f"{answer.status} {text[:120]}"] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                told = type(error).__name__
                self.tally.failures[f"{told} {error}"] += 1
            self.tally.answers[told] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def repeat(
        self, ends: float, seconds: float, works: Iterator[tuple[str, Callable[[], Awaitable[None]]]]
    ) -> None:
        """Act as one operator: do a piece of work every few seconds."""
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(seconds, left))
            name, work = next(works)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await work()
            except TimeoutError:
                raise SystemExit(f"{name} did not end within {PATIENCE_SECONDS:.0f} s") from None

    def changes(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """Yield changes: mostly weights; sometimes another number of instances or another version."""
        for number in itertools.count():
            traffic, mirror = WEIGHTS[number % len(WEIGHTS)]
            yield "weights", functools.partial(self._put, "weights", ENDPOINT, self._endpoint(traffic, mirror))
            if number % 2:
                colour, count = ("blue", "green")[number % 4 // 2], 1 + number % 3
                path = f"{ENDPOINT}/deployments/{colour}"
                body = self._deployment(count, number // 8)  # a new version every eighth time, else only scaled
                yield "deployment", functools.partial(self._put, "deployment", path, body)

    def faults(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """Yield one fault after the other."""
        for fault in itertools.cycle(FAULTS):
            yield fault["kind"], functools.partial(self._add_fault, fault)

    async def watch(self, ends: float, seconds: float) -> None:
        """Note the memory."""
        while time.monotonic() < ends:
            async with self.arm.session.get(f"{self.arm.http}/_local/status") as answer:
                self.tally.memory_mib.append((await answer.json())["memory_mib"])
            await asyncio.sleep(min(seconds, max(0.0, ends - time.monotonic())))

    async def _put(self, name: str, path: str, body: dict[str, Any]) -> None:
        """Repeat a PUT until it is accepted and has ended; faults make it fail."""
        for attempt in itertools.count():
            try:
                await self.arm.finish("PUT", path, body)
                self.tally.changes[name] += 1
                return
            except (Refused, aiohttp.ClientError) as error:
                self.tally.changes[f"{name}, refused or broken"] += 1
                if attempt > 100:
                    raise SystemExit(f"{name} was refused repeatedly: {error}") from error
                await asyncio.sleep(0.2)

    async def _add_fault(self, fault: dict[str, Any]) -> None:
        url = f"{self.arm.http}/_local/faults"
        body = fault | {"for_seconds": FAULT_SECONDS}
        async with self.arm.session.post(url, data=json.dumps(body), headers=self._token) as answer:
            if answer.status != 201:
                raise SystemExit(f"{fault} is refused: {await answer.text()}")
        self.tally.faults[fault["kind"]] += 1

    def _endpoint(self, traffic: dict[str, int], mirror: dict[str, int]) -> dict[str, Any]:
        properties = {"authMode": "Key", "traffic": traffic, "mirrorTraffic": mirror}
        return HERE | {"identity": {"type": "SystemAssigned"}, "properties": properties}

    def _deployment(self, instances: int, version: int) -> dict[str, Any]:
        settings = {"requestTimeout": "PT20S", "maxConcurrentRequestsPerInstance": CLIENTS}
        varying = {"environmentVariables": {"VERSION": str(version)}, "requestSettings": settings}
        sku = {"name": "Default", "capacity": instances}
        return HERE | {"sku": sku, "properties": self._model | varying}


def _report(tally: Tally, seconds: float, compute: str, tracebacks: int) -> dict[str, Any]:
    requests, growth = tally.answers.total(), tally.growth_mib()
    print(f"\nsoak: {seconds:.0f} s, {compute} compute, {requests} requests ({requests / seconds:.0f} per second)")
    for title, counter in (("answers", tally.answers), ("changes", tally.changes), ("faults set", tally.faults)):
        print(f"  {title:22}" + ", ".join(f"{name}: {count}" for name, count in sorted(counter.items())))
    print(f"  failed by the router  {tally.failures.total()}")
    for text, count in tally.failures.most_common(10):
        print(f"    {count} x {text}")
    first, last, most = tally.memory_mib[0], tally.memory_mib[-1], max(tally.memory_mib)
    print(f"  memory                {first:.1f} MiB first, {last:.1f} last, {most:.1f} most, growth {growth:+.1f}")
    print("  most in each tenth    " + " ".join(f"{mib:.1f}" for mib in tally.memory_by_tenths_mib()))
    settled = tally.settled_after() * seconds / 60
    print(f"  plateau               within {PLATEAU_MIB} MiB of the end from minute {settled:.1f} on")
    print(f"  tracebacks in the log {tracebacks}")
    problems = []
    if tally.failures:
        problems.append(f"the router failed {tally.failures.total()} requests")
    if growth > MAX_GROWTH_MIB:
        problems.append(f"memory grew by {growth:.1f} MiB, more than {MAX_GROWTH_MIB}")
    if seconds >= PLATEAU_MINUTES * 60 and tally.settled_after() > 2 / 3:
        problems.append(f"memory reached no plateau before minute {settled:.1f}")
    if tracebacks:
        problems.append("the server's log has tracebacks")
    if problems:
        raise SystemExit("soak failed: " + "; ".join(problems))
    return {
        "seconds": seconds,
        "compute": compute,
        "answers": dict(tally.answers),
        "changes": dict(tally.changes),
        "faults": dict(tally.faults),
        "failed_by_the_router": 0,
        "memory_mib": {
            "first": first,
            "last": last,
            "most": most,
            "growth": growth,
            "by_tenths": tally.memory_by_tenths_mib(),
            "settled_after_minutes": settled,
        },
    }
