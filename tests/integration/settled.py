"""Settled stacks: created once per worker, and restored after a test that changed them.

A snapshot is a copy of the local Azure's home with the stacks, their state and their release locks. It is restored to
the same folder and port, because the state contains addresses of the local Azure. A comparison of everything relevant
decides whether to restore it: a test that changes nothing costs nothing, and a test that fails leaves nothing behind.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rehearsal.faults import clear_faults
from rehearsal.server_process import live_status
from tests.integration.checkpoint import lasting
from tests.integration.rehearsal import Azure
from tests.ports import own_port
from tests.waiting import wait_until

_PARTS = ("home", "stacks", "state", "locks")


class Settled:
    """A local Azure in whose folder `settle` has brought stacks up."""

    def __init__(self, folder: Path, settle: Callable[[Azure], None], *flags: str) -> None:
        self._saved = folder / "saved"
        self.azure = Azure.started(folder / "azure", *flags, port=own_port())
        settle(self.azure)
        self._pristine = fingerprint(self.azure)
        self.azure.stop()
        for part in _PARTS:
            shutil.copytree(self.azure.folder / part, self._saved / part, symlinks=True)
        self._start()

    def restored(self) -> Azure:
        """The settled local Azure and its stacks."""
        if self.azure.home.server() is None or self._is_changed():
            self.azure.stop()
            shutil.rmtree(self.azure.folder)
            shutil.copytree(self._saved, self.azure.folder, symlinks=True)
            self._start()
        return self.azure

    def _is_changed(self) -> bool:
        clear_faults(self.azure.home)
        try:
            return fingerprint(self.azure) != self._pristine
        except (OSError, ValueError, KeyError, sqlite3.Error):  # what can no longer be read has changed
            return True

    def _start(self) -> None:
        self.azure.start()
        wait_until(lambda: is_serving(self.azure), "the deployments do not come back")


def is_serving(azure: Azure) -> bool:
    """Whether every instance of every deployment is ready."""
    deployments = [
        deployment
        for endpoint in live_status(azure.home.require_server())["scoring"].values()
        for deployment in endpoint["deployments"].values()
    ]
    return all(
        deployment["state"] == "serving" and all(instance["ready"] for instance in deployment["instances"])
        for deployment in deployments
    )


def fingerprint(azure: Azure) -> dict[str, Any]:
    """Return all that a later test could notice: resources, blobs, running operations, stack files, state, locks."""
    with closing(sqlite3.connect(f"file:{azure.home.path / 'azure.db'}?mode=ro", uri=True)) as store:
        found: dict[str, Any] = {
            "resources": sorted(store.execute("SELECT key, body, private FROM resources")),
            "blobs": sorted(store.execute("SELECT account, container, name, document FROM blobs")),
            "running": sorted(store.execute("SELECT id FROM operations WHERE running = 1")),
        }
    found["folders"] = sorted(file.name for file in azure.folder.iterdir())
    for part in ("stacks", "locks"):
        for file in (azure.folder / part).rglob("*"):
            if file.is_file() and file.suffix != ".jsonl":
                found[str(file)] = file.read_bytes()
    pulumi = azure.folder / "state" / ".pulumi"
    found["locks of the engine"] = sorted(map(str, (pulumi / "locks").rglob("*.json")))
    for file in (pulumi / "stacks").rglob("*.json"):
        found[str(file)] = _checkpoint(json.loads(file.read_text()))
        attributes = file.with_name(f"{file.name}.attrs")  # of the file back end: written later, or never
        found[f"{file}.attrs"] = not attributes.exists() or attributes.stat().st_size > 0
    return found


def _checkpoint(document: dict[str, Any]) -> Any:
    """Return a stack's state without what every run rewrites, even a refused one."""
    deployment = document["checkpoint"].get("latest") or {}
    return lasting(deployment.get("resources", ())), deployment.get("pending_operations")
