"""A pinned release is published with the bytes that its document names, wherever they are, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from delivery.releases.publication import parcel_of
from delivery.releases.release_bytes import CommitTrees, OtherStack
from models import publisher
from models.content import local_asset
from models.errors import PublishError, StorageUnavailableError
from models.pin import document_of, pinned
from models.publisher import Destination, Publication, publish
from models.release_document import ReleaseDocument, write
from models.release_lock import read_lock
from models.spec import AssetKind, AssetReference, DeploymentSpec, EndpointSpec, Model
from tests.delivery.repository import commit_all, git, new_repository
from tests.models.blob_server import BlobServer

COMMIT_TREE = "delivery.releases.release_bytes.commit_tree"
pytestmark = pytest.mark.slow  # real git

ENDPOINT = EndpointSpec(
    auth_mode="Key", description=None, tags={}, properties={}, identity=None, public_network_access=None, compute=None
)


@pytest.fixture
def server() -> Iterator[BlobServer]:
    running = BlobServer()
    yield running
    running.close()


@dataclass
class Team:
    """A repository in which one release is frozen, and the storage of a stack that pins it."""

    root: Path
    server: BlobServer
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        new_repository(self.root)
        self.folder = self.root / "models" / "shop"
        for name, content in {
            "green/model.bin": b"weights",
            "green/about.json": b"{}",
            "src/score.py": b"code",
        }.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        self.commit = commit_all(self.root)
        spec = DeploymentSpec(
            name="green",
            body={"endpointComputeType": "Managed"},
            instance_type="Standard_DS3_v2",
            instance_count=1,
            tags={},
            model=local_asset(AssetKind.MODEL, self.folder / "green", "custom_model"),
            code=local_asset(AssetKind.CODE, self.folder / "src", "code"),
            scoring_script="score.py",
            environment=AssetReference(reference="azureml://registries/r/environments/e/versions/1"),
            autoscale=None,
        )
        self.document: ReleaseDocument = document_of(spec, self.folder, self.commit)
        write(self.root, self.document)
        commit_all(self.root)

    def move_on(self) -> None:
        """The folder gets other files: the next release."""
        (self.folder / "green" / "model.bin").write_bytes(b"other weights")
        (self.folder / "src" / "score.py").unlink()
        commit_all(self.root)

    def lose_history(self) -> None:
        """Rewrite the branch and drop what nothing refers to."""
        git(self.root, "checkout", "-q", "--orphan", "new")
        commit_all(self.root)
        git(self.root, "branch", "-q", "-D", "main")
        git(self.root, "reflog", "expire", "--expire=now", "--all")
        git(self.root, "gc", "-q", "--prune=now")

    def publish(self, other: OtherStack | None = None) -> Publication:
        model = Model(
            name="shop", endpoint=ENDPOINT, deployments={"green": pinned(self.folder, "green", self.document.short)}
        )
        destination = Destination(
            workspace_id="/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws",
            workspace_guid="guid",
            datastore="workspaceblobstore",
            storage_account="stshop",
            storage_account_id="/subscriptions/s/storage",
            blob_endpoint=self.server.address,
            container="store",
            public=True,
        )
        with (
            CommitTrees(self.root) as trees,
            ContainerClient(destination.blob_endpoint, destination.container, retry_total=0) as client,
        ):
            parcel = parcel_of(self.folder, model, {"green": self.document.short}, self.root, trees, other)
            (publication,) = publish([parcel], "prod", destination, client, self, again="sluice release publish shop")
        return publication

    def other(self, container: str = "dev") -> OtherStack:
        """Another stack whose container has what is below a name of the same server."""

        def open_blob(name: str) -> object:
            client = ContainerClient(self.server.address, container, retry_total=0).get_blob_client(name)
            return client.download_blob() if client.exists() else None

        return OtherStack(stack="dev", open=open_blob)  # type: ignore[arg-type]  # the client's stream is readable

    @property
    def sent(self) -> dict[str, bytes]:
        """What the stack's container has, by file."""
        return {
            path.rpartition("/")[2]: content
            for path, (content, _) in self.server.blobs.items()
            if path.startswith("store/")
        }

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, size: int) -> None:
        pass


@pytest.fixture
def team(tmp_path: Path, server: BlobServer) -> Team:
    return Team(tmp_path / "team", server)


WHOLE = {"model.bin": b"weights", "about.json": b"{}", "score.py": b"code"}


def test_the_folder_is_the_first_place(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMMIT_TREE, lambda *_: pytest.fail("a commit was checked out"))
    publication = team.publish()
    assert team.sent == WHOLE
    assert (publication.uploaded_files, publication.lock_changed) == (3, True)
    assert set(read_lock(team.folder).stacks["prod"].assets) == {
        team.document.settings["model"]["content"],
        team.document.settings["code"]["content"],
    }


def test_then_the_commit_of_the_document(team: Team) -> None:
    team.move_on()
    team.publish()
    assert team.sent == WHOLE
    assert (team.folder / "green" / "model.bin").read_bytes() == b"other weights"
    assert git(team.root, "worktree", "list").count("\n") == 0


def test_a_commit_that_is_not_here_is_fetched(team: Team, tmp_path: Path) -> None:
    team.move_on()
    git(team.root, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{team.root}", str(clone))
    team.root, team.folder = clone, clone / "models" / "shop"
    team.publish()
    assert team.sent == WHOLE


def test_then_the_storage_of_another_stack(team: Team) -> None:
    team.publish()
    for path, blob in list(team.server.blobs.items()):
        team.server.blobs[path.replace("store/", "dev/", 1)] = blob
        del team.server.blobs[path]
    team.move_on()
    team.lose_history()
    with pytest.raises(PublishError) as caught:
        team.publish()
    said = str(caught.value)
    for piece in ("models/shop/", "has other bytes", f"there is no commit {team.commit}", "Give --from STACK"):
        assert piece in said
    team.publish(team.other())
    assert team.sent == WHOLE


def test_other_bytes_of_another_stack_are_refused_and_not_left_there(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = team.document.settings["model"]["content"]
    for name, content in (("about.json", b"{}"), ("model.bin", b"WEIGHTS")):
        team.server.blobs[f"dev/sluice/shop/{asset}/green/{name}"] = (content, {})
    code = team.document.settings["code"]["content"]
    team.server.blobs[f"dev/sluice/shop/{code}/score.py"] = (b"code", {})
    team.move_on()
    team.lose_history()
    for large in (2**30, 1):  # a large file is hashed while it is sent, so it arrives before it is known to be wrong
        monkeypatch.setattr(publisher, "LARGE_BYTES", large)
        team.server.requests.clear()
        with pytest.raises(PublishError, match=r"model.bin of .* was changed while it was published"):
            team.publish(team.other())
        assert "model.bin" not in team.sent
        assert not read_lock(team.folder).stacks
        removed = f"DELETE store/sluice/shop/{asset}/green/model.bin" in team.server.requests
        assert removed is (large == 1)


def test_a_second_run_sends_nothing_and_needs_no_bytes(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.publish()
    team.move_on()
    monkeypatch.setattr(COMMIT_TREE, lambda *_: pytest.fail("a commit was checked out"))
    publication = team.publish()
    assert (publication.uploaded_files, publication.lock_changed) == (0, False)


def test_a_run_that_was_killed_goes_on(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "SMALL_AT_ONCE", 1)
    team.server.fail(500, "InternalError", after_uploads=2)
    with pytest.raises(StorageUnavailableError):
        team.publish()
    team.server.failure = None
    assert team.publish().uploaded_files == 1
    assert team.sent == WHOLE


def test_a_document_cannot_lead_out_of_the_repository(team: Team, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "score.py").write_bytes(b"code")
    place = type(team.document.places["code"])(name="src", path="../../../outside")
    write_over = team.root / team.document.path
    write_over.write_text(
        ReleaseDocument(**{**vars(team.document), "places": {**team.document.places, "code": place}}).text()
    )
    with pytest.raises(PublishError, match=r"score.py of release .* are nowhere"):
        team.publish()
