"""The controller's view of a stack's locks: dead ones go, the others have a holder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from command_errors import WaitingError
from recovery.engine_locks import StackLocks
from rollout.engine import PulumiEngine
from tests.recovery.lock_files import write_lock
from tests.recovery.test_locks import dead_process


@pytest.fixture
def locks(tmp_path: Path) -> StackLocks:
    (tmp_path / "Pulumi.yaml").write_text("name: sluice\n")
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    return StackLocks(PulumiEngine(tmp_path, "dev", environment), lambda text: None)


def test_a_dead_lock_has_no_holder_and_is_removed_once(locks: StackLocks, tmp_path: Path) -> None:
    file = write_lock(tmp_path, pid=dead_process())
    assert locks.holder() is None
    assert (locks.remove_dead(), locks.remove_dead()) == (True, False)
    assert not file.exists()


def test_a_living_lock_has_a_holder_and_stays(locks: StackLocks, tmp_path: Path) -> None:
    file = write_lock(tmp_path, pid=os.getpid())
    assert f"process {os.getpid()}" in (locks.holder() or "")
    with pytest.raises(WaitingError, match="is running"):
        locks.remove_dead()
    assert file.exists()


def test_another_backend_shows_no_locks(tmp_path: Path) -> None:
    engine = PulumiEngine(tmp_path, "dev", {"PULUMI_BACKEND_URL": "s3://state"})
    locks = StackLocks(engine, lambda text: None)
    assert (locks.holder(), locks.remove_dead(), locks.last_update()) == (None, False, None)


def test_the_last_update_is_the_newest_entry_of_the_history(locks: StackLocks, tmp_path: Path) -> None:
    assert locks.last_update() is None
    history = tmp_path / ".pulumi" / "history" / "sluice" / "dev"
    history.mkdir(parents=True)
    for end in ("999", "1795816057913497437", "1795816012763190790"):
        (history / f"dev-{end}.history.json").touch()
        (history / f"dev-{end}.checkpoint.json").touch()
    assert locks.last_update() == "dev-1795816057913497437"
