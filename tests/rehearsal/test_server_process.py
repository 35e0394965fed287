"""Starting the local Azure's process: what it gets, and what a start does when something else is in its way."""

import fcntl
import http.client
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from command_errors import UnavailableError, UsageError
from localazure.switches import DEFAULT_PORT
from rehearsal import ports, server_process
from rehearsal.home import LocalHome, Server
from rehearsal.server_process import _environment
from tests.waiting import HANGS, wait_until


def server_on(port: int) -> Server:
    urls = {"https": f"https://localhost:{port}", "http": f"http://localhost:{port + 1}"}
    return Server(pid=os.getpid(), **urls, version="0", started=0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHome:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(server_process, "_environment", lambda: dict(os.environ))
    return LocalHome(tmp_path / "home")


def test_the_server_is_told_which_uv_to_use_where_none_is_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("SLUICE_UV", raising=False)
    uv = Path(_environment()["SLUICE_UV"])
    assert uv.name == "uv"
    assert os.access(uv, os.X_OK)


def test_what_set_up_reports_does_not_mix_with_the_answer_of_a_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolchain.console import say

    def install(environment: Any) -> Path:
        say("installing uv")
        return Path("/uv")

    monkeypatch.setattr("toolchain.uv.find_uv", install)
    assert _environment()["SLUICE_UV"] == "/uv"
    assert capsys.readouterr() == ("", "setup: installing uv\n")


class Ports:
    """The ports of a machine; a program may take one just before the server does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, lost: Sequence[int] = ()) -> None:
        self.taken: set[int] = set()
        self.lost = list(lost)
        self.tried: list[int] = []
        monkeypatch.setattr(ports, "is_free", lambda port: port not in self.taken)
        monkeypatch.setattr(server_process, "_spawn", self.spawn)

    def spawn(self, home: LocalHome, port: int, flags: Sequence[str], say: server_process.Say) -> Server:
        self.tried.append(port)
        if port in self.lost:
            self.taken.add(port)
            raise UnavailableError(f"Port {port} is taken.")
        return server_on(port)


def test_a_port_that_another_program_takes_before_the_server_does_is_passed_over(
    home: LocalHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DEFAULT_PORT
    machine = Ports(monkeypatch, lost=[first])
    said: list[str] = []
    server, started = server_process.start(home, port=None, say=said.append)
    assert (server.port, started, machine.tried) == (first + 2, True, [first, first + 2])
    assert said == [f"another program took port {first} or {first + 1} in the meantime; trying the next ones"]


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "kept from the last start"])
def test_another_port_than_the_wanted_one_is_never_taken(
    home: LocalHome, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    machine = Ports(monkeypatch, lost=[20001])
    home.create()
    home.port_file.write_text("1024\n" if asked else "20001\n")
    with pytest.raises(UnavailableError, match="Port 20001 is taken"):
        server_process.start(home, port=20001 if asked else None, say=lambda text: None)
    with pytest.raises(UsageError, match=r"port 20001 on .* is taken by another program"):
        server_process.start(home, port=20001 if asked else None, say=lambda text: None)
    assert machine.tried == [20001]


@pytest.mark.parametrize("content", ["", "many", "0", "-1", "65535", "99999999999"])
def test_a_broken_port_file_is_as_good_as_none(home: LocalHome, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    Ports(monkeypatch)
    home.create()
    home.port_file.write_text(content)
    assert server_process.start(home, port=None, say=lambda text: None)[0].port == DEFAULT_PORT


def test_a_server_that_never_gets_ready_is_killed_if_it_ignores_signals_and_the_start_reports_it(
    home: LocalHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = home.path.parent / "deaf"
    program.write_text('#!/bin/sh\necho "$$ starts"\nkill -STOP $$\n')  # a stopped process does not see SIGTERM
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(server_process, "STOP_SECONDS", 0.05)

    def stopped() -> bool:
        text = home.console_log.read_text().split()
        return bool(text) and " T " in Path(f"/proc/{text[0]}/stat").read_text()

    def no_record(_: LocalHome) -> None:
        wait_until(stopped, "the server does not stop")
        monkeypatch.setattr(server_process, "READY_SECONDS", 0.0)

    monkeypatch.setattr(server_process, "READY_SECONDS", HANGS)
    monkeypatch.setattr(LocalHome, "record", no_record)
    with pytest.raises(UnavailableError, match="was not ready after 0 seconds, so it was stopped") as failed:
        server_process.start(home, port=None, say=lambda text: None)
    pid = home.console_log.read_text().split()[0]
    assert f"{pid} starts" in str(failed.value)
    assert not Path(f"/proc/{pid}").exists()


def test_a_start_names_the_server_it_waits_for(home: LocalHome, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def get_ready(text: str) -> None:
        said.append(text)
        record = {"pid": os.getpid(), "https": "https://localhost:1", "http": "", "version": "", "started": 0}
        home.server_file.write_text(json.dumps(record))

    monkeypatch.setattr(server_process, "SLOW_SECONDS", 0.0)
    home.create()
    with (home.path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}")
        lock.flush()
        server, started = server_process.start(home, port=None, say=get_ready)
    assert (server.pid, started) == (os.getpid(), False)
    assert said == [f"process {os.getpid()} holds {home.path} but is not ready; waiting for it"]


def test_a_server_that_answers_nonsense_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(url: str) -> str:
        raise http.client.BadStatusLine("220 mail")

    monkeypatch.setattr(server_process, "_request", nonsense)
    assert not server_process.is_healthy(server_on(18443))
