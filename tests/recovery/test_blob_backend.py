"""Locks in a container, read from the local Azure's blob service with the caller's own login."""

import functools
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from command_errors import CommandError, UnavailableError, WaitingError
from localazure import identity
from recovery.blob_backend import BlobBackend
from recovery.engine_locks import StackLocks
from recovery.locks import LockRule
from rollout.engine import PulumiEngine
from state_backend import backend_blobs
from tests.localazure.conftest import FakePlane, LocalAzure
from tests.localazure.storage.accounts import STORAGE, make_account
from tests.recovery.lock_files import lock_text

pytestmark = pytest.mark.integration
TAKEN = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
LOCKS = ".pulumi/locks/organization/sluice/dev/"


class State:
    """A container with state on a local Azure, and the variables that lead to it."""

    def __init__(self, azure: LocalAzure, url: str, service: Any, folder: Path) -> None:
        self.azure = azure
        domain = url.removeprefix("https://").partition("/")[0]
        self.environment = azure.environment() | {
            "PULUMI_BACKEND_URL": "azblob://state/team?storage_account=stacc1",
            "AZURE_STORAGE_DOMAIN": domain,
        }
        self.container = service.create_container("state")
        place = backend_blobs(self.environment)
        assert place is not None
        self.backend = BlobBackend(place, self.environment)
        (folder / "Pulumi.yaml").write_text("name: sluice\n")
        self.engine = PulumiEngine(folder, "dev", self.environment)

    def lock(self, name: str, *, stack_folder: str = LOCKS, **owner: Any) -> str:
        whole = f"team/{stack_folder}{name}.json"
        self.container.upload_blob(whole, lock_text(**owner))
        return whole

    def names(self) -> list[str]:
        return sorted(self.container.list_blob_names())


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    azure = LocalAzure(tmp_path / "home", FakePlane())
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    url = make_account(azure)
    with DefaultAzureCredential() as credential, BlobServiceClient(url, credential) as service:
        yield State(azure, url, service, tmp_path)
    azure.close()


def test_locks_of_one_stack_are_read_and_removed_one_by_one(state: State) -> None:
    first, second = state.lock("a", pid=1, host="fv-az1", user="runner", taken=TAKEN), state.lock("b", pid=2)
    other = state.lock("c", pid=3, stack_folder=LOCKS.replace("dev", "dev2"))
    found = state.backend.locks("sluice", "dev")
    assert [(lock.name, lock.pid, lock.user) for lock in found] == [(first, 1, "runner"), (second, 2, "ann")]
    state.backend.remove(found[0])
    state.backend.remove(found[0])
    assert state.names() == sorted([second, other])


def test_a_lock_that_is_no_document_cannot_be_judged_and_stays(state: State) -> None:
    state.container.upload_blob(f"team/{LOCKS}x.json", b"\xff{")
    with pytest.raises(WaitingError, match="which names no owner"):
        StackLocks(state.engine, lambda text: None).remove_dead()
    assert len(state.names()) == 1


def test_a_pipelines_old_lock_of_another_host_goes_and_a_young_one_is_waited_for(state: State) -> None:
    state.lock("a", pid=1, host="fv-az1", user="runner", taken=TAKEN)
    said: list[str] = []
    for minutes, gone in ((164, False), (166, True)):
        rule = LockRule(165 * 60, now=functools.partial(float, TAKEN.timestamp() + minutes * 60))
        locks = StackLocks(state.engine, said.append, rule)
        if gone:
            assert locks.remove_dead()
        else:
            with pytest.raises(WaitingError, match=r"runner@fv-az1.*since 2026-09-01 08:00:00.*10:45:00 UTC"):
                locks.remove_dead()
            assert "runner@fv-az1" in str(locks.holder())
    assert state.names() == []
    assert len(said) == 1
    assert "removed the lock of a dead update (runner@fv-az1, process 1" in said[0]


def test_the_last_update_is_the_newest_entry_of_the_history(state: State) -> None:
    locks = StackLocks(state.engine, lambda text: None)
    assert locks.last_update() is None
    for name in ("dev/dev-1795816057913497437", "dev/dev-1795816012763190790", "dev2/dev2-1895816012763190790"):
        state.container.upload_blob(f"team/.pulumi/history/sluice/{name}.history.json", "{}")
    assert locks.last_update() == "dev-1795816057913497437"
    state.container.delete_container()
    assert locks.last_update() is None


def test_a_living_lock_of_this_host_keeps_the_others(state: State) -> None:
    state.lock("a", pid=1, host="fv-az1", user="runner", taken=TAKEN)
    state.lock("b", pid=os.getpid())
    with pytest.raises(WaitingError, match="is running"):
        StackLocks(state.engine, lambda text: None, LockRule(60)).remove_dead()
    assert len(state.names()) == 2


def test_a_missing_container_or_account_is_named_with_the_fix(state: State) -> None:
    state.container.delete_container()
    with pytest.raises(UnavailableError, match=r"container state of storage account stacc1, which .* does not exist"):
        state.backend.locks("sluice", "dev")
    state.azure.request("DELETE", STORAGE)
    with pytest.raises(UnavailableError, match="does not exist"):
        state.backend.locks("sluice", "dev")


def test_a_service_that_is_gone_is_not_reachable(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recovery.blob_backend.RETRIES", 0)
    state.azure.close()
    with pytest.raises(UnavailableError, match="did not answer"):
        state.backend.locks("sluice", "dev")


def test_the_missing_role_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    azure = LocalAzure(tmp_path / "strict", FakePlane(), caller_without_data_roles=True)
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    url = make_account(azure)

    def grant(role: str) -> str:
        path = f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        properties = {"principalId": identity.CALLER_OBJECT_ID, "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        assert azure.request("PUT", path, {"properties": properties}).ok
        return path

    try:
        writer = grant("ba92f5b4-2d11-453d-a403-e96b0029c9fe")
        with DefaultAzureCredential() as credential, BlobServiceClient(url, credential) as service:
            strict = State(azure, url, service, tmp_path)
            strict.lock("a", pid=1)
            azure.request("DELETE", writer)
            with pytest.raises(CommandError, match=r"may not read .* role Storage Blob Data Reader on that container"):
                strict.backend.locks("sluice", "dev")
            grant("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1")
            (lock,) = strict.backend.locks("sluice", "dev")
            with pytest.raises(CommandError, match=r"may not write .* role Storage Blob Data Contributor"):
                strict.backend.remove(lock)
    finally:
        azure.close()
