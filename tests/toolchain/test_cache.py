"""The cache: it stays complete with two processes at once and after a kill at any moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANGS, wait_until
from toolchain.cache import locked, require_disk, staged
from toolchain.console import ToolchainError
from toolchain.selection import VERSION
from toolchain.versions import show

ROOT = Path(__file__).parents[2]

# A set-up whose download records that it ran, and continues when it is released.
SET_UP = """
import sys, time
from pathlib import Path
from toolchain.selection import VERSION, ensure_cli
from toolchain.versions import show

cache, log, gate = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

def download(target):
    with log.open("a") as file:
        file.write("started\\n")
    for name in ("pulumi", "pulumi-language-python"):
        (target / name).write_text(f"#!/bin/sh\\necho v{show(VERSION)}\\n")
        (target / name).chmod(0o755)
        while not gate.exists():
            time.sleep(0.01)

def build(target, environment):
    raise AssertionError("not needed")

print(ensure_cli({"XDG_CACHE_HOME": cache, "PATH": "/usr/bin:/bin"}, download, build).path)
"""


class SetUp:
    """Start a set-up as a process; its download is held until `gate` exists."""

    def __init__(self, folder: Path, name: str) -> None:
        self.log, self.gate, self._said = folder / "log", folder / "gate", folder / f"said-{name}"
        command = [sys.executable, "-u", "-c", SET_UP, str(folder), str(self.log), str(self.gate)]
        with self._said.open("w") as said:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_until_started(self) -> None:
        wait_until(self.log.exists, "set-up did not start")

    def end(self) -> None:
        assert self.process.wait(HANGS) == 0, self.said


def test_of_two_processes_one_works_and_the_other_reports_that_it_waits(tmp_path: Path) -> None:
    first = SetUp(tmp_path, "first")
    first.wait_until_started()
    second = SetUp(tmp_path, "second")
    told = f"another process ({first.process.pid}) is getting the Pulumi CLI; waiting for it"
    wait_until(lambda: told in second.said, "the second does not say that it waits")
    first.gate.touch()
    first.end()
    second.end()
    log, outputs = first.log, [first.said, second.said]
    assert log.read_text() == "started\n"
    assert outputs[0].splitlines()[-1] == outputs[1].splitlines()[-1]


def test_a_killed_set_up_leaves_nothing_half_made_and_the_next_one_completes_it(tmp_path: Path) -> None:
    killed = SetUp(tmp_path, "killed")
    killed.wait_until_started()
    killed.process.kill()
    killed.process.wait()
    folder = tmp_path / "sluice" / "pulumi"
    assert [entry.name for entry in folder.iterdir() if not entry.name.startswith(".staging-")] == []
    killed.gate.touch()
    next_one = SetUp(tmp_path, "next")
    next_one.end()
    assert "waiting" not in next_one.said
    assert [entry.name for entry in folder.iterdir()] == [f"{show(VERSION)}-official"]


def test_a_folder_gets_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(FileNotFoundError), staged(target) as staging:
        (staging / "half" / "nothing").touch()
    assert list(tmp_path.iterdir()) == []
    with staged(target) as staging:
        (staging / "whole").touch()
        assert not target.exists()
    assert [entry.name for entry in target.iterdir()] == ["whole"]


def test_a_damaged_folder_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "damaged").touch()
    with staged(target) as staging:
        (staging / "whole").touch()
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]
    assert [entry.name for entry in target.iterdir()] == ["whole"]


def test_a_cache_that_cannot_be_written_says_how_to_move_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolchainError, match=r"cannot write to the cache folder .*\n.*XDG_CACHE_HOME"):
        locked(tmp_path / "file", "pulumi", doing="trying").__enter__()


def test_a_full_disk_is_reported_before_the_work_begins(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"building needs 1e\+09 GiB on the disk of .*, and .* are free"):
        require_disk(tmp_path / "not" / "yet" / "there", 1e9, purpose="building")
    require_disk(tmp_path, 0, purpose="nothing")
