"""The lock of an endpoint: one tick at a time on a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
