"""The lock of an endpoint: one tick at a time on a machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from command_errors import UnavailableError
from rollout.errors import EndpointBusy
from rollout.record.lock import endpoint_lock
from tests.rollout.record.test_journal import FixedClock


def test_a_second_holder_waits_and_then_learns_who_has_it(tmp_path: Path) -> None:
    folder, clock = tmp_path / "prod" / "fraud-detection", FixedClock(0)
    with (
        endpoint_lock(folder, FixedClock()),
        pytest.raises(EndpointBusy, match=rf"fraud-detection \(process id {os.getpid()}\)"),
        endpoint_lock(folder, clock),
    ):
        pass
    assert clock.now() == 30


def test_the_lock_is_free_after_a_tick(tmp_path: Path) -> None:
    clock = FixedClock(0)
    for _ in range(2):
        with endpoint_lock(tmp_path, clock):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    assert clock.now() == 0, "the second tick did not wait"


def read_only(monkeypatch: pytest.MonkeyPatch, *unreadable: Path) -> None:
    """No file can be opened for writing; these not even for reading."""
    real = os.open

    def opened(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_CREAT) or path in unreadable:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", opened)


@pytest.mark.parametrize("has_file", [True, False])
def test_on_a_read_only_disk_what_is_there_is_locked(
    has_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_file:
        (tmp_path / ".lock").write_text("7\n")
    read_only(monkeypatch)
    clock = FixedClock(0)
    with (
        endpoint_lock(tmp_path, clock),
        pytest.raises(EndpointBusy, match=rf"process id {7 if has_file else 'unknown'}\)"),
        endpoint_lock(tmp_path, clock),
    ):
        pass
    assert clock.now() == 30


def test_where_nothing_can_be_opened_nothing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only(monkeypatch, tmp_path / ".lock", tmp_path, *tmp_path.parents)
    with pytest.raises(UnavailableError, match=r"the endpoint cannot be locked: .*Read-only file system"):
        endpoint_lock(tmp_path, FixedClock()).__enter__()
