"""A full disk: writes are refused with a clear error, reading goes on, and freed space heals it all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from localazure import identity
from localazure.arm import operations
from localazure.disk import is_full
from localazure.resource import Resource
from tests.localazure.conftest import FakePlane, LocalAzure
from tests.waiting import wait_until

GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/full"
HERE = {"location": "westeurope"}


def test_what_a_full_disk_looks_like(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "small.db")
    connection.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("CREATE TABLE t AS SELECT zeroblob(100000) AS b")
    connection.close()
    assert is_full(caught.value)
    assert is_full(OSError(errno.ENOSPC, "no space"))
    assert not is_full(OSError(errno.EACCES, "no"))
    assert not is_full(sqlite3.OperationalError("locked"))
    assert not is_full(ValueError())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here: no small disk to fill")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up every block."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast


@pytest.mark.integration
def test_a_full_disk_refuses_writes_and_serves_reads(small_disk: Path, make_azure: Callable[..., Any]) -> None:
    azure = make_azure(small_disk / "home")
    azure.start()
    azure.make_workspace()
    container = {"x-ms-version": "2021-12-02"}
    assert azure.request("PUT", f"{azure.http}/stacc1/box?restype=container", **container).status_code == 201
    ballast = fill(small_disk)

    body = HERE | {"tags": {f"filler{number}": "x" * 256 for number in range(50)}}  # as much as Azure accepts
    answers = [azure.request("PUT", f"{GROUP}{number}", body) for number in range(30)]
    refused = [answer for answer in answers if answer.status_code == 507]
    assert refused, [answer.status_code for answer in answers]
    assert {answer.status_code for answer in answers} <= {201, 507}
    error = refused[0].json()["error"]
    assert error["code"] == "LocalDiskFull"
    assert "Free space" in error["message"]
    upload = azure.session.put(
        f"{azure.http}/stacc1/box/big", data=b"x" * 300_000, headers=container | {"x-ms-blob-type": "BlockBlob"}
    )
    assert upload.status_code == 507

    accepted = [f"{GROUP}{number}" for number, answer in enumerate(answers) if answer.status_code == 201]
    lost = [f"{GROUP}{number}" for number, answer in enumerate(answers) if answer.status_code == 507]
    assert all(azure.request("GET", path).status_code == 200 for path in accepted)
    assert all(azure.request("GET", path).status_code == 404 for path in lost)
    assert azure.request("GET", f"{azure.http}/_local/health").status_code == 200

    ballast.unlink()
    assert azure.request("PUT", lost[0], body).status_code == 201
    azure.kill()
    azure.start()
    assert all(azure.request("GET", path).status_code == 200 for path in [*accepted, lost[0]])
    assert "Traceback" not in azure.log()


@pytest.mark.integration
def test_an_operation_whose_end_cannot_be_written_waits_for_space(
    start_local_azure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "DISK_FULL_SECONDS", 0.01)
    azure = start_local_azure()
    azure.request("PUT", f"{GROUP}1", HERE)
    path = f"{GROUP}1/providers/Microsoft.OperationalInsights/workspaces/logs1"
    store = azure._server._plane.store  # no real disk fills up between two steps of one operation
    save, space, ends = store.save_operation, threading.Event(), []

    def fill_up_at_the_end(operation_id: str, target: str, running: bool, document: dict[str, Any]) -> None:
        if not running:
            ends.append(operation_id)
            if not space.is_set():
                raise OSError(errno.ENOSPC, "no space")
        save(operation_id, target, running, document)

    store.save_operation = fill_up_at_the_end
    assert azure.request("PUT", path, HERE | {"properties": {}}).status_code == 201
    wait_until(lambda: len(ends) >= 2, "it does not try again")
    assert azure.request("GET", path).json()["properties"]["provisioningState"] == "Creating"
    space.set()
    wait_until(lambda: azure.request("GET", path).json()["properties"]["provisioningState"] == "Succeeded")


@pytest.mark.integration
def test_a_stop_ends_everything_although_metrics_cannot_be_written(tmp_path: Path) -> None:
    azure = LocalAzure(tmp_path / "home", FakePlane())
    server = azure._server
    ended = []

    def refuse(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def close() -> None:
        ended.append("scoring")

    server._monitor._history.save = refuse
    server.scoring.close = close
    azure.close()
    assert ended == ["scoring"]


@pytest.mark.integration
def test_the_end_of_a_batch_job_that_cannot_be_written_waits_for_space(tmp_path: Path) -> None:
    from localazure.arm.namespaces.machine_learning.batch import runs

    saved = []

    class Store:
        def get(self, job_id: str) -> Any:
            return Resource(id=job_id, body={"properties": {"properties": {}}}, private={"status": "Running"})

        def save(self, job: Resource) -> None:
            saved.append(job.private["status"])
            if len(saved) == 1:
                raise OSError(errno.ENOSPC, "no space")

    plane: Any = SimpleNamespace(store=Store())
    with mock.patch.object(runs, "DISK_FULL_SECONDS", 0.01):
        asyncio.run(runs._end(plane, "/job", "Completed", {}))
    assert saved == ["Completed", "Completed"]


@pytest.mark.integration
def test_a_start_on_a_full_disk_names_the_full_disk(small_disk: Path, make_azure: Callable[..., Any]) -> None:
    azure = make_azure(small_disk / "home")
    azure.start()
    azure.stop()
    fill(small_disk)
    for name in ("azure.db-wal", "azure.db-shm"):
        (azure.home / name).unlink(missing_ok=True)
    fill(small_disk)
    with pytest.raises(RuntimeError, match="is full") as caught:
        azure.start()
    assert "Traceback" not in str(caught.value)
