"""A small load generator: a bounded number of clients, counted answers; for the demo, smoke tests and first checks.

It counts per deployment (the `azureml-model-deployment` answer header), per status and per kind of failure, and keeps
latencies. It never repeats a request, so that its counts are the endpoint's. It is no benchmark tool: one process, one
event loop, at most a few hundred requests per second.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from cli.arm import trust
from cli.errors import ExitCode, UsageError
from cli.workspace import check_name

DEPLOYMENT_HEADER = "azureml-model-deployment"
MAX_CLIENTS = 64
KEY_VARIABLE = "SLUICE_ENDPOINT_KEY"


@dataclass
class Tally:
    """What came back."""

    deployments: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    errors_by_deployment: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Every request sent, answered or not."""
        return sum(self.statuses.values()) + sum(self.failures.values())

    @property
    def failed(self) -> int:
        """Requests that got no answer, or another one than 2xx."""
        return sum(self.failures.values()) + sum(n for status, n in self.statuses.items() if not 200 <= status < 300)

    def split_percent(self) -> dict[str, float]:
        """The observed share of each deployment among the answered requests."""
        answered = sum(self.deployments.values())
        return {name: round(100 * count / answered, 1) for name, count in sorted(self.deployments.items())}

    def percentile_ms(self, share: float) -> float | None:
        """A latency percentile of the answered requests; None without answers."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    def facts(self) -> dict[str, Any]:
        """The numbers for a machine."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "deployments": dict(self.deployments),
            "split_percent": self.split_percent(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": dict(self.failures),
            "errors_by_deployment": dict(self.errors_by_deployment),
            "latency_ms": {"p50": self.percentile_ms(0.5), "p95": self.percentile_ms(0.95)},
        }


class Load:
    """Clients that send one request after another until they are stopped; counting can be started afresh meanwhile."""

    def __init__(
        self,
        uri: str,
        bodies: Sequence[bytes],
        *,
        key: str | None,
        clients: int = 4,
        deployment: str | None = None,
        pause_seconds: float = 0.0,
        timeout_seconds: float = 60.0,
    ) -> None:
        if not 1 <= clients <= MAX_CLIENTS:
            raise UsageError(f"clients must be 1 to {MAX_CLIENTS}, got {clients}.")
        self.uri = uri
        self.bodies = bodies
        self.clients = clients
        self.pause_seconds = pause_seconds
        self.timeout_seconds = timeout_seconds
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        if deployment:
            self.headers[DEPLOYMENT_HEADER] = deployment
        self.total = Tally()
        self.window = Tally()
        self._stopping = False
        self._sent = 0

    def restart_window(self) -> Tally:
        """Close the current counting window and open the next; the total goes on."""
        closed, self.window = self.window, Tally()
        return closed

    def stop(self) -> None:
        """Let every client finish its current request and end; any thread may call it."""
        self._stopping = True

    async def run(self, *, requests: int | None = None, seconds: float | None = None) -> Tally:
        """Send until `requests` are sent, `seconds` have passed, or `stop` is called."""
        deadline = None if seconds is None else time.monotonic() + seconds
        remaining = [requests]
        timeout = aiohttp.ClientTimeout(total=self.timeout_seconds)
        connector = aiohttp.TCPConnector(limit=self.clients, ssl=trust())
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True) as session:
            await asyncio.gather(*(self._client(session, remaining, deadline) for _ in range(self.clients)))
        return self.total

    async def _client(
        self, session: aiohttp.ClientSession, remaining: list[int | None], deadline: float | None
    ) -> None:
        while not self._stopping and (deadline is None or time.monotonic() < deadline):
            if remaining[0] is not None:
                if remaining[0] <= 0:
                    return
                remaining[0] -= 1
            await self._send(session)
            if self.pause_seconds:
                await asyncio.sleep(self.pause_seconds)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        body = self.bodies[self._sent % len(self.bodies)]
        self._sent += 1
        started = time.perf_counter()
        try:
            async with session.post(self.uri, data=body, headers=self.headers) as answer:
                await answer.read()
                status, headers = answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            for tally in (self.total, self.window):
                tally.failures[type(error).__name__] += 1
            return
        latency = (time.perf_counter() - started) * 1000
        for tally in (self.total, self.window):
            _count(tally, status, headers, latency)


def _count(tally: Tally, status: int, headers: Mapping[str, str], latency_ms: float) -> None:
    tally.statuses[status] += 1
    tally.latencies_ms.append(latency_ms)
    deployment = headers.get(DEPLOYMENT_HEADER)
    if deployment:
        tally.deployments[deployment] += 1
        if not 200 <= status < 300:
            tally.errors_by_deployment[deployment] += 1


def read_bodies(file: Path) -> list[bytes]:
    """The request of a JSON file, or every line of a .jsonl file, sent in turn."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the request file {file}: {error.strerror}. Check --request-file.") from error
    bodies = [line for line in content.splitlines() if line.strip()] if file.suffix == ".jsonl" else [content]
    if not bodies:
        raise UsageError(f"{file} holds no request: one JSON document per line is expected.")
    return bodies


def check_options(options: argparse.Namespace) -> None:
    """Raise one UsageError with everything that would send nothing, or not what was meant."""
    problems = []
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/\S*)?", options.uri):
        problems.append(f"SCORING_URI must be an address such as https://host/score, got {options.uri!r}.")
    if options.requests is not None and options.requests < 1:
        problems.append(f"--requests must be at least 1, got {options.requests}.")
    if options.seconds is not None and not 0 < options.seconds < float("inf"):
        problems.append(f"--seconds must be more than 0, got {options.seconds:g}.")
    if not 1 <= options.clients <= MAX_CLIENTS:
        problems.append(f"--clients must be 1 to {MAX_CLIENTS}, got {options.clients}.")
    key = os.environ.get(KEY_VARIABLE, "")
    if not (key.isascii() and key.isprintable()):
        problems.append(f"{KEY_VARIABLE} must be the key as Azure shows it: printable characters, no line end.")
    if problems:
        raise UsageError(" ".join(problems))
    if options.deployment is not None:
        check_name(options.deployment, "a deployment")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice load`."""
    parser = subparsers.add_parser("load", help="send requests and count the answers per deployment")
    parser.add_argument("uri", metavar="SCORING_URI")
    parser.add_argument("--request-file", type=Path, required=True, help="JSON, or .jsonl: one per line, in turn")
    parser.add_argument("--deployment", help="send straight to this deployment, by header")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--requests", type=int, help="default 200, unless --seconds is given")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.epilog = f"The endpoint's key is read from {KEY_VARIABLE}: an argument would show in process lists."
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send, count, print; fails when a request failed."""
    check_options(options)
    bodies = read_bodies(options.request_file)
    requests = 200 if options.requests is None and options.seconds is None else options.requests

    async def send() -> Tally:
        load = Load(
            options.uri,
            bodies,
            key=os.environ.get(KEY_VARIABLE),
            clients=options.clients,
            deployment=options.deployment,
        )
        return await load.run(requests=requests, seconds=options.seconds)

    tally = asyncio.run(send())
    facts = tally.facts()
    if options.json:
        json.dump(facts, sys.stdout, indent=2)
        print()
    else:
        print(f"{facts['requests']} requests, {facts['failed']} failed, statuses {facts['statuses']}")
        print(f"split {facts['split_percent']}, latency {facts['latency_ms']} ms")
        for kind, count in tally.failures.items():
            print(f"{count} without an answer: {kind}")
    return ExitCode.DONE if tally.failed == 0 else ExitCode.FAILED
