"""The release lock: what counts as published, and that every reader sees a complete file."""

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import LockError, NotPublishedError
from models.release_lock import (
    PublishedAsset,
    ReleaseLock,
    StackRecord,
    lock_path,
    model_uri,
    published,
    read_lock,
    require_published,
    write_record,
)
from models.spec import AssetKind, LocalAsset

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


def asset(name: str = "blue", digest: str = "d1", kind: AssetKind = AssetKind.MODEL) -> LocalAsset:
    return LocalAsset(
        kind=kind, path=Path("/x") / name, name=name, digest=digest, asset_type="custom_model", files=("f",)
    )


def record(*assets: LocalAsset, guid: str = "g1", workspace_id: str = WORKSPACE) -> StackRecord:
    return StackRecord(
        workspace_id=workspace_id,
        workspace_guid=guid,
        storage_account="st",
        container="c",
        assets={
            one.digest: PublishedAsset(digest=one.digest, kind=one.kind, name=one.name, uri=f"uri:{one.digest}")
            for one in assets
        },
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


def test_a_lock_that_does_not_exist_is_empty(folder: Path) -> None:
    lock = read_lock(folder)
    assert (lock.path, lock.model, dict(lock.stacks)) == (folder / "release.lock.yml", "shop", {})
    assert published(lock, "dev", asset()) is None


def test_what_is_written_is_read_back(folder: Path) -> None:
    written, changed = write_record(read_lock(folder), "dev", record(asset()))
    assert changed
    assert read_lock(folder) == written
    place = published(read_lock(folder), "dev", asset())
    assert place is not None
    assert place.uri == "uri:d1"
    assert published(read_lock(folder), "prod", asset()) is None


def test_the_same_again_leaves_the_file_alone(folder: Path) -> None:
    write_record(read_lock(folder), "dev", record(asset()))
    before = (folder / "release.lock.yml").stat()
    _, changed = write_record(read_lock(folder), "dev", record(asset()))
    after = (folder / "release.lock.yml").stat()
    assert not changed
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_earlier_entries_stay_so_that_an_older_commit_finds_its_content(folder: Path) -> None:
    write_record(read_lock(folder), "dev", record(asset(digest="old")))
    write_record(read_lock(folder), "dev", record(asset(digest="new")))
    write_record(read_lock(folder), "prod", record(asset(digest="new"), workspace_id=f"{WORKSPACE}-prod"))
    lock = read_lock(folder)
    assert set(lock.stacks["dev"].assets) == {"old", "new"}
    assert set(lock.stacks["prod"].assets) == {"new"}


def test_a_recreated_workspace_starts_from_nothing(folder: Path) -> None:
    write_record(read_lock(folder), "dev", record(asset(digest="old")))
    write_record(read_lock(folder), "dev", record(asset(digest="new"), guid="g2"))
    assert set(read_lock(folder).stacks["dev"].assets) == {"new"}


def test_rehearsals_have_a_lock_of_their_own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(tmp_path / "locks"))
    write_record(read_lock(folder), "dev", record(asset()))
    assert not (folder / "release.lock.yml").exists()
    assert read_lock(folder).path == tmp_path / "locks" / "shop" / "release.lock.yml"
    assert published(read_lock(folder), "dev", asset()) is not None


def test_each_reason_why_something_is_not_published_is_told_apart(folder: Path) -> None:
    lock = ReleaseLock(
        path=folder / "l", model="shop", stacks={"dev": record(asset(), asset("src", "c1", AssetKind.CODE))}
    )
    with pytest.raises(NotPublishedError) as caught:
        require_published(
            lock,
            "dev",
            {
                "blue: model": asset(),
                "green: model": asset("green", "d2"),
                "amber: model": asset("blue", "d3"),
                "amber: code": asset("src", "c2", AssetKind.CODE),
            },
        )
    assert str(caught.value).splitlines() == [
        "Stack dev declares content of model shop that is not published to it:",
        "  amber: code (src, c2) has changed since it was published",
        "  amber: model (blue, d3) has changed since it was published",
        "  green: model (green, d2) was never published to dev",
        "Run `sluice release publish shop --stack dev` and commit release.lock.yml.",
    ]


def test_content_of_another_stack_or_workspace_does_not_count(folder: Path) -> None:
    lock = ReleaseLock(path=folder / "l", model="shop", stacks={"dev": record(asset())})
    with pytest.raises(NotPublishedError, match=r"was never published to prod \(it is published to dev\)"):
        require_published(lock, "prod", {"blue: model": asset()})
    with pytest.raises(NotPublishedError, match="was published to another workspace, ws"):
        require_published(lock, "dev", {"blue: model": asset()}, workspace_id=f"{WORKSPACE}2")
    with pytest.raises(NotPublishedError, match="was published to a workspace ws that has since been deleted"):
        require_published(lock, "dev", {"blue: model": asset()}, workspace_guid="g2")
    found = require_published(lock, "dev", {"x": asset()}, workspace_id=WORKSPACE.upper(), workspace_guid="g1")
    assert found["x"].uri == "uri:d1"


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< ours\nmodel: shop\n",
        "model: other\nstacks: {}\n",
        "- a\n",
        "model: shop\nstacks: {dev: {assets: 3}}\n",
        "",
    ],
)
def test_a_lock_that_cannot_be_read_is_an_error_and_never_empty(text: str, folder: Path) -> None:
    (folder / "release.lock.yml").write_text(text)
    with pytest.raises(LockError, match=r"is not a release lock.*After a merge conflict"):
        read_lock(folder)


def test_a_lock_that_cannot_be_written_is_an_error_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LockError, match=r"cannot be written.*No space left"):
        write_record(read_lock(folder), "dev", record(asset()))
    assert list(folder.iterdir()) == []  # no partial file either


def _write(folder: Path, number: int) -> None:
    for index in range(5):
        write_record(
            ReleaseLock(path=folder / "release.lock.yml", model="shop"),
            "dev",
            record(asset(digest=f"{number}-{index}")),
        )


def test_processes_that_publish_at_the_same_time_lose_nothing(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(folder, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(read_lock(folder).stacks["dev"].assets) == 15


def test_a_model_address_names_the_workspaces_datastore() -> None:
    assert model_uri(replace(record(), workspace_id=WORKSPACE), "workspaceblobstore", "sluice/shop/d/blue") == (
        "azureml://subscriptions/s/resourcegroups/rg/workspaces/ws/datastores/workspaceblobstore/paths/sluice/shop/d/blue"
    )


def test_on_a_stacks_own_branch_the_lock_is_with_its_records(folder: Path) -> None:
    model = folder.parent / "models" / "shop"
    assert lock_path(model) == model / "release.lock.yml"
    (folder.parent / "rollouts/dev").mkdir(parents=True)
    (folder.parent / "rollouts/dev/source.json").write_text("{}")
    assert lock_path(model) == folder.parent / "rollouts/dev/locks/shop/release.lock.yml"
