"""Whether a stack serves what its file declares: document, lock, storage and Azure compared, layer by layer.

Each layer names what it found. A difference never hides the layers behind it. What cannot be read is no difference:
`Storage` and `Azure` raise UnavailableError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from endpoint_state import CONTENT_TAG, RELEASE_TAG
from models.publisher import Destination, blob_prefix
from models.release_document import FileEntry, ReleaseDocument
from models.release_lock import PublishedAsset, ReleaseLock
from models.spec import AssetReference, DeploymentSpec, EnvironmentSpec, LocalAsset, environment_digest
from strict_yaml import read_yaml

DIGITS = 16
"""So much of a digest stands in tags, names and versions of Azure."""


class Layer(StrEnum):
    """Where something is compared."""

    DOCUMENT = "document"
    LOCK = "lock"
    STORAGE = "storage"
    AZURE = "Azure"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One layer of one colour."""

    endpoint: str
    colour: str
    layer: Layer
    found: str
    """What is as it must be, for people."""
    problems: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {**vars(self), "layer": self.layer.value, "equal": not self.problems, "problems": list(self.problems)}


@dataclass(frozen=True, kw_only=True)
class Blob:
    """What the storage says about a blob; `sha256` is the publisher's metadata, None without it. Bytes."""

    size: int
    sha256: str | None


class Storage(Protocol):
    """The container that the workspace reads models and code from."""

    def blob(self, path: str) -> Blob | None:
        """Size and metadata of a blob; None if it is not there."""

    def digest(self, path: str) -> str:
        """SHA-256 of its bytes, which are read for that."""


class Azure(Protocol):
    """Resource Manager; `resource_manager.ArmClient` at one api-version."""

    def get(self, resource_id: str) -> Mapping[str, Any] | None:
        """A resource; None if it does not exist."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One colour as the stack file declares it. `release` is its tag, `document` what it is made of."""

    endpoint: str
    colour: str
    deployment_id: str
    workspace_id: str
    release: str
    spec: DeploymentSpec
    document: ReleaseDocument
    pinned: bool

    @property
    def assets(self) -> dict[str, LocalAsset]:
        """The local assets by the part of the document that lists their files."""
        both = {"model": self.spec.model, "code": self.spec.code}
        return {part: asset for part, asset in both.items() if isinstance(asset, LocalAsset)}


def verify_colour(
    declared: Declared,
    stack: str,
    lock: ReleaseLock,
    destination: Destination,
    storage: Storage,
    azure: Azure,
    *,
    deep: bool,
) -> Iterator[Check]:
    """Yield the checks of one colour; `deep` reads the bytes of every blob."""
    if declared.pinned:
        document = declared.document
        yield _check(declared, Layer.DOCUMENT, f"{document.path}, {len(document.files)} files", [])
    record, published = lock.stacks.get(stack), {}
    if record is not None:
        published = {
            part: record.assets[asset.digest]
            for part, asset in declared.assets.items()
            if asset.digest in record.assets
        }
    yield _lock_check(declared, stack, lock, destination, published)
    yield _storage_check(declared, storage, deep=deep)
    yield _azure_check(declared, azure, published)


def _lock_check(
    declared: Declared,
    stack: str,
    lock: ReleaseLock,
    destination: Destination,
    published: Mapping[str, PublishedAsset],
) -> Check:
    record = lock.stacks.get(stack)
    problems = []
    if record is not None and (record.workspace_guid, record.storage_account, record.container) != (
        destination.workspace_guid,
        destination.storage_account,
        destination.container,
    ):
        problems.append(
            f"{lock.path.name} was written for workspace {record.workspace_guid} and {record.storage_account}/"
            f"{record.container}, but the stack has {destination.workspace_guid} and {destination.storage_account}/"
            f"{destination.container}"
        )
    problems += [
        f"{lock.path.name} does not have the {part} {asset.digest[:DIGITS]} for {stack}: run `sluice release publish "
        f"{declared.endpoint} --stack {stack}`"
        for part, asset in declared.assets.items()
        if part not in published
    ]
    return _check(declared, Layer.LOCK, ", ".join(sorted(published)) or "no local files", problems)


def _storage_check(declared: Declared, storage: Storage, *, deep: bool) -> Check:
    problems: list[str] = []
    seen = size = 0
    for part, asset in declared.assets.items():
        for entry in declared.document.files:
            if entry.part != part:
                continue
            path = f"{blob_prefix(declared.endpoint, asset)}/{entry.path}"
            seen, size = seen + 1, size + entry.size
            problems += _blob_problems(storage, path, entry, deep=deep)
    how = "read and hashed" if deep else "by size and metadata"
    return _check(declared, Layer.STORAGE, f"{seen} files, {size:,} bytes, {how}", problems)


def _blob_problems(storage: Storage, path: str, entry: FileEntry, *, deep: bool) -> Iterator[str]:
    blob = storage.blob(path)
    if blob is None:
        yield f"{path} is not in the storage"
        return
    if blob.size != entry.size:
        yield f"{path} has {blob.size:,} bytes, but must have {entry.size:,}"
    if blob.sha256 != entry.sha256:
        yield f"{path} has the metadata sluice_sha256 {_short(blob.sha256)}, but must have {_short(entry.sha256)}"
    if deep and (digest := storage.digest(path)) != entry.sha256:
        yield f"the bytes of {path} have the SHA-256 {_short(digest)}, but must have {_short(entry.sha256)}"


def _azure_check(declared: Declared, azure: Azure, published: Mapping[str, PublishedAsset]) -> Check:
    found = azure.get(declared.deployment_id)
    if found is None:
        return _check(declared, Layer.AZURE, "", [f"the deployment {declared.colour} does not exist in Azure"])
    properties, tags = found.get("properties") or {}, found.get("tags") or {}
    problems = list(_tag_problems(declared, tags))
    code = (properties.get("codeConfiguration") or {}).get("codeId")
    named = {"model": properties.get("model"), "code": code, "environment": properties.get("environmentId")}
    for part, asset in _parts(declared).items():
        problems += _asset_problems(declared, azure, part, asset, named[part], published.get(part))
    return _check(
        declared, Layer.AZURE, f"release {declared.release}, {', '.join(_parts(declared)) or 'no'} assets", problems
    )


def _tag_problems(declared: Declared, tags: Mapping[str, str]) -> Iterator[str]:
    content = declared.document.content[:DIGITS]
    if tags.get(RELEASE_TAG) != declared.release:
        yield f"the tag {RELEASE_TAG} is {tags.get(RELEASE_TAG)}, but must be {declared.release}"
    # Deployments that an earlier version created have no such tag.
    if tags.get(CONTENT_TAG, content) != content:
        yield f"the tag {CONTENT_TAG} is {tags[CONTENT_TAG]}, but must be {content}"


def _parts(declared: Declared) -> dict[str, LocalAsset | AssetReference | EnvironmentSpec]:
    spec = declared.spec
    both = {"model": spec.model, "code": spec.code, "environment": spec.environment}
    return {part: asset for part, asset in both.items() if asset is not None}


def _asset_problems(
    declared: Declared,
    azure: Azure,
    part: str,
    asset: LocalAsset | AssetReference | EnvironmentSpec,
    named: str | None,
    published: PublishedAsset | None,
) -> Iterator[str]:
    if isinstance(asset, AssetReference):
        if not _refers_to(named, asset.reference):
            yield f"the {part} is {named}, but must be {asset.reference}"
        return
    expected = asset_id(declared, part, asset)
    if (named or "").lower() != expected.lower():
        yield f"the {part} is {named}, but must be {expected}"
        return
    version = azure.get(expected)
    if version is None:
        yield f"the {part} {expected} does not exist in Azure"
        return
    properties = version.get("properties") or {}
    if isinstance(asset, EnvironmentSpec):
        conda = properties.get("condaFile")
        digest = environment_digest(
            properties.get("image") or "", read_yaml(conda) if conda else None, properties.get("inferenceConfig")
        )
        if digest != asset.digest:
            yield f"the environment {expected} is not what its version says: its digest is {digest[:DIGITS]}"
        return
    uri = str(properties.get("modelUri" if part == "model" else "codeUri") or "")
    if published is not None and uri.rstrip("/").lower() != published.uri.rstrip("/").lower():
        yield f"the {part} {expected} lies at {uri}, but the lock says {published.uri}"


def asset_id(declared: Declared, part: str, asset: LocalAsset | EnvironmentSpec) -> str:
    """Return the id under which the program declares an asset (`components/release_assets.py`)."""
    digest = asset.digest[:DIGITS]
    if isinstance(asset, EnvironmentSpec):
        return f"{declared.workspace_id}/environments/{declared.endpoint}/versions/{digest}"
    return f"{declared.workspace_id}/{part}s/{declared.endpoint}-{digest}/versions/1"


def _refers_to(named: str | None, reference: str) -> bool:
    """Azure may answer a reference of the workspace as an ARM id."""
    if named is None:
        return False
    name, _, version = reference.removeprefix("azureml:").partition(":")
    return named.lower() == reference.lower() or named.lower().endswith(f"/{name}/versions/{version}".lower())


def _check(declared: Declared, layer: Layer, found: str, problems: list[str]) -> Check:
    return Check(endpoint=declared.endpoint, colour=declared.colour, layer=layer, found=found, problems=tuple(problems))


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
