"""Whose lock it is decides whether it may go: only a dead process's, and a used-again number is not that process."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.locks import Owner, backend_folder, broken_files, stack_locks


def write_lock(backend: Path, *, pid: int, host: str | None = None, taken: datetime | None = None) -> Path:
    folder = backend / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{pid}.json"
    stamp = (taken or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    content = {"pid": pid, "username": "ann", "hostname": host or socket.gethostname(), "timestamp": stamp}
    file.write_text(json.dumps(content))
    return file


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def owner(backend: Path) -> Owner:
    (lock,) = stack_locks(backend, "sluice", "dev")
    return lock.owner


def test_a_process_that_is_gone_is_dead(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=dead_process())
    assert owner(tmp_path) is Owner.DEAD


def test_a_living_process_is_alive(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid())
    assert owner(tmp_path) is Owner.ALIVE


def test_a_number_that_a_later_process_got_is_dead(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid(), taken=datetime.now(UTC) - timedelta(days=30))
    assert owner(tmp_path) is Owner.DEAD


def test_another_machines_process_cannot_be_judged(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=dead_process(), host="elsewhere")
    assert owner(tmp_path) is Owner.ELSEWHERE


@pytest.mark.parametrize("content", ["{}", "[]", "7", '{"pid": "x", "timestamp": "now"}', '{"timestamp": 1}'])
def test_a_lock_that_names_no_owner_cannot_be_judged(tmp_path: Path, content: str) -> None:
    write_lock(tmp_path, pid=1).write_text(content)
    assert owner(tmp_path) is Owner.UNKNOWN
    (lock,) = stack_locks(tmp_path, "sluice", "dev")
    assert str(lock) == f"{lock.file}, which names no owner"


def test_a_lock_that_is_just_being_written_is_no_lock_yet(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=1).write_text('{"pid": 1')
    assert stack_locks(tmp_path, "sluice", "dev") == []


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PULUMI_BACKEND_URL": "file:///state?no_tmp_dir=true"}, Path("/state")),
        ({"PULUMI_BACKEND_URL": "file://~"}, Path.home()),
        ({"PULUMI_BACKEND_URL": "azblob://container"}, None),
        ({"PULUMI_HOME": "/nowhere"}, None),
    ],
)
def test_only_a_file_backend_has_a_folder(environment: dict[str, str], folder: Path | None) -> None:
    assert backend_folder(environment) == folder


def test_the_backend_that_login_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"current": "file:///from/login"}))
    assert backend_folder({"PULUMI_HOME": str(tmp_path)}) == Path("/from/login")


def test_only_what_a_killed_update_was_writing_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "sluice"
    folder.mkdir(parents=True)
    for name, text in {
        "dev.json": "{}",
        "dev.json.attrs": "",
        "dev.json.bak.attrs": '{"md5": ""}',
        "dev.json.18f.tmp": "{",
        "prod.json.attrs": "",
    }.items():
        (folder / name).write_text(text)
    assert [file.name for file in broken_files(tmp_path, "sluice", "dev")] == ["dev.json.18f.tmp", "dev.json.attrs"]
