"""The stack file on disk: one atomic edit, no leftovers, no lost edits of another endpoint."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from command_errors import UnavailableError, UsageError
from rollout.declaration.stack_file import StackFile
from rollout.split import Split

TEXT = (
    "config:\n  sluice:rollout:\n    fraud: {stable: blue, traffic: {blue: 100}}\n    churn: {traffic: {blue: 100}}\n"
)
CANARY = Split(traffic={"blue": 90, "green": 10})


@pytest.fixture
def file(tmp_path: Path) -> StackFile:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(TEXT)
    return StackFile(path, "fraud")


def names(file: StackFile) -> list[str]:
    return sorted(path.name for path in file.path.parent.iterdir())


def test_weights_are_written_and_read_back(file: StackFile) -> None:
    file.write(CANARY)
    lines = file.read()
    assert (lines.split, lines.stable) == (CANARY, "blue")
    assert file.path.read_text() == TEXT.replace("blue: 100}}\n    churn", "blue: 90, green: 10}}\n    churn")


def test_the_same_text_is_parsed_once_and_another_one_again(file: StackFile) -> None:
    first = file.read()
    assert file.read() is first
    file.path.write_text(TEXT.replace("blue: 100", "blue: 60, green: 40"))
    assert file.read().split == Split(traffic={"blue": 60, "green": 40})


def test_plan_and_deployments_are_read_too(file: StackFile) -> None:
    assert (file.read().plan, file.read().deployments) == (None, {})
    endpoints = "  sluice:endpoints: {fraud: {deployments: {blue: {}, green: {}}}}\n"
    plan = "plan: {steps: [{weight: 10, bake: 5m}, {weight: 100, bake: 5m}]}"
    file.path.write_text(TEXT.replace("blue: 100}}\n    churn", f"blue: 100}}, {plan}}}\n    churn") + endpoints)
    declared = file.read()
    assert declared.plan is not None
    assert [step.percent for step in declared.plan.steps] == [10, 100]
    assert declared.deployments.keys() == {"blue", "green"}
    file.path.write_text(file.path.read_text().replace("bake: 5m", "bake: often"))
    assert file.read().plan is None


def test_mode_link_and_byte_order_mark_stay(file: StackFile, tmp_path: Path) -> None:
    file.path.write_text(f"\ufeff{TEXT}", encoding="utf-8")
    file.path.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to(file.path)
    StackFile(tmp_path / "link.yaml", "fraud").write(CANARY)
    assert (tmp_path / "link.yaml").is_symlink()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    assert file.path.read_text(encoding="utf-8").startswith("\ufeffconfig:")
    assert file.read().split == CANARY


def test_a_killed_write_leaves_the_old_file_and_its_draft_goes_with_the_next(file: StackFile) -> None:
    file.path.with_name(".Pulumi.dev.yaml.sluice-4711.tmp").write_text("half")
    file.write(Split(traffic={"blue": 100}))
    assert names(file) == ["Pulumi.dev.yaml"]


def test_a_full_disk_changes_nothing_and_says_so(file: StackFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match=r"was not written: No space left on device. Free space"):
        file.write(CANARY)
    assert file.path.read_text() == TEXT
    assert names(file) == ["Pulumi.dev.yaml"]


def test_two_endpoints_of_one_file_lose_no_edit(file: StackFile) -> None:
    def move(key: str) -> None:
        for percent in range(1, 21):
            StackFile(file.path, key).write(Split(traffic={"blue": 100 - percent, "green": percent}))

    movers = [threading.Thread(target=move, args=(key,)) for key in ("fraud", "churn")]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    last = Split(traffic={"blue": 80, "green": 20})
    assert (file.read().split, StackFile(file.path, "churn").read().split) == (last, last)


def test_a_missing_or_unreadable_file_is_refused(file: StackFile) -> None:
    with pytest.raises(UsageError, match="there is no stack file"):
        StackFile(file.path.with_name("Pulumi.prod.yaml"), "fraud").read()
    file.path.write_bytes(b"config: \xff")
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 8\)"):
        file.read()
