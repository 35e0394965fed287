"""Starting and stopping by `sluice local`, at once and where something is in the way: one wins, the others say why."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.home import LocalHome
from tests.localazure.server_command import server_command
from tests.ports import own_port
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration


class Command:
    """`sluice local` on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = own_port()

    def begin(self, command: str, *more: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "cli.main", "local", command, "--home", str(self.home), *more]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, command: str, *more: str, expect: int = 0) -> str:
        """Runs it to its end; returns what it printed for people and programs."""
        process = self.begin(command, *more)
        out, err = process.communicate(timeout=HANGS)
        assert process.returncode == expect, out + err
        assert "Traceback" not in err
        return out + err

    def start(self) -> dict[str, Any]:
        """The first start says on which port; later ones keep it."""
        port = () if LocalHome(self.home).port_file.exists() else ("--port", str(self.port))
        return facts(self.begin("start", "--json", *port))


def facts(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What `start --json` printed, which must be JSON and nothing else."""
    out, err = process.communicate(timeout=HANGS)
    assert process.returncode == 0, out + err
    return dict(json.loads(out))


@pytest.fixture
def make_command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    made: list[Command] = []

    def make(home: Path | None = None) -> Command:
        made.append(Command(home or tmp_path / f"home{len(made)}"))
        return made[-1]

    yield make
    for command in made:
        command("stop")


@pytest.fixture
def command(make_command: Callable[..., Command]) -> Command:
    return make_command()


def test_two_homes_that_start_at_once_get_ports_of_their_own(make_command: Callable[..., Command]) -> None:
    both = [make_command().begin("start", "--json") for _ in range(2)]
    ports = sorted(int(facts(process)["https"].rpartition(":")[2]) for process in both)
    assert ports[1] - ports[0] >= 2, "each has a pair"


def test_two_starts_after_a_kill_find_one_server(command: Command) -> None:
    killed = command.start()
    os.kill(killed["pid"], signal.SIGKILL)
    both = [facts(process) for process in [command.begin("start", "--json") for _ in range(2)]]
    assert len({one["pid"] for one in both} | {killed["pid"]}) == 2
    assert sorted(one["already_running"] for one in both) == [False, True]
    assert {one["https"] for one in both} == {killed["https"]}, "addresses that clients know stay true"


def test_a_lock_file_that_names_a_stranger_is_no_running_server(command: Command) -> None:
    command.start()
    command("stop")
    (command.home / "lock").write_text(str(os.getpid()))
    assert "does not run" in command("status", expect=4)
    assert command.start()["already_running"] is False


def test_a_start_waits_for_a_stop_that_is_under_way(command: Command) -> None:
    first = command.start()
    with (command.home / "stop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as `sluice local stop` does
        starting = command.begin("start", "--json")
        assert starting.stderr is not None
        assert "a stop is in progress" in starting.stderr.readline()
        os.kill(first["pid"], signal.SIGTERM)
        wait_until(lambda: not (command.home / "server.json").exists())
        assert starting.poll() is None
    second = facts(starting)
    assert (second["already_running"], second["pid"] == first["pid"]) == (False, False)


def test_two_stops_at_once_both_end_well(command: Command) -> None:
    command.start()
    both = [command.begin("stop") for _ in range(2)]
    said = sorted(process.communicate(timeout=HANGS)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said[-1] == "stopped."
    command("status", expect=4)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_the_way_out(command: Command, address: str, offset: int) -> None:
    with socket.socket() as holder:
        holder.bind((address, 0))
        holder.listen()
        port = holder.getsockname()[1]
        said = command("start", "--port", str(port - offset), expect=2)
    # Its neighbour may be taken as well, by whatever else runs here: then both are named.
    assert re.search(rf"port (\d+ and )?{port}( and \d+)? on 127.0.0.1 is taken", said)
    assert "--port" in said


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A disk with the home of a stopped local Azure that can no longer be written; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> None:
        try:
            done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount command here: no read-only disk")
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")

    mount("-t", "tmpfs", "-o", "size=50m,mode=700", "tmpfs")
    try:
        command = Command(folder / "home")
        command.start()
        command("stop")
        mount("-o", "remount,ro")
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_home_that_cannot_be_written_is_named_by_every_command(read_only: Path) -> None:
    old, new = Command(read_only / "home"), Command(read_only / "new")
    for command in (old, new):
        assert f"cannot write to {command.home}" in command("start", expect=4)
        assert "does not run" in command("status", expect=4)
        assert "no local Azure runs" in command("stop")
        words = server_command(command.home)
        by_hand = subprocess.run(words, capture_output=True, text=True, timeout=HANGS)
        assert (by_hand.returncode, by_hand.stdout) == (1, "")
        assert f"{command.home} cannot be written" in by_hand.stderr
        assert "Traceback" not in by_hand.stderr
    assert "cannot be deleted" in old("reset", "--yes", expect=4)


@pytest.mark.parametrize("asked", ["--host=0.0.0.0", "--host=::", "--bind=0.0.0.0", "--listen=10.0.0.1:80"])
def test_another_address_is_refused_with_the_reason_and_the_way_out(command: Command, asked: str) -> None:
    said = command("start", asked, expect=2)
    assert "127.0.0.1 only" in said
    assert "trusts everyone who can reach it" in said
    assert "ssh -L" in said
    assert not command.home.exists()
