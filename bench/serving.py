"""The data plane: memory of the local Azure and of a model process, and the latency that the router adds.

The same requests go alternately through the router and directly to the inference server of the only instance, over
plain HTTP on the loopback and over the instance's socket.
"""

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.rehearsal import MODEL, SAMPLE, Rehearsal
from bench.timing import percentile

ROUNDS = 6
REQUESTS_PER_ROUND = 400
CLIENTS = (1, 8, 32)
NAME = "bench"
ALONE, ROUTED = "inference server alone", "through the router"


def measure(rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure memory, then latency at each number of clients; `runs` is not used: rounds are counted in requests."""
    before = rehearsal.status()
    rehearsal.settle("dev")
    endpoint = _deploy(rehearsal)
    status = rehearsal.status()
    instance = next(int(row["pid"]) for row in status["instances"] if row["deployment"] == NAME)
    memory = {
        "local Azure, when the benchmark starts": before["server"]["rss_mib"],
        "local Azure, serving": status["server"]["rss_mib"],
        "one instance: gunicorn and its worker (PSS)": _group_pss_mib(instance),
    }
    print("\nmemory")
    for name, mib in memory.items():
        print(f"  {name:44}{mib:9.1f} MiB")
    ways = _ways(rehearsal, endpoint, instance)
    results: dict[str, Any] = {"memory_mib": memory, "latency_ms": {}}
    print(f"\nscoring latency in ms, {ROUNDS} x {REQUESTS_PER_ROUND} requests each, in turn")
    print(f"  {'clients':>8}  {'':26}{'p50':>9}{'p99':>9}{'requests/s':>12}")
    for clients in CLIENTS:
        rows = asyncio.run(_compare(ways, clients))
        for name, row in rows.items():
            print(f"  {clients:8}  {name:26}{row['p50']:9.2f}{row['p99']:9.2f}{row['requests_per_second']:12.0f}")
        added = {share: rows[ROUTED][share] - rows[ALONE][share] for share in ("p50", "p99")}
        throughput = rows[ROUTED]["requests_per_second"] / rows[ALONE]["requests_per_second"]
        print(f"  {clients:8}  {'added by the router':26}{added['p50']:9.2f}{added['p99']:9.2f}{throughput:11.2f}x")
        results["latency_ms"][str(clients)] = {**rows, "added": added, "throughput_ratio": throughput}
    return results


def _deploy(rehearsal: Rehearsal) -> str:
    """Deploy blue's release on a separate endpoint that accepts as many concurrent requests as the benchmark sends."""
    blue = rehearsal.arm("GET", rehearsal.outputs("dev")["endpoints"][MODEL]["deployments"]["blue"]["id"])
    serving = blue["id"].split("/deployments/")[0]
    endpoint = f"{serving.rsplit('/', 1)[0]}/{NAME}"
    body = {"location": blue["location"], "identity": rehearsal.arm("GET", serving)["identity"]}
    properties = {"authMode": "Key", "traffic": {}}
    rehearsal.arm("PUT", endpoint, {**body, "properties": properties})
    settings = {**blue["properties"]["requestSettings"], "maxConcurrentRequestsPerInstance": max(CLIENTS)}
    deployment = {key: blue[key] for key in ("location", "sku")}
    keep = {key: value for key, value in blue["properties"].items() if key not in ("provisioningState", "properties")}
    keep["requestSettings"] = settings
    rehearsal.arm("PUT", f"{endpoint}/deployments/{NAME}", {**deployment, "properties": keep})
    rehearsal.arm("PUT", endpoint, {**body, "properties": {**properties, "traffic": {NAME: 100}}})
    return endpoint


def _ways(rehearsal: Rehearsal, endpoint: str, instance: int) -> dict[str, tuple[str, Path | None, dict[str, str]]]:
    """Return URI, socket and headers per route."""
    key = rehearsal.arm("POST", f"{endpoint}/listKeys")["primaryKey"]
    content = {"Content-Type": "application/json"}
    http = rehearsal.status()["server"]["http"]
    return {
        ALONE: ("http://localhost/score", _socket(instance), content),
        ROUTED: (f"{http}/endpoints/{NAME}/score", None, {**content, "Authorization": f"Bearer {key}"}),
    }


async def _compare(
    ways: dict[str, tuple[str, Path | None, dict[str, str]]], clients: int
) -> dict[str, dict[str, float]]:
    """Return percentiles in ms and requests per second of each route; the first round is not counted."""
    body = SAMPLE.read_bytes()
    latencies: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, (uri, socket, headers) in ways.items():
            started = time.perf_counter()
            seen = await _send(uri, socket, headers, body, clients)
            if number:
                latencies[name] += seen
                rates[name].append(len(seen) / (time.perf_counter() - started))
    return {
        name: {
            "p50": percentile(values, 0.5),
            "p99": percentile(values, 0.99),
            "requests_per_second": statistics.median(rates[name]),
        }
        for name, values in latencies.items()
    }


async def _send(uri: str, socket: Path | None, headers: dict[str, str], body: bytes, clients: int) -> list[float]:
    """Send one round of requests; return latencies in ms."""
    latencies: list[float] = []
    remaining = iter(range(REQUESTS_PER_ROUND))
    connector = aiohttp.UnixConnector(str(socket)) if socket else aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def client() -> None:
            for _ in remaining:
                started = time.perf_counter()
                async with session.post(uri, data=body, headers=headers) as answer:
                    text = await answer.text()
                latencies.append((time.perf_counter() - started) * 1000)
                if answer.status != 200:
                    raise SystemExit(f"{uri} answered {answer.status}: {text}")

        await asyncio.gather(*(client() for _ in range(clients)))
    return latencies


def _socket(pid: int) -> Path:
    """Return the socket on which an instance's server listens."""
    arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return next(Path(one) for one in arguments if one.endswith(".sock"))


def _group_pss_mib(group: int) -> float:
    """Return the proportional set size of all processes of a group."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) != group:
                continue
            lines = (folder / "smaps_rollup").read_text().splitlines()
        except (OSError, ValueError):
            continue  # the process has ended
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
