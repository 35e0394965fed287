"""Publishing with the real azure-storage-blob: by content, once, recorded at the end; failures name the way out."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from models import publisher
from models.content import local_asset
from models.errors import NoUploadRightError, OutsideNetworkError, PublishError, StorageUnavailableError
from models.publisher import Destination, Publication, publish
from models.release import published, read_lock
from models.spec import AssetKind, LocalAsset
from tests.models.blob_server import BlobServer

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.fixture
def server() -> Iterator[BlobServer]:
    running = BlobServer()
    yield running
    running.close()


class Project:
    """A model's folder with assets, and the storage account of its stack."""

    def __init__(self, folder: Path, server: BlobServer) -> None:
        self.folder, self.lines = folder, list[str]()
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
        destination = replace(self.destination, **changes)
        client = ContainerClient(destination.blob_endpoint, destination.container, retry_total=0)
        with client:
            return publish(assets or self.assets, read_lock(self.folder), "dev", destination, client, self.lines.append)


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
    assert project.lines[0] == f"model blue {model.digest[:12]}: about.json (0 kB) is uploaded"


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


def test_after_a_failure_in_the_middle_the_next_run_goes_on(project: Project, server: BlobServer) -> None:
    server.fail(500, "InternalError", after_uploads=2)
    with pytest.raises(StorageUnavailableError, match=r"(?s)answered 500 InternalError.*again"):
        project.publish()
    assert not read_lock(project.folder).path.exists()  # the lock is written at the very end
    server.failure = None
    result = project.publish()
    assert (result.uploaded_files, len(server.blobs)) == (1, 3)


def test_a_blob_that_is_not_what_its_path_says_is_replaced(project: Project, server: BlobServer) -> None:
    project.publish()
    path = next(path for path in server.blobs if path.endswith("model.bin"))
    server.blobs[path] = (b"WEIGHTS", {})
    assert project.publish().uploaded_files == 1
    assert server.blobs[path][0] == b"weights"


def test_a_file_changed_meanwhile_is_not_recorded(project: Project) -> None:
    before = project.assets
    (project.folder / "blue" / "model.bin").write_bytes(b"others!")
    with pytest.raises(PublishError, match=r"was changed while it was uploaded; the release lock was not written"):
        project.publish(before)
    assert not read_lock(project.folder).path.exists()


def test_a_large_file_reports_progress(project: Project, server: BlobServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "LARGE_BYTES", 1)
    project.publish()
    assert any(line.endswith("model.bin (0 kB): 100 %") for line in project.lines)


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


@pytest.mark.parametrize(("public", "piece"), [(False, "its public access is off"), (True, "the network you are in")])
def test_outside_the_private_network_says_where_to_run(
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
        with pytest.raises(StorageUnavailableError, match=r"cannot be reached at .*go inside, then run"):
            project.publish(blob_endpoint=address, public=False)
