"""State in a container of the local Azure, and runners that use it with the unmodified Pulumi CLI."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from localazure.identity import CALLER_OBJECT_ID, SUBSCRIPTION_ID
from rollout.engine import PulumiEngine
from tests.integration.rehearsal import ROOT, SLUICE, Azure
from tests.waiting import HANGS, wait_until

ACCOUNT = "statestore"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/platform"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
ROLES = f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments"
READER, WRITER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
PROJECT = f"""
name: probe
runtime:
  name: python
  options:
    virtualenv: {ROOT / ".venv"}
"""
# With GATE set, an update stops in the middle until that file exists.
PROGRAM = """
import os, pathlib, time, pulumi
gate = os.environ.get("GATE")
if gate and not pulumi.runtime.is_dry_run():
    pathlib.Path(gate + ".reached").touch()
    while not pathlib.Path(gate).exists():
        time.sleep(0.02)
pulumi.export("served", os.environ.get("SERVED", "blue"))
"""


class BlobState:
    """A container of a storage account whose caller has the roles that the test gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.azure = Azure.started(folder, "--compute", "simulated", "--caller-without-data-roles")
        self.azure.request("PUT", GROUP, {"location": "westeurope"}, "2021-04-01")
        body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
        assert self.azure.request("PUT", STORAGE, body, "2023-01-01")[0] == 200
        self.updates: list[HeldUpdate] = []
        self.domain = self.azure.url.removeprefix("https://")
        self.roles: dict[str, str] = {}
        self.grant(WRITER)
        assert self._blob("PUT", "?restype=container").status_code == 201
        self._source = folder / "origin"
        self._source.mkdir()
        (self._source / "Pulumi.yaml").write_text(PROJECT)
        (self._source / "__main__.py").write_text(PROGRAM)
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "The program"]):
            identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
            subprocess.run(["git", "-C", str(self._source), *identity, *words], check=True)

    def grant(self, role: str) -> None:
        """Let the caller have this blob role and no other."""
        for path in self.roles.values():
            self.azure.request("DELETE", path, None, "2022-04-01")
        path = f"{ROLES}/{uuid4()}"
        properties = {"principalId": CALLER_OBJECT_ID, "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        assert self.azure.request("PUT", path, {"properties": properties}, "2022-04-01")[0] == 201
        self.roles = {role: path}

    def runner(self, name: str) -> "Runner":
        """A fresh clone with a CLI of its own."""
        clone = self.folder / name
        subprocess.run(["git", "clone", "-q", str(self._source), str(clone)], check=True)
        environment = self.azure.environment() | {
            "PULUMI_BACKEND_URL": f"azblob://state?storage_account={ACCOUNT}",
            "AZURE_STORAGE_ACCOUNT": ACCOUNT,
            "AZURE_STORAGE_DOMAIN": self.domain,
        }
        return Runner(clone, environment, self.updates)

    def stop(self) -> None:
        """End what a failed test left in its middle, and the local Azure."""
        for update in self.updates:
            if update.process.poll() is None:
                update.kill()
        self.azure.stop()

    def locks(self, stack: str) -> list[str]:
        """The names of the stack's locks."""
        folder = self.folder / "home" / "blobs" / ACCOUNT / "state" / ".pulumi" / "locks" / "organization" / "probe"
        return sorted(file.name for file in (folder / stack).glob("*.json"))

    def put_lock(self, stack: str, user: str, host: str, taken: str) -> None:
        """Leave a lock as the CLI of another machine writes it."""
        content = json.dumps({"pid": 77, "username": user, "hostname": host, "timestamp": taken})
        name = f".pulumi/locks/organization/probe/{stack}/{uuid4()}.json"
        answer = self._blob("PUT", f"/{name}", data=content, headers={"x-ms-blob-type": "BlockBlob"})
        assert answer.status_code == 201, answer.text

    def _blob(self, method: str, rest: str, **more: Any) -> requests.Response:
        headers = {"Authorization": "Bearer x", "x-ms-version": "2023-11-03", **more.pop("headers", {})}
        url = f"{self.azure.url}/{ACCOUNT}/state{rest}"
        trust = str(self.folder / "home" / "ca.pem")
        return requests.request(method, url, headers=headers, verify=trust, timeout=HANGS, **more)


class Runner:
    """One clone, with the variables of its shell."""

    def __init__(self, clone: Path, environment: Mapping[str, str], updates: "list[HeldUpdate]") -> None:
        self.clone = clone
        self._updates = updates
        self.environment = dict(environment)

    def engine(self, stack: str) -> PulumiEngine:
        return PulumiEngine(self.clone, stack, self.environment)

    def pulumi(self, *arguments: str, expect: int | None = 0) -> str:
        """Run the CLI to its end; returns all that it printed."""
        command = ["pulumi", "--non-interactive", "--color", "never", *arguments]
        return self._finished(command, expect)

    def sluice(self, *arguments: str, expect: int = 0) -> str:
        """Run `sluice` to its end; returns all that it printed."""
        return self._finished([str(SLUICE), *arguments], expect)

    def _finished(self, command: list[str], expect: int | None) -> str:
        done = subprocess.run(
            command,
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert expect is None or done.returncode == expect, done.stdout
        return done.stdout

    def held_up(self, stack: str) -> "HeldUpdate":
        """Start an update and wait until it is in its middle, where it has the lock."""
        self._updates.append(HeldUpdate(self, stack))
        self._updates[-1].wait()
        return self._updates[-1]


class HeldUpdate:
    """An update that waits in its middle."""

    def __init__(self, runner: Runner, stack: str) -> None:
        self._gate = runner.clone / "gate"
        self._output = runner.clone / "output"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                ["pulumi", "--non-interactive", "--color", "never", "up", "--yes", "--skip-preview", "--stack", stack],
                cwd=runner.clone,
                env=runner.environment | {"GATE": str(self._gate), "SERVED": "green"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Return when it is in its middle."""
        wait_until(lambda: self._gate.with_name("gate.reached").exists(), "the update is not in its middle")

    @property
    def owner(self) -> str:
        """How the CLI names the process to others."""
        return f"@{socket.gethostname()} (pid {self.process.pid})"

    def finish(self) -> None:
        """Let it go on to its end, which must be good."""
        self._gate.touch()
        assert self.process.wait(HANGS) == 0, self._output.read_text()

    def kill(self) -> None:
        """Kill the CLI as a lost machine does; what it started ends by itself."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._gate.touch()
