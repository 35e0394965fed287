"""The local Azure itself: start time, memory, and Resource Manager with few and many resources.

The two counts run on two servers in the same run, and the requests alternate between them.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.arm import HERE, PROVIDERS, Arm
from bench.rehearsal import ROOT, Rehearsal
from bench.timing import percentile, print_spreads

FEW, MANY = 10, 10_000
ROUNDS = 5
REQUESTS_PER_ROUND = 600
CLIENTS = 4


class Server:
    """`python -m localazure` in a folder of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-bench-")
        self.home = Path(self._folder.name) / "azure"

    def start(self) -> float:
        """Start the process; return the seconds until it answers."""
        command = [sys.executable, "-m", "localazure", "--home", str(self.home), "--port", "0"]
        started = time.perf_counter()
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit("the local Azure did not start")
        self.http = str(json.loads((self.home / "server.json").read_text())["http"])
        return time.perf_counter() - started

    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def stop(self) -> None:
        """End the process and wait for it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()

    def close(self) -> None:
        """Stop and delete the folder."""
        self.stop()
        self._folder.cleanup()


def measure(rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """All figures; the rehearsal's own local Azure is not used."""
    results: dict[str, Any] = _measure_start(runs)
    results["resource_manager"] = asyncio.run(_measure_resource_manager())
    return results


def _measure_start(runs: int) -> dict[str, Any]:
    server = Server()
    server.start()  # creates the certificates, once per installation
    memory, seconds = [], []
    for _ in range(runs):
        server.stop()
        seconds.append(server.start())
        time.sleep(0.3)
        memory.append(server.memory_mib())
    server.close()
    spreads = print_spreads("start", {"start to ready": seconds}, "s")
    spreads |= print_spreads("memory", {"idle": memory}, "MiB")
    return {"start_seconds": spreads["start to ready"], "idle_mib": spreads["idle"]}


async def _measure_resource_manager() -> dict[str, Any]:
    servers = {FEW: Server(), MANY: Server()}
    results: dict[str, Any] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
        clients = {}
        for count, server in servers.items():
            server.start()
            clients[count] = Arm(session, server.http)
            print(f"storing {count} resources ...", flush=True)
            await _store(clients[count], count)
        latencies: dict[tuple[str, int], list[float]] = {}
        rates: dict[tuple[str, int], list[float]] = {}
        for number in range(ROUNDS + 1):
            for verb in ("GET", "PUT"):
                for count, arm in clients.items():
                    begun = time.perf_counter()
                    seen = await _ask(arm, verb, count, random.Random(number))
                    if number:
                        latencies.setdefault((verb, count), []).extend(seen)
                        rates.setdefault((verb, count), []).append(len(seen) / (time.perf_counter() - begun))
        memory = {count: server.memory_mib() for count, server in servers.items()}
    print(f"\nResource Manager, {CLIENTS} clients, {ROUNDS} x {REQUESTS_PER_ROUND} requests each, in turn")
    print(f"  {'':12}{'resources':>12}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}")
    for verb, title in (("GET", "reads"), ("PUT", "writes")):
        for count in servers:
            row = {
                "requests_per_second": statistics.median(rates[verb, count]),
                "p50_ms": percentile(latencies[verb, count], 0.5),
                "p99_ms": percentile(latencies[verb, count], 0.99),
            }
            print(f"  {title:12}{count:12}{row['requests_per_second']:12.0f}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}")
            results.setdefault(title, {})[str(count)] = row
        few, many = (results[title][str(count)]["requests_per_second"] for count in servers)
        results[title]["ratio"] = many / few
        print(f"  {title:12}{'many / few':>12}{many / few:11.2f}x")
    for count, server in servers.items():
        print(f"  memory with {count} resources: {memory[count]:.1f} MiB")
        server.close()
    return results | {"memory_mib": {str(count): mib for count, mib in memory.items()}}


def _path(number: int) -> str:
    return f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/identity{number}"


async def _store(arm: Arm, count: int) -> None:
    await arm.call("PUT", PROVIDERS.rpartition("/")[0], HERE)
    remaining = iter(range(count))

    async def client() -> None:
        for number in remaining:
            await arm.call("PUT", _path(number), HERE | {"tags": {"value": "0"}})

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _ask(arm: Arm, verb: str, count: int, chance: random.Random) -> list[float]:
    """Return the latencies in ms of one round on random resources."""
    latencies: list[float] = []
    remaining = iter(range(REQUESTS_PER_ROUND))

    async def client() -> None:
        for number in remaining:
            body = HERE | {"tags": {"value": str(number)}} if verb == "PUT" else None
            path = _path(chance.randrange(count))
            begun = time.perf_counter()
            await arm.call(verb, path, body)
            latencies.append((time.perf_counter() - begun) * 1000)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return latencies
