"""kill -9 at any moment, then a restart: no acknowledged write is lost, operations end, no process is orphaned."""

from __future__ import annotations

import random
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from localazure import identity
from localazure.scoring.processes import MARKER
from tests.localazure.server_command import server_command
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration

GROUPS = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups"
WORKSPACE = f"{GROUPS}/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
HERE = {"location": "westeurope"}
BLOB = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}
ROUNDS = 5
SCRIPT = """
import os
def init(): pass
def run(data): return {"pid": os.getpid()}
"""


class Writer:
    """Writes without pause and remembers what was sent and what was acknowledged."""

    def __init__(self, azure: Any) -> None:
        self.azure = azure
        self.number = self.count = 0
        self.sent: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}
        self.operations: list[requests.Response] = []

    def run_until_killed(self, writes: int) -> None:
        """Kill in the middle of whatever comes after so many writes."""
        thread, wanted = threading.Thread(target=self._write), self.count + writes
        thread.start()
        wait_until(lambda: self.count >= wanted, look_seconds=0.001)
        self.azure.kill()
        thread.join()

    def _write(self) -> None:
        while True:
            self.number += 1
            kind = ("group", "logs", "endpoint", "blob")[self.number % 4]
            key = f"{kind}{self.number % 20}"
            try:
                self._one(kind, key)
            except requests.RequestException:
                return

    def _one(self, kind: str, key: str) -> None:
        self.sent[key] = self.number
        body = HERE | {"tags": {"value": str(self.number)}}
        if kind == "blob":
            content = f"{self.number} ".encode() * 5000
            answer = self.azure.session.put(self._url(key), data=content, headers=BLOB, timeout=HANGS)
        else:
            extra = {"endpoint": {"authMode": "Key"}, "logs": {}}.get(kind)
            answer = self.azure.request("PUT", self._url(key), body | ({} if extra is None else {"properties": extra}))
        assert answer.status_code in (200, 201, 409), answer.text
        if answer.status_code == 409:
            return  # the operation before is still running
        self.acknowledged[key] = self.number
        self.count += 1
        if "Azure-AsyncOperation" in answer.headers:
            self.operations.append(answer)

    def _url(self, key: str) -> str:
        if key.startswith("group"):
            return f"{GROUPS}/{key}"
        if key.startswith("logs"):
            return f"{GROUPS}/rg1/providers/Microsoft.OperationalInsights/workspaces/{key}"
        return (
            f"{WORKSPACE}/onlineEndpoints/{key}"
            if key.startswith("endpoint")
            else f"{self.azure.http}/stacc1/box/{key}"
        )

    def check(self) -> None:
        """What was acknowledged is there, or what was sent after it; operations end."""
        for answer in self.operations:
            assert self.azure.wait(answer)["status"] == "Succeeded"
        self.operations.clear()
        for key, least in self.acknowledged.items():
            found = self.azure.session.get(self._url(key), headers=BLOB) if key.startswith("blob") else None
            if found is not None:
                assert found.status_code == 200
                words = set(found.text.split())
                assert len(words) == 1, f"{key} is a mixture of {words}"
                value = int(words.pop())
            else:
                value = int(self.azure.request("GET", self._url(key)).json()["tags"]["value"])
            assert least <= value <= self.sent[key], key


def test_no_acknowledged_write_is_lost_and_operations_go_on(azure: Any) -> None:
    azure.make_workspace()
    assert azure.request("PUT", f"{azure.http}/stacc1/box?restype=container", **BLOB).status_code == 201
    writer, moments = Writer(azure), random.Random(4)
    for _ in range(ROUNDS):
        writer.run_until_killed(moments.randrange(20, 100))
        azure.start()
        writer.check()
    assert len(writer.acknowledged) > 15
    assert not [path for path in (azure.home / "blobs").glob("*/.uploads/*/*") if path.is_file()], (
        "half an upload is left"
    )
    assert "Traceback" not in azure.log()


def instances_of(home: Path) -> set[int]:
    """Every living process of this home's models, by its socket."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
            state = (folder / "stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        ours = MARKER.encode() in environment and str(home / "deployments").encode() in environment + command
        if ours and state not in (b"Z", b"X"):
            found.add(int(folder.name))
    return found


def serving(azure: Any) -> set[int]:
    deployments = azure.request("GET", f"{azure.http}/_local/status").json()["scoring"]["fraud-dev"]["deployments"]
    return {one["pid"] for facts in deployments.values() for one in facts["instances"] if one["ready"]}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc, which is not here")
def test_models_serve_again_and_none_is_orphaned(azure: Any) -> None:
    azure.make_workspace()
    assert (
        azure.wait(azure.request("PUT", ENDPOINT, HERE | {"properties": {"authMode": "Key"}}))["status"] == "Succeeded"
    )
    model = azure.make_model(SCRIPT)
    blue = HERE | {"properties": model, "sku": {"name": "Default", "capacity": 2}}
    assert azure.wait(azure.request("PUT", f"{ENDPOINT}/deployments/blue", blue))["status"] == "Succeeded"
    weights = HERE | {"properties": {"authMode": "Key", "traffic": {"blue": 100}}}
    azure.wait(azure.request("PUT", ENDPOINT, weights))
    before = serving(azure)
    assert len(before) == 2

    known = instances_of(azure.home)
    green = azure.request("PUT", f"{ENDPOINT}/deployments/green", HERE | {"properties": model})
    assert green.status_code == 201
    wait_until(lambda: instances_of(azure.home) - known, "its process does not start")
    azure.kill()
    azure.start()

    assert azure.wait(green)["status"] == "Succeeded", "the operation goes on"
    wait_until(lambda: len(serving(azure)) == 3)
    assert not serving(azure) & before
    key = azure.request("POST", f"{ENDPOINT}/listKeys").json()["primaryKey"]
    answer = azure.session.post(
        f"{azure.http}/endpoints/fraud-dev/score",
        json={},
        headers={"Authorization": f"Bearer {key}"},
        timeout=HANGS,
    )
    assert answer.status_code == 200
    groups = {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[2] for pid in instances_of(azure.home)}
    assert groups == {str(pid) for pid in serving(azure)}, "every process belongs to an instance that serves"

    azure.kill()
    azure.start()
    azure.stop()
    wait_until(lambda: not instances_of(azure.home))


def test_of_many_starts_at_once_one_wins_and_the_others_report_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = server_command(home)
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        wait_until(lambda: sum(start.poll() is not None for start in starts) == 3)
        (winner,) = [start for start in starts if start.poll() is None]
        assert winner.stdout is not None
        assert winner.stdout.readline().startswith("local Azure ready")
        for loser in (start for start in starts if start is not winner):
            _, message = loser.communicate()
            assert loser.returncode == 1
            assert "already running" in message
            assert "Traceback" not in message
    finally:
        for start in starts:
            if start.poll() is None:
                start.terminate()
            start.communicate()
