"""Publishing with the real azure-storage-blob: by content, once, recorded at the end; failures name the way out."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from models import asset_source, publisher
from models.content import ContentError, local_asset
from models.errors import NoUploadRightError, OutsideNetworkError, PublishError, StorageUnavailableError
from models.publisher import Destination, Parcel, Publication, publish, total_bytes
from models.release_lock import published, read_lock
from models.spec import AssetKind, LocalAsset
from models.upload_progress import Progress
from tests.models.blob_server import BlobServer

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.fixture
def server() -> Iterator[BlobServer]:
    running = BlobServer()
    yield running
    running.close()


def publish_parcels(parcels: list[Parcel], destination: Destination, progress: Progress) -> list[Publication]:
    with ContainerClient(destination.blob_endpoint, destination.container, retry_total=0) as client:
        again = "sluice release publish shop --stack dev"
        return publish(parcels, "dev", destination, client, progress, again=again)


class Project:
    """A model's folder with assets, and the storage account of its stack."""

    def __init__(self, folder: Path, server: BlobServer) -> None:
        self.folder, self.lines, self.arrived = folder, list[str](), 0
        (folder / "blue").mkdir(parents=True)
        (folder / "src").mkdir()
        (folder / "blue" / "model.bin").write_bytes(b"weights")
        (folder / "blue" / "about.json").write_text("{}")
        (folder / "src" / "score.py").write_text("def run(data): ...")
        self.destination = Destination(
            workspace_id=WORKSPACE,
            workspace_guid="guid",
            datastore="workspaceblobstore",
            storage_account="stshop",
            storage_account_id="/subscriptions/s/storage",
            blob_endpoint=server.address,
            container="store",
            public=True,
        )

    @property
    def assets(self) -> list[LocalAsset]:
        model = local_asset(AssetKind.MODEL, self.folder / "blue", "custom_model")
        return [model, local_asset(AssetKind.CODE, self.folder / "src", "code")]

    def publish(self, assets: list[LocalAsset] | None = None, **changes: Any) -> Publication:
        parcel = Parcel(lock=read_lock(self.folder), assets=assets or self.assets)
        (publication,) = publish_parcels([parcel], replace(self.destination, **changes), self)
        return publication

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, size: int) -> None:
        self.arrived += size


@pytest.fixture
def project(tmp_path: Path, server: BlobServer) -> Project:
    return Project(tmp_path / "shop", server)


def test_files_lie_under_the_digest_of_their_asset(project: Project, server: BlobServer) -> None:
    model, code = project.assets
    result = project.publish()
    assert set(server.blobs) == {
        f"store/sluice/shop/{model.digest}/blue/about.json",
        f"store/sluice/shop/{model.digest}/blue/model.bin",
        f"store/sluice/shop/{code.digest}/score.py",
    }
    assert server.blobs[f"store/sluice/shop/{model.digest}/blue/model.bin"][0] == b"weights"
    assert (result.uploaded_files, result.lock_changed) == (3, True)
    lock = read_lock(project.folder)
    model_place, code_place = published(lock, "dev", model), published(lock, "dev", code)
    assert model_place is not None
    assert model_place.uri.endswith(
        f"/workspaces/ws/datastores/workspaceblobstore/paths/sluice/shop/{model.digest}/blue"
    )
    assert code_place is not None
    assert code_place.uri == f"{server.address}store/sluice/shop/{code.digest}"
    assert f"model blue {model.digest[:12]}: about.json (0 kB) is uploaded" in project.lines
    assert len(project.lines) == 3


def test_a_model_that_is_one_file_keeps_its_name(project: Project, server: BlobServer) -> None:
    (project.folder / "model.bin").write_bytes(b"one")
    asset = local_asset(AssetKind.MODEL, project.folder / "model.bin", "custom_model")
    result = project.publish([asset])
    assert list(server.blobs) == [f"store/sluice/shop/{asset.digest}/model.bin"]
    assert result.assets[0].uri.endswith(f"/{asset.digest}/model.bin")


def test_a_second_run_uploads_nothing_and_leaves_the_lock_alone(project: Project, server: BlobServer) -> None:
    project.publish()
    server.requests.clear()
    result = project.publish()
    assert (result.uploaded_files, result.uploaded_bytes, result.lock_changed) == (0, 0, False)
    assert all(request.startswith("HEAD ") for request in server.requests)


def test_after_a_failure_in_the_middle_the_next_run_goes_on(
    project: Project, server: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "SMALL_AT_ONCE", 1)
    server.fail(500, "InternalError", after_uploads=2)
    with pytest.raises(StorageUnavailableError, match=r"(?s)answered 500 InternalError.*again"):
        project.publish()
    assert not read_lock(project.folder).path.exists()  # the lock is written at the very end
    server.failure = None
    result = project.publish()
    assert (result.uploaded_files, len(server.blobs)) == (1, 3)


def test_a_blob_whose_content_does_not_match_its_path_is_replaced(project: Project, server: BlobServer) -> None:
    project.publish()
    path = next(path for path in server.blobs if path.endswith("model.bin"))
    server.blobs[path] = (b"WEIGHTS", {})
    assert project.publish().uploaded_files == 1
    assert server.blobs[path][0] == b"weights"


def test_a_file_changed_during_its_upload_is_not_recorded(project: Project) -> None:
    before = project.assets
    (project.folder / "blue" / "model.bin").write_bytes(b"others!")
    with pytest.raises(PublishError, match=r"was changed while it was published; the release lock was not written"):
        project.publish(before)
    assert not read_lock(project.folder).path.exists()


def test_a_large_file_reports_progress(project: Project, server: BlobServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "LARGE_BYTES", 1)
    project.publish()
    assert any(line.endswith("model.bin (0 kB): 100 %") for line in project.lines)


@pytest.mark.parametrize("size", [10_240, 10_241, 1])
def test_a_file_that_is_sent_in_parts_is_hashed_and_arrives_whole(
    size: int, project: Project, server: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sends parts side by side; it must read them in order all the same."""
    monkeypatch.setattr(publisher, "LARGE_BYTES", 0)
    content = bytes(number * 7 % 251 for number in range(size))
    (project.folder / "blue" / "model.bin").write_bytes(content)
    asset = local_asset(AssetKind.MODEL, project.folder / "blue", "custom_model")
    parcel = Parcel(lock=read_lock(project.folder), assets=[asset])
    parts = {"max_single_put_size": 1000, "max_block_size": 1000}
    with ContainerClient(server.address, "store", retry_total=0, **parts) as client:
        publish([parcel], "dev", project.destination, client, project, again="sluice release publish shop")
    assert server.blobs[f"store/sluice/shop/{asset.digest}/blue/model.bin"][0] == content
    assert bool(server.blocks) is (size > 1000)


def test_no_right_to_upload_names_the_role_and_the_command(project: Project, server: BlobServer) -> None:
    server.fail(403, "AuthorizationPermissionMismatch")
    with pytest.raises(NoUploadRightError) as caught:
        project.publish()
    for piece in (
        "no right to upload",
        "stshop",
        '"Storage Blob Data Contributor"',
        "--scope /subscriptions/s/storage",
    ):
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("public", "piece"), [(False, "its public access is off"), (True, "does not accept requests from this network")]
)
def test_outside_the_private_network_the_error_names_where_to_run(
    public: bool, piece: str, project: Project, server: BlobServer
) -> None:
    server.fail(403, "AuthorizationFailure")
    with pytest.raises(OutsideNetworkError) as caught:
        project.publish(public=public)
    for expected in (piece, "inside the stack's network", "self-hosted runner"):
        assert expected in str(caught.value)


def test_other_refusals_ask_who_you_are(project: Project, server: BlobServer) -> None:
    server.fail(401, "InvalidAuthenticationInfo")
    with pytest.raises(NoUploadRightError, match=r"answered 401 InvalidAuthenticationInfo.*az account show"):
        project.publish()


def test_a_missing_container_is_named(project: Project, server: BlobServer) -> None:
    server.fail(404, "ContainerNotFound")
    with pytest.raises(PublishError, match=r"container store of datastore workspaceblobstore is missing"):
        project.publish()


def test_an_account_that_does_not_answer_is_unavailable(project: Project) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/account/"
        with pytest.raises(StorageUnavailableError, match=r"cannot be reached at .*connect to that, then run"):
            project.publish(blob_endpoint=address, public=False)


def several(project: Project, *names: str) -> list[Parcel]:
    """Further models beside the project's own, each with different content."""
    parcels = []
    for name in names:
        folder = project.folder.with_name(name)
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "score.py").write_text(f"# {name}")
        (folder / "model.bin").write_bytes(name.encode())
        assets = [
            local_asset(AssetKind.MODEL, folder / "model.bin", "custom_model"),
            local_asset(AssetKind.CODE, folder / "src", "code"),
        ]
        parcels.append(Parcel(lock=read_lock(folder), assets=assets))
    return parcels


def test_files_of_all_models_are_uploaded_side_by_side(project: Project, server: BlobServer) -> None:
    """The storage holds the first upload until a second one comes."""
    parcels = several(project, "one", "two", "three")
    server.hold_until(uploads=2)
    publications = publish_parcels(parcels, project.destination, project)
    assert [publication.lock.model for publication in publications] == ["one", "two", "three"]
    assert all(read_lock(project.folder.with_name(name)).stacks["dev"].assets for name in ("one", "two", "three"))
    assert project.arrived == total_bytes(parcels) == sum(len(content) for content, _ in server.blobs.values())


def test_what_fails_for_one_model_leaves_the_others_recorded(project: Project, server: BlobServer) -> None:
    parcels = several(project, "one", "two", "three")
    changed = project.folder.with_name("two") / "src" / "score.py"
    changed.write_text("# saved during the upload")
    with pytest.raises(PublishError, match="two/src was changed while it was published"):
        publish_parcels(parcels, project.destination, project)
    recorded = [name for name in ("one", "two", "three") if read_lock(project.folder.with_name(name)).stacks]
    assert recorded == ["one", "three"]


def test_a_refusal_of_the_storage_is_reported_once_for_all_models(project: Project, server: BlobServer) -> None:
    server.fail(403, "AuthorizationPermissionMismatch")
    with pytest.raises(NoUploadRightError) as caught:
        publish_parcels(several(project, "one", "two", "three"), project.destination, project)
    assert str(caught.value).count("no right to upload") == 1
    assert not any(read_lock(project.folder.with_name(name)).stacks for name in ("one", "two", "three"))


def test_a_file_that_vanishes_is_named_and_no_traceback(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(path: Path) -> str:
        raise ContentError(f"{path.name} cannot be read: No such file or directory. Fix its permissions")

    monkeypatch.setattr(asset_source, "file_digest", vanished)
    with pytest.raises(PublishError, match=r"a file cannot be read: .*then run `sluice release publish shop"):
        project.publish()
