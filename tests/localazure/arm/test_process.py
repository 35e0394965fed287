"""The process: start, lock, ports, control, kill -9 and restart."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localazure.__main__ import event_loop
from tests.localazure.arm.conftest import GROUP
from tests.localazure.server_command import server_command
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

# The server's start must not load these: they cost seconds, and memory for as long as it runs.
HEAVY = {"azure", "pulumi", "pulumi_azure_native", "pydantic", "requests", "grpc", "numpy"}
MAX_IDLE_MIB = 120


class Process:
    """`python -m localazure` in a process of its own."""

    def __init__(self, home: Path, *options: str, port: int = 0) -> None:
        self.home = home
        command = server_command(home, *options, port=port)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        path = home / "server.json"
        self.document = json.loads(path.read_text()) if self.first_line else {}

    def request(self, method, path, body=None, headers=None):
        import requests

        url = f"{self.document['https']}{path}"
        sent = {"Authorization": "Bearer x"} | (headers or {})
        return requests.request(method, url, json=body, headers=sent, verify=str(self.home / "ca.pem"), timeout=HANGS)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(HANGS)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.stop()


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*options, home="home", port=0):
        started.append(Process(tmp_path / home, *options, port=port))
        return started[-1]

    yield begin
    for process in started:
        process.stop()


def test_it_loads_nothing_heavy_and_stays_small(start, tmp_path):
    """`make bench` measures how long the start takes. This checks everything that is imported until it is ready."""
    command = [sys.executable, "-X", "importtime", "-m", "localazure", "--home", str(tmp_path / "timed"), "--port", "0"]
    with (
        (tmp_path / "imports").open("wb") as imports,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=imports, text=True) as server,
    ):
        assert server.stdout is not None
        first_line = server.stdout.readline()
        server.terminate()
    assert first_line.startswith("local Azure ready")
    lines = (tmp_path / "imports").read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}
    assert {"localazure", "aiohttp"} <= loaded
    assert HEAVY & loaded == set()
    assert start().request("GET", "/_local/status").json()["memory_mib"] < MAX_IDLE_MIB


def test_keys_of_the_installation_are_private(start):
    process = start()
    for name in ("ca.key", "server.key", "control.token", "azure.db"):
        assert (process.home / name).stat().st_mode & 0o777 == 0o600, name
    assert process.home.stat().st_mode & 0o077 == 0
    assert "BEGIN CERTIFICATE" in (process.home / "bundle.pem").read_text()


def test_kill_9_loses_no_acknowledged_write(start):
    process = start()
    for number in range(50):
        answer = process.request("PUT", f"{GROUP}{number}?api-version=2024-03-01", {"location": "westeurope"})
        assert answer.status_code == 201
    process.kill()
    assert (process.home / "server.json").exists()
    again = start()
    groups = again.request("GET", f"{GROUP.rsplit('/', 1)[0]}?api-version=2024-03-01").json()["value"]
    assert len(groups) == 50


def test_the_second_start_names_the_holder_of_the_home(start):
    first = start()
    second = start()
    assert second.first_line == ""
    assert second.process.wait(HANGS) == 1
    message = second.process.stderr.read()
    assert f"process {first.process.pid}" in message
    assert "sluice local stop" in message
    assert "Traceback" not in message
    assert first.request("GET", "/_local/health").status_code == 200


def bind_with_a_free_port_before(taken: socket.socket) -> int:
    """Other tests run beside this one and take ports too."""
    while True:
        with socket.socket() as candidate, socket.socket() as before, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", 0))
            port = candidate.getsockname()[1]
            before.bind(("127.0.0.1", port - 1))
            candidate.close()
            taken.bind(("127.0.0.1", port))
            return port


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.proves("switches", honours=["--port"])
def test_a_taken_port_is_named(start, offset):
    with socket.socket() as taken:
        port = bind_with_a_free_port_before(taken) - offset
        taken.listen()
        process = start(port=port)
        assert process.process.wait(HANGS) == 1
        message = process.process.stderr.read()
    assert f"Port {port + offset} on 127.0.0.1 is taken" in message
    assert "--port" in message


def test_it_listens_on_the_loopback_address_only(start):
    process = start()
    inodes = set()
    for entry in (Path("/proc") / str(process.process.pid) / "fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == "0A":
                assert fields[1].startswith("0100007F:"), line


def test_shutdown_needs_the_token(start):
    process = start()
    assert process.request("POST", "/_local/shutdown").status_code == 403
    token = (process.home / "control.token").read_text()
    assert process.request("POST", "/_local/shutdown", headers={"X-Local-Token": token}).status_code == 202
    assert process.process.wait(HANGS) == 0
    assert not (process.home / "server.json").exists()


def test_a_clean_stop_leaves_nothing_running(start):
    process = start()
    assert process.stop() == 0
    log = (process.home / "logs" / "server.log").read_text()
    assert "stopping" in log
    assert "Bearer" not in log


def test_the_server_runs_on_uvloop_and_without_it_on_asyncios_loop(monkeypatch):
    import uvloop

    assert event_loop() is uvloop.run
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert event_loop() is asyncio.run
