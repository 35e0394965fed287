"""One local Azure in this process for all tests of the folder, with a workspace in it, and everything that it logs."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from localazure.batch.runner import BatchRunner
from localazure.faults.registry import Faults
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.plane import ScoringPlane
from localazure.server import Server
from tests.localazure.existing_versions import existing_version
from tests.localazure.platform_bodies import PLATFORM
from tests.waiting import HANGS

# The same examples in every run; SLUICE_FUZZ_EXAMPLES=5000 searches longer, with others each time.
_asked = os.environ.get("SLUICE_FUZZ_EXAMPLES")
settings.register_profile(
    "fuzz",
    max_examples=int(_asked or 150),
    derandomize=_asked is None,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Recorder(logging.Handler):
    """Keeps what is logged as errors, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[str] = []
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self.text.append(text)
        if record.exc_info or "Traceback" in text:
            self.failures.append(text)


@dataclass
class Target:
    """A running server whose data plane is the real one, without deployments."""

    home: Path
    recorder: Recorder = field(default_factory=Recorder)
    faults: Faults = field(default_factory=Faults)

    def start(self) -> None:
        self.recorder.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        logging.getLogger().addHandler(self.recorder)
        logging.getLogger("localazure").setLevel(logging.INFO)
        environments = EnvironmentCache(self.home / "cache")
        scoring, jobs = ScoringPlane(self.home, environments), BatchRunner(self.home / "batch", environments)
        self.server = Server(self.home, 0, scoring, jobs, faults=self.faults)
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)))
        self._thread.start()
        assert ready.wait(HANGS)
        self.port = int(json.loads((self.home / "server.json").read_text())["http"].rpartition(":")[2])

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        await self.server.run(ready=lambda url: ready.set())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.server.stop)
        self._thread.join(HANGS)
        logging.getLogger().removeHandler(self.recorder)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": "Bearer x"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("localhost", self.port, timeout=HANGS)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def arm(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request(method, f"{path}?api-version={existing_version(path)}", body, **headers)

    def send(self, data: bytes, seconds: float = HANGS) -> bytes:
        """Bytes as they are; all that comes back until the server closes or the time is over."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as client:
            try:
                client.sendall(data)
                while chunk := client.recv(65536):
                    received += chunk
            except (TimeoutError, ConnectionError) as error:
                received += f"<{type(error).__name__}>".encode()
        return received

    def is_alive(self) -> bool:
        return self.request("GET", "/_local/health").status == 200


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    running = Target(tmp_path_factory.mktemp("azure") / "home")
    os.makedirs(running.home, mode=0o700)
    running.start()
    for path, body in PLATFORM:
        assert running.arm("PUT", path, body).status in (200, 201, 202), path
    yield running
    running.close()


@pytest.fixture
def quiet(target: Target) -> Iterator[Target]:
    """The server, which must be alive afterwards and must not have failed."""
    before = len(target.recorder.failures)
    yield target
    assert target.is_alive()
    assert target.recorder.failures[before:] == []
