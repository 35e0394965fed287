"""delivery/proofs/stack_verification.py: every layer of what a stack serves, with what differs in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from delivery.proofs.stack_verification import Blob, Check, Declared, Layer, asset_id, verify_colour
from models.publisher import Destination, blob_prefix
from models.release_document import FileEntry, ReleaseDocument
from models.release_lock import PublishedAsset, ReleaseLock, StackRecord
from models.spec import AssetKind, AssetReference, DeploymentSpec, EnvironmentSpec, LocalAsset, environment_digest

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
DEPLOYMENT = f"{WORKSPACE}/onlineEndpoints/fraud-dev/deployments/blue"
CONTENT = "c0" * 32
FILES = {"model": {"model.pkl": b"weights"}, "code": {"score.py": b"def run(): ...\n", "lib/a.py": b""}}
CONDA = "dependencies: [python=3.11]\n"


def asset(kind: AssetKind, name: str, digest: str) -> LocalAsset:
    return LocalAsset(
        kind=kind,
        path=Path("/nowhere") / name,
        name=name,
        digest=digest,
        asset_type="custom_model" if kind is AssetKind.MODEL else "code",
        files=tuple(FILES[kind.value]),
    )


MODEL, CODE = asset(AssetKind.MODEL, "model.pkl", "ab" * 32), asset(AssetKind.CODE, "src", "cd" * 32)
ENVIRONMENT = EnvironmentSpec(
    image="image:1",
    conda_file=CONDA,
    name=None,
    inference_config=None,
    digest=environment_digest("image:1", {"dependencies": ["python=3.11"]}, None),
)
SPEC = DeploymentSpec(
    name="blue",
    body={},
    instance_type="Standard_DS3_v2",
    instance_count=1,
    tags={},
    model=MODEL,
    code=CODE,
    scoring_script="score.py",
    environment=ENVIRONMENT,
    autoscale=None,
)
DOCUMENT = ReleaseDocument(
    model="fraud",
    content=CONTENT,
    settings={},
    conda=CONDA,
    files=tuple(
        FileEntry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest(), part=part)  # type: ignore[arg-type]  # the keys of FILES
        for part, files in FILES.items()
        for path, data in files.items()
    ),
    commit="0" * 40,
)
DECLARED = Declared(
    endpoint="fraud",
    colour="blue",
    deployment_id=DEPLOYMENT,
    workspace_id=WORKSPACE,
    release="0123456789abcdef",
    spec=SPEC,
    document=DOCUMENT,
    pinned=True,
)
DESTINATION = Destination(
    workspace_id=WORKSPACE,
    workspace_guid="guid",
    datastore="workspaceblobstore",
    storage_account="st",
    storage_account_id="/st",
    blob_endpoint="https://st/",
    container="c",
    public=True,
)
URIS = {"model": "azureml://ws/paths/sluice/fraud/ab", "code": "https://st/c/sluice/fraud/cd"}


@dataclass
class FakeStorage:
    """Blobs by path: their bytes, and the metadata that the publisher wrote."""

    blobs: dict[str, bytes] = field(
        default_factory=lambda: {
            f"{blob_prefix('fraud', one)}/{path}": data
            for one in (MODEL, CODE)
            for path, data in FILES[one.kind.value].items()
        }
    )
    metadata: dict[str, str | None] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def blob(self, path: str) -> Blob | None:
        if path not in self.blobs:
            return None
        digest = hashlib.sha256(self.blobs[path]).hexdigest()
        return Blob(size=len(self.blobs[path]), sha256=self.metadata.get(path, digest))

    def digest(self, path: str) -> str:
        self.read.append(path)
        return hashlib.sha256(self.blobs[path]).hexdigest()


@dataclass
class FakeAzure:
    """Resources by id."""

    resources: dict[str, dict[str, Any]]

    def get(self, resource_id: str) -> Mapping[str, Any] | None:
        return self.resources.get(resource_id)


def azure() -> FakeAzure:
    """Azure as the program leaves it."""
    ids = {part: asset_id(DECLARED, part, one) for part, one in (("model", MODEL), ("code", CODE))}
    environment = asset_id(DECLARED, "environment", ENVIRONMENT)
    return FakeAzure(
        {
            DEPLOYMENT: {
                "properties": {
                    "model": ids["model"],
                    "codeConfiguration": {"codeId": ids["code"].upper()},  # ARM ids have no case
                    "environmentId": environment,
                },
                "tags": {"sluice:release": DECLARED.release, "sluice:content": CONTENT[:16]},
            },
            ids["model"]: {"properties": {"modelUri": URIS["model"]}},
            ids["code"]: {"properties": {"codeUri": f"{URIS['code']}/"}},
            environment: {"properties": {"image": "image:1", "condaFile": '{"dependencies": ["python=3.11"]}'}},
        }
    )


def lock(**changes: Any) -> ReleaseLock:
    record = StackRecord(
        workspace_id=WORKSPACE,
        workspace_guid="guid",
        storage_account="st",
        container="c",
        assets={
            one.digest: PublishedAsset(digest=one.digest, kind=one.kind, name=one.name, uri=URIS[one.kind.value])
            for one in (MODEL, CODE)
        },
    )
    return ReleaseLock(path=Path("release.lock.yml"), model="fraud", stacks={"dev": replace(record, **changes)})


def verify(
    declared: Declared = DECLARED,
    locked: ReleaseLock | None = None,
    storage: FakeStorage | None = None,
    resources: FakeAzure | None = None,
    *,
    deep: bool = False,
) -> dict[Layer, Check]:
    checks = verify_colour(
        declared, "dev", locked or lock(), DESTINATION, storage or FakeStorage(), resources or azure(), deep=deep
    )
    return {check.layer: check for check in checks}


def problem(checks: dict[Layer, Check], layer: Layer) -> str:
    """The only problem, which is in this layer."""
    (found,) = [(check.layer, one) for check in checks.values() for one in check.problems]
    assert found[0] is layer
    return found[1]


def test_a_stack_that_serves_what_it_declares_is_equal_in_every_layer() -> None:
    checks = verify()
    assert list(checks) == [Layer.DOCUMENT, Layer.LOCK, Layer.STORAGE, Layer.AZURE]
    assert not any(check.problems for check in checks.values())
    assert checks[Layer.STORAGE].found == "3 files, 22 bytes, by size and metadata"
    assert checks[Layer.AZURE].as_values()["equal"] is True


def test_a_colour_that_is_not_pinned_has_no_document() -> None:
    assert Layer.DOCUMENT not in verify(replace(DECLARED, pinned=False))


def test_content_that_the_lock_does_not_have_is_named_with_the_command() -> None:
    said = problem(verify(locked=lock(assets={MODEL.digest: lock().stacks["dev"].assets[MODEL.digest]})), Layer.LOCK)
    assert "does not have the code cdcdcdcdcdcdcdcd for dev: run `sluice release publish fraud --stack dev`" in said


def test_a_lock_of_another_workspace_is_named() -> None:
    said = problem(verify(locked=lock(workspace_guid="old")), Layer.LOCK)
    assert said.startswith("release.lock.yml was written for workspace old and st/c, but the stack has guid")


def test_a_blob_that_is_gone_cut_or_of_other_metadata_is_named() -> None:
    path = f"{blob_prefix('fraud', CODE)}/score.py"
    storage = FakeStorage()
    del storage.blobs[path]
    assert problem(verify(storage=storage), Layer.STORAGE) == f"{path} is not in the storage"

    storage = FakeStorage(metadata={path: None})
    assert "has the metadata sluice_sha256 none, but must have" in problem(verify(storage=storage), Layer.STORAGE)

    storage = FakeStorage()
    storage.metadata[path] = hashlib.sha256(storage.blobs[path]).hexdigest()
    storage.blobs[path] += b"#"
    assert problem(verify(storage=storage), Layer.STORAGE) == f"{path} has 16 bytes, but must have 15"


def test_only_a_deep_look_finds_bytes_of_the_same_size_under_the_right_metadata() -> None:
    path = f"{blob_prefix('fraud', MODEL)}/model.pkl"
    storage = FakeStorage()
    storage.metadata[path] = hashlib.sha256(storage.blobs[path]).hexdigest()
    storage.blobs[path] = b"WEIGHTS"
    assert not any(check.problems for check in verify(storage=storage).values())
    assert storage.read == []
    assert "the bytes of" in problem(verify(storage=storage, deep=True), Layer.STORAGE)
    assert len(storage.read) == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sluice:release", "f" * 16, "the tag sluice:release is ffffffffffffffff, but must be 0123456789abcdef"),
        ("sluice:content", "f" * 16, f"the tag sluice:content is ffffffffffffffff, but must be {CONTENT[:16]}"),
    ],
)
def test_another_tag_is_named(name: str, value: str, said: str) -> None:
    resources = azure()
    resources.resources[DEPLOYMENT]["tags"][name] = value
    assert problem(verify(resources=resources), Layer.AZURE) == said


def test_a_deployment_of_an_earlier_version_needs_no_content_tag() -> None:
    resources = azure()
    del resources.resources[DEPLOYMENT]["tags"]["sluice:content"]
    assert not any(check.problems for check in verify(resources=resources).values())


def test_a_deployment_that_is_gone_is_named() -> None:
    resources = azure()
    del resources.resources[DEPLOYMENT]
    assert problem(verify(resources=resources), Layer.AZURE) == "the deployment blue does not exist in Azure"


def test_an_asset_that_is_another_one_gone_or_somewhere_else_is_named() -> None:
    model = asset_id(DECLARED, "model", MODEL)
    resources = azure()
    resources.resources[DEPLOYMENT]["properties"]["model"] = model.replace("abab", "0000", 1)
    assert "but must be" in problem(verify(resources=resources), Layer.AZURE)

    resources = azure()
    del resources.resources[model]
    assert problem(verify(resources=resources), Layer.AZURE) == f"the model {model} does not exist in Azure"

    resources = azure()
    resources.resources[model]["properties"]["modelUri"] = "azureml://elsewhere"
    assert "lies at azureml://elsewhere, but the lock says" in problem(verify(resources=resources), Layer.AZURE)


def test_an_environment_under_the_right_version_with_other_packages_is_named() -> None:
    environment = asset_id(DECLARED, "environment", ENVIRONMENT)
    resources = azure()
    resources.resources[environment]["properties"]["condaFile"] = "dependencies: [python=3.12]\n"
    assert "is not what its version says" in problem(verify(resources=resources), Layer.AZURE)


@pytest.mark.parametrize(
    ("reference", "named", "same"),
    [
        ("azureml://registries/r/models/m/versions/2", "azureml://registries/r/models/m/versions/2", True),
        ("azureml:m:2", f"{WORKSPACE}/models/m/versions/2", True),
        ("azureml:m:2", f"{WORKSPACE}/models/m/versions/3", False),
        ("azureml:m:2", None, False),
    ],
)
def test_a_reference_is_compared_with_what_azure_names(reference: str, named: str | None, same: bool) -> None:
    spec = replace(SPEC, model=AssetReference(reference=reference))
    resources = azure()
    resources.resources[DEPLOYMENT]["properties"]["model"] = named
    checks = verify(replace(DECLARED, spec=spec), resources=resources)
    assert (not checks[Layer.AZURE].problems) is same


def test_a_difference_hides_no_other_layer() -> None:
    checks = verify(locked=ReleaseLock(path=Path("l"), model="fraud"), storage=FakeStorage({}), resources=FakeAzure({}))
    assert [len(check.problems) for check in checks.values()] == [0, 2, 3, 1]
