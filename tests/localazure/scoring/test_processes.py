"""Processes that must not outlive the local Azure, and others' that must not be touched."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localazure.scoring import processes
from tests.waiting import until, wait_until

SLEEP = ["/bin/sh", "-c", "sleep 600 & wait"]  # a leader with a child, like gunicorn with its worker
HAS_PROC = Path("/proc/self/stat").exists()


def alive(pid: int) -> bool:
    return processes.started_at(pid) is not None


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def start(folder: Path) -> processes.Process:
    with (folder / "log").open("wb") as output:
        return await processes.start(
            SLEEP, pid_file=folder / "one.pid", output=output, environment={"PATH": os.environ["PATH"]}, folder=folder
        )


def test_the_pid_file_names_the_process_and_goes_with_it(tmp_path):
    async def main():
        process = await start(tmp_path)
        wait_until((tmp_path / "one.pid").exists)
        entry = json.loads((tmp_path / "one.pid").read_text())
        assert entry["pid"] == process.pid
        assert entry["started"] == processes.started_at(process.pid)
        await process.end(grace_seconds=2)
        assert not (tmp_path / "one.pid").exists()
        assert not alive(process.pid)

    asyncio.run(main())


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc")
def test_a_killed_leader_takes_its_children_along(tmp_path):
    async def main():
        process = await start(tmp_path)
        await until(lambda: children_of(process.pid))
        children = children_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        wait_until(lambda: not any(alive(child) for child in children))

    asyncio.run(main())


PARENT = """
import asyncio, sys, pathlib
sys.path.insert(0, sys.argv[2])
from localazure.scoring import processes
async def main():
    folder = pathlib.Path(sys.argv[1])
    with open(folder / "log", "wb") as output:
        command = ["/bin/sh", "-c", "trap '' TERM; sleep 600 & : > ready; wait; wait"]
        await processes.start(command, pid_file=folder / "one.pid", output=output, environment={}, folder=folder)
    while not (folder / "one.pid").exists() or not (folder / "ready").exists():
        await asyncio.sleep(0.01)
    print("started", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.skipif(not HAS_PROC, reason="needs /proc")
def test_orphans_of_a_killed_parent_are_ended_with_their_children_and_nobody_else(tmp_path):
    root = str(Path(processes.__file__).parents[2])
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), root], stdout=subprocess.PIPE, text=True)
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        leader = json.loads((tmp_path / "one.pid").read_text())["pid"]
        members = [leader, *children_of(leader)]
        parent.kill()
        parent.wait()
        parent.stdout.close()
        # This one ignores the signal that the parent's death sends, as a busy model server may.
        assert alive(leader)
        stranger = {"pid": bystander.pid, "started": "another time", "marker": "another"}
        (tmp_path / "two.pid").write_text(json.dumps(stranger))
        (tmp_path / "three.pid").write_text("not json")
        ended = processes.end_orphans(list(tmp_path.glob("*.pid")), grace_seconds=0.3)
        assert set(ended) == set(members)
        wait_until(lambda: not any(alive(member) for member in members))
        assert bystander.poll() is None
        assert not list(tmp_path.glob("*.pid"))
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
@pytest.mark.parametrize("inherited", [signal.SIG_DFL, signal.SIG_IGN], ids=["default", "ignored"])
def test_the_death_of_the_parent_is_enough_on_linux(tmp_path, inherited):
    """Also if the parent's own parent ignores the signal that tells of it."""
    root = str(Path(processes.__file__).parents[2])
    code = PARENT.replace("trap '' TERM; ", ": > ready; exec sleep 600; ")
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), root],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, inherited),
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    leader = json.loads((tmp_path / "one.pid").read_text())["pid"]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not alive(leader))
